/*
 * Which server of a group a user lives on: weighted rendezvous hashing.
 *
 * Each server gets a number from user and server name; the largest wins. A server that joins takes
 * its share of users from all others, one that leaves gives its users to all others, and nobody else
 * moves. The same in every process and on every machine: integers only, a fixed key. Pure, any
 * thread.
 *
 * The number is -ln(u) / weight with u in (0, 1] from a hash, and the smallest wins (Wang and
 * Ravishankar 2016; the exponential variables whose minimum falls on i with probability w_i / sum).
 */
#ifndef IMAPMUX_ROUTE_PICK_H
#define IMAPMUX_ROUTE_PICK_H

#include "base/hash.h"

/* Larger weights would overflow the comparison; the bound of backends.weight is lower. */
#define PICK_WEIGHT_MAX 65535

struct pick_member {
	struct hash_key key; /* made of the server's name */
	unsigned weight;     /* 0: takes nobody, unless all are 0 */
};

/* The member of a server. Its name counts, not its address: a server may move and keep its users. */
struct pick_member pick_member(const char *name, unsigned weight);

/*
 * Index of the member of a user (ASCII case ignored), count > 0. The order of the members does not
 * matter.
 */
size_t pick_one(const struct pick_member *members, size_t count, struct span user);

/* -log2((hash + 1) / 2^64) as a fixed-point number with 32 bits behind the point, at most 64.0. */
uint64_t pick_log(uint64_t hash);

#endif
