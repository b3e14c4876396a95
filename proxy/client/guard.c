/*
 * A table of counts behind a few locks: a key is either a network prefix or a user name, its entry
 * lives from the first of its connections to the last. The keyed hash chooses the shard and the bucket, so
 * that a stranger who picks names or addresses cannot aim them at one lock or one chain.
 */
#include "client/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "client/failures.h"

#define uthash_malloc(size) xmalloc(size)
#include <uthash.h>

/* Far more than workers, so that two seldom want the same; a power of two. */
#define GUARD_SHARDS 64

/* Tells the two sorts of keys apart inside one table. */
enum guard_sort { GUARD_ADDRESS, GUARD_USER };

struct guard_entry {
	UT_hash_handle hh;
	unsigned count;
	uint64_t hash;
	size_t len;
	uint8_t key[]; /* the sort, then a prefix in network order or a lower-case name */
};

struct guard_shard {
	pthread_mutex_t lock;
	struct guard_entry *entries;
};

struct guard {
	struct hash_key hash_key;
	struct failures *failures;
	_Atomic unsigned clients;
	struct guard_shard shards[GUARD_SHARDS];
};

struct guard *guard_create(void)
{
	struct guard *g = xcalloc(1, sizeof *g);
	g->hash_key = hash_key_random();
	g->failures = failures_create();
	for (size_t i = 0; i < GUARD_SHARDS; i++) {
		pthread_mutex_init(&g->shards[i].lock, NULL);
	}
	return g;
}

void guard_destroy(struct guard **g)
{
	struct guard *old = *g;
	*g = NULL;
	if (old == NULL) {
		return;
	}
	assert(old->clients == 0);
	for (size_t i = 0; i < GUARD_SHARDS; i++) {
		assert(old->shards[i].entries == NULL); /* whoever entered has left */
		pthread_mutex_destroy(&old->shards[i].lock);
	}
	failures_destroy(&old->failures);
	free(old);
}

/* An entry that is in no table yet. Made outside of the lock. */
static struct guard_entry *entry_create(
	const struct guard *g, enum guard_sort sort, struct span key)
{
	struct guard_entry *e = xmalloc(sizeof *e + 1 + key.n);
	memset(e, 0, sizeof *e);
	e->count = 1;
	e->len = 1 + key.n;
	e->key[0] = (uint8_t)sort;
	for (size_t i = 0; i < key.n; i++) {
		uint8_t c = key.p[i];
		bool is_upper = sort == GUARD_USER && c >= 'A' && c <= 'Z';
		e->key[1 + i] = is_upper ? (uint8_t)(c + ('a' - 'A')) : c;
	}
	e->hash = hash_bytes(g->hash_key, span_of(e->key, e->len));
	return e;
}

static struct guard_shard *shard_of(struct guard *g, const struct guard_entry *e)
{
	return &g->shards[e->hash % GUARD_SHARDS];
}

/* uthash takes 32 bits; the lowest have chosen the shard already. */
static unsigned bucket_hash(const struct guard_entry *e)
{
	return (unsigned)(e->hash >> 32);
}

static struct guard_entry *shard_find(struct guard_shard *shard, const struct guard_entry *like)
{
	struct guard_entry *found;
	HASH_FIND_BYHASHVALUE(hh, shard->entries, like->key, like->len, bucket_hash(like), found);
	return found;
}

/* Counts one in, unless max (0: none) have been. */
static bool count_in(struct guard *g, enum guard_sort sort, struct span key, unsigned max)
{
	struct guard_entry *fresh = entry_create(g, sort, key);
	struct guard_shard *shard = shard_of(g, fresh);
	bool has_room = true;
	pthread_mutex_lock(&shard->lock);
	struct guard_entry *known = shard_find(shard, fresh);
	if (known == NULL) {
		HASH_ADD_KEYPTR_BYHASHVALUE(
			hh, shard->entries, fresh->key, fresh->len, bucket_hash(fresh), fresh);
		fresh = NULL;
	} else {
		assert(known->count > 0);
		has_room = max == 0 || known->count < max;
		known->count += has_room ? 1 : 0;
	}
	pthread_mutex_unlock(&shard->lock);
	free(fresh);
	return has_room;
}

