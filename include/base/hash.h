/*
 * SipHash-2-4: a keyed 64-bit hash for tables whose keys are chosen by strangers.
 *
 * With a random key per process nobody can aim many user names at one bucket or one worker. Not a
 * signature: credentials are compared by backend/proof. Pure, any thread.
 */
#ifndef IMAPMUX_BASE_HASH_H
#define IMAPMUX_BASE_HASH_H

#include "base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

/* A key from the kernel's random source. Ends the process when there is none. */
struct hash_key hash_key_random(void);

/* SipHash-2-4 of the bytes (Aumasson, Bernstein 2012; test vectors in hash_test.c). */
uint64_t hash_bytes(struct hash_key key, struct span bytes);

/* The same, over the ASCII-lower-cased bytes. */
uint64_t hash_bytes_nocase(struct hash_key key, struct span bytes);

#endif
