/*
 * Two tables of fixed size behind a few locks. A slot holds a keyed hash instead of the name or the address
 * (2^-64 is the chance that two meet in one), so that all slots have one size and a shard is searched
 * in a row: only failures come here, never a sign-in that went well.
 */
#include "client/failures.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

struct failures_slot {
	uint64_t hash;                      /* 0: free */
	uint64_t since_ms;                  /* of the last new failure, or of the last step back */
	uint64_t digests[FAILURES_DIGESTS]; /* a ring */
	uint8_t level;                      /* 0: all is forgiven */
	uint8_t next;                       /* in the ring */
};

struct failures_shard {
	pthread_mutex_t lock;
	struct failures_slot slots[FAILURES_SLOTS];
};

struct failures {
	struct hash_key key;
	struct failures_shard shards[FAILURES_SORTS][FAILURES_SHARDS];
};

struct failures *failures_create(void)
{
	/* Zeroed pages that nobody has touched cost nothing. */
	struct failures *f = xcalloc(1, sizeof *f);
	f->key = hash_key_random();
	for (size_t sort = 0; sort < FAILURES_SORTS; sort++) {
		for (size_t i = 0; i < FAILURES_SHARDS; i++) {
			pthread_mutex_init(&f->shards[sort][i].lock, NULL);
		}
	}
	return f;
}

void failures_destroy(struct failures **f)
{
	struct failures *old = *f;
	*f = NULL;
	if (old == NULL) {
		return;
	}
	for (size_t sort = 0; sort < FAILURES_SORTS; sort++) {
		for (size_t i = 0; i < FAILURES_SHARDS; i++) {
			pthread_mutex_destroy(&old->shards[sort][i].lock);
		}
	}
	free(old);
}

uint64_t failures_digest(const struct failures *f, struct span user, struct span secret)
{
	if (secret.n == 0) {
		return 0;
	}
	/* Hashed apart, so that "ab" + "c" is not "a" + "bc". */
	uint64_t parts[2] = {hash_bytes_nocase(f->key, user), hash_bytes(f->key, secret)};
	uint64_t digest = hash_bytes(f->key, span_of(parts, sizeof parts));
	return digest != 0 ? digest : 1;
}

/* Steps back for the time that has gone by. */
static void decay(struct failures_slot *s, uint64_t now_ms)
{
	/* Clocks of two workers differ by a turn of the loop. */
	uint64_t gone = now_ms > s->since_ms ? now_ms - s->since_ms : 0;
	uint64_t steps = gone / FAILURES_DECAY_MS;
	if (steps >= s->level) {
		s->level = 0;
		return;
	}
	s->level = (uint8_t)(s->level - steps);
	s->since_ms += steps * FAILURES_DECAY_MS;
}

static bool is_weaker(const struct failures_slot *a, const struct failures_slot *b)
{
	return a->level != b->level ? a->level < b->level : a->since_ms < b->since_ms;
}

/* The slot of the hash; when there is none, a free one or the weakest, which hands on its level. */
static struct failures_slot *slot_of(struct failures_shard *shard, uint64_t hash, uint64_t now_ms)
{
	struct failures_slot *weakest = NULL;
	for (size_t i = 0; i < FAILURES_SLOTS; i++) {
		struct failures_slot *s = &shard->slots[i];
		decay(s, now_ms);
		if (s->hash == hash) {
			return s;
		}
		if (weakest == NULL || is_weaker(s, weakest)) {
			weakest = s;
		}
	}
	*weakest = (struct failures_slot){.hash = hash, .level = weakest->level};
	return weakest;
}

/* False: this very password has failed before. */
static bool is_new(struct failures_slot *s, uint64_t digest)
{
	for (size_t i = 0; i < FAILURES_DIGESTS; i++) {
		if (digest != 0 && s->digests[i] == digest) {
			return false;
		}
	}
	if (digest != 0) {
		s->digests[s->next] = digest;
		s->next = (uint8_t)((s->next + 1) % FAILURES_DIGESTS);
	}
	return true;
}

static uint64_t delay_of(unsigned level, uint64_t first_ms, uint64_t longest_ms)
{
	uint64_t delay = first_ms;
	for (unsigned i = 1; i < level && delay < longest_ms; i++) {
		delay *= 2; /* longest_ms is a configured time: far from overflow */
	}
	/* A longest delay below the first one says: never longer than the first. */
	return delay > longest_ms && longest_ms >= first_ms ? longest_ms : delay;
}

uint64_t failures_add(struct failures *f, enum failures_of sort, struct span key, uint64_t digest,
	uint64_t now_ms, uint64_t first_ms, uint64_t longest_ms)
{
	assert(sort < FAILURES_SORTS);
	if (first_ms == 0) {
		return 0;
	}
	uint64_t hash =
		sort == FAILURES_OF_USER ? hash_bytes_nocase(f->key, key) : hash_bytes(f->key, key);
	hash = hash != 0 ? hash : 1;
	struct failures_shard *shard = &f->shards[sort][hash % FAILURES_SHARDS];
	pthread_mutex_lock(&shard->lock);
	struct failures_slot *s = slot_of(shard, hash, now_ms);
	if (is_new(s, digest)) {
		s->level += s->level < FAILURES_LEVEL_MAX ? 1 : 0;
		s->since_ms = now_ms;
	}
	unsigned level = s->level;
	pthread_mutex_unlock(&shard->lock);
	assert(level <= FAILURES_LEVEL_MAX);
	return delay_of(level, first_ms, longest_ms);
}