static void count_out(struct guard *g, enum guard_sort sort, struct span key)
{
	struct guard_entry *like = entry_create(g, sort, key);
	struct guard_shard *shard = shard_of(g, like);
	pthread_mutex_lock(&shard->lock);
	struct guard_entry *known = shard_find(shard, like);
	assert(known != NULL && known->count > 0);
	if (--known->count == 0) {
		HASH_DELETE(hh, shard->entries, known);
	} else {
		known = NULL;
	}
	pthread_mutex_unlock(&shard->lock);
	free(known);
	free(like);
}

/*
 * What an address is counted as: all of an IPv4 address, the network of an IPv6 address (a customer owns
 * 2^64 of them, so single ones would be no limit). Empty: not counted (a unix socket).
 */
static struct span prefix_of(const char *address, uint8_t out[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char plain[INET6_ADDRSTRLEN];
	size_t n = strcspn(address, "%"); /* fe80::1%eth0: the zone is no part of the number */
	if (n >= sizeof plain) {
		return span_of(NULL, 0);
	}
	memcpy(plain, address, n);
	plain[n] = '\0';
	if (inet_pton(AF_INET, plain, out) == 1) {
		return span_of(out, 4);
	}
	if (inet_pton(AF_INET6, plain, out) != 1) {
		return span_of(NULL, 0);
	}
	/* ::ffff:192.0.2.1 is how an IPv6 socket names an IPv4 client. */
	return memcmp(out, mapped, sizeof mapped) == 0 ? span_of(out + 12, 4) : span_of(out, 8);
}

/* Exact also when several workers meet at the limit. */
static bool count_client_in(struct guard *g, unsigned max)
{
	unsigned now = atomic_load_explicit(&g->clients, memory_order_relaxed);
	do {
		if (max != 0 && now >= max) {
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&g->clients, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void count_client_out(struct guard *g)
{
	unsigned before = atomic_fetch_sub_explicit(&g->clients, 1, memory_order_relaxed);
	assert(before > 0);
	(void)before;
}

enum fail guard_enter(
	struct guard *g, const char *address, unsigned max_clients, unsigned max_per_address)
{
	uint8_t bytes[16];
	struct span prefix = prefix_of(address, bytes);
	if (!count_client_in(g, max_clients)) {
		return FAIL_LIMIT_CLIENTS;
	}
	if (prefix.n > 0 && !count_in(g, GUARD_ADDRESS, prefix, max_per_address)) {
		count_client_out(g);
		return FAIL_LIMIT_PER_IP;
	}
	return FAIL_NONE;
}

void guard_leave(struct guard *g, const char *address)
{
	uint8_t bytes[16];
	struct span prefix = prefix_of(address, bytes);
	if (prefix.n > 0) {
		count_out(g, GUARD_ADDRESS, prefix);
	}
	count_client_out(g);
}

enum fail guard_enter_user(struct guard *g, struct span user, unsigned max_sessions)
{
	return count_in(g, GUARD_USER, user, max_sessions) ? FAIL_NONE : FAIL_LIMIT_SESSIONS;
}

void guard_leave_user(struct guard *g, struct span user)
{
	count_out(g, GUARD_USER, user);
}

uint64_t guard_failed(struct guard *g, const struct guard_failure *failure, uint64_t now_ms)
{
	uint8_t bytes[16];
	struct span prefix = prefix_of(failure->address, bytes);
	uint64_t digest = failures_digest(g->failures, failure->user, failure->secret);
	uint64_t of_user = failures_add(g->failures, FAILURES_OF_USER, failure->user, digest,
		now_ms, failure->first_ms, failure->most_ms);
	if (prefix.n == 0) {
		return of_user;
	}
	uint64_t of_address = failures_add(g->failures, FAILURES_OF_ADDRESS, prefix, digest, now_ms,
		failure->first_ms, failure->most_ms);
	return of_user > of_address ? of_user : of_address;
}

unsigned guard_clients(const struct guard *g)
{
	return atomic_load_explicit(&g->clients, memory_order_relaxed);
}
