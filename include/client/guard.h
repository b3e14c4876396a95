/*
 * What counts across workers: clients in all, clients of one address, sessions of one user, and the
 * failed sign-ins of an address and of a user.
 *
 * Shared by all workers; sharded by a keyed hash so that workers seldom meet in one lock. Addresses
 * count as /32 (IPv4) and /64 (IPv6); unix sockets are not counted by address. Memory is bounded by the
 * number of living connections. A limit of 0 means none. Any thread.
 */
#ifndef IMAPMUX_CLIENT_GUARD_H
#define IMAPMUX_CLIENT_GUARD_H

#include "base/fail.h"
#include "base/span.h"

struct guard;

struct guard *guard_create(void);
void guard_destroy(struct guard **g);

/* Counts a new client in. FAIL_NONE, or FAIL_LIMIT_CLIENTS / FAIL_LIMIT_PER_IP and nothing is counted.
 * address as stream_peer_name gives it. */
enum fail guard_enter(
	struct guard *g, const char *address, unsigned max_clients, unsigned max_per_address);
void guard_leave(struct guard *g, const char *address);

/* Counts a session of a signed-in user in. FAIL_NONE or FAIL_LIMIT_SESSIONS. ASCII case of the name is
 * ignored, as it is by route/home. */
enum fail guard_enter_user(struct guard *g, struct span user, unsigned max_sessions);
void guard_leave_user(struct guard *g, struct span user);

/* A sign-in that failed because of the user or the password. */
struct guard_failure {
	const char *address;        /* of the client */
	struct span user, secret;   /* secret empty: the mechanism shows none */
	uint64_t first_ms, most_ms; /* limits.auth_delay, limits.auth_delay_max */
};

/*
 * Counts the failure, for the address and for the user (client/failures), and returns for how long the
 * answer has to be held back, in ms: the longer of the two waits.
 */
uint64_t guard_failed(struct guard *g, const struct guard_failure *failure, uint64_t now_ms);

/* Clients counted in now. */
unsigned guard_clients(const struct guard *g);

#endif
