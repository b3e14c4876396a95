/*
 * Who failed to sign in lately, and how long he waits for the answer: a bounded memory of addresses and
 * of user names, shared by all workers.
 *
 * Each new failure doubles the wait, from the first delay to the longest; a minute without a new one halves
 * it. The same wrong password of the same user is not new: a device that was not told of a password
 * change is no attack. Only refusals wait, so a right password is never late, however many strangers try
 * the name. What is kept of a password is a keyed 64-bit digest, for as long as the process lives.
 *
 * Memory is fixed (FAILURES_* below). When a shard is full, the one with the shortest wait makes room, and
 * the newcomer goes on from that wait ("space saving", Metwally et al. 2005): a count is never below
 * the truth, so that nobody gets himself forgotten by failing from many addresses or with many names.
 * A flood makes wrong passwords of strangers slower, at worst.
 *
 * Time is an argument (milliseconds of a steady clock, the same for all threads). Any thread.
 */
#ifndef IMAPMUX_CLIENT_FAILURES_H
#define IMAPMUX_CLIENT_FAILURES_H

#include "base/span.h"

struct failures;

/* Addresses and names are remembered apart: made-up names must not push out addresses. */
enum failures_of { FAILURES_OF_ADDRESS, FAILURES_OF_USER, FAILURES_SORTS };

/* Far more than workers, so that two seldom want the same lock; a power of two. */
#define FAILURES_SHARDS 64
/* Of one sort in one shard: 8192 addresses and as many names in all, 1.5 MB, taken as they fill. */
#define FAILURES_SLOTS 128
/* Wrong passwords that are recognised when they come again: a user's devices hold not more old ones. */
#define FAILURES_DIGESTS 8
/* One step back for so long without a new failure. */
#define FAILURES_DECAY_MS 60000
/* Steps that are counted: 2^16 times the first delay is beyond any longest delay that is of use, and
 * whoever got here is forgotten after a quarter of an hour. */
#define FAILURES_LEVEL_MAX 16

struct failures *failures_create(void);
void failures_destroy(struct failures **f);

/*
 * What names a password of a user without telling it; never 0. An empty secret (a mechanism that shows
 * none) gives 0: each failure is new then. ASCII case of the user is ignored.
 */
uint64_t failures_digest(const struct failures *f, struct span user, struct span secret);

/*
 * Counts a failure and returns how long its answer has to wait, in ms: first_ms after one, doubled by each
 * further one, at most longest_ms. first_ms 0: nothing waits. Case of a user's name is ignored.
 */
uint64_t failures_add(struct failures *f, enum failures_of sort, struct span key, uint64_t digest,
	uint64_t now_ms, uint64_t first_ms, uint64_t longest_ms);

#endif
