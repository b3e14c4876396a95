/*
 * The counters of one worker. One writer (the worker), any reader: values are relaxed atomics, so a
 * reader sees each number whole but not a moment in time. What can be counted as the length of a
 * list is not here: only events are.
 */
#ifndef IMAPMUX_BASE_COUNTER_H
#define IMAPMUX_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/*   name, help */
#define COUNTER_LIST(X)                                                                            \
	X(CLIENTS_ACCEPTED, "clients_accepted", "Client connections accepted")                     \
	X(CLIENTS_REFUSED, "clients_refused", "Client connections refused by a limit")             \
	X(SIGNINS_OK, "signins_ok", "Client sign-ins answered OK")                                 \
	X(SIGNINS_FAILED, "signins_failed", "Client sign-ins answered NO")                         \
	X(CARRIED, "carried", "Client connections moved to their home worker")                     \
	X(BACKEND_DIALS, "backend_dials", "Connections opened to servers")                         \
	X(BACKEND_DIAL_FAILURES, "backend_dial_failures", "Connections to servers that failed")    \
	X(POOL_HITS, "pool_hits", "Connections given to sessions that were parked before")         \
	X(POOL_MISSES, "pool_misses", "Sessions for which a connection had to be opened")          \
	X(POOL_HITS_ENABLED, "pool_hits_enabled",                                                  \
		"Of the hits: with something enabled on the connection")                           \
	X(POOL_KNOWN, "pool_known", "Sign-ins answered by a proof, without a connection")          \
	X(POOL_MISS_UNPROVED, "pool_miss_unproved", "Misses: credential not proved before")        \
	X(POOL_MISS_EXPIRED, "pool_miss_expired", "Misses: proof older than credential_ttl")       \
	X(POOL_MISS_NONE, "pool_miss_none", "Misses: proved, but nothing parked")                  \
	X(POOL_MISS_CLASS, "pool_miss_class", "Misses: parked only with other things enabled")     \
	X(POOL_MISS_BROKEN, "pool_miss_broken", "Misses: the parked one was of no use any more")   \
	X(POOL_ENABLES, "pool_enables", "ENABLE sent for a session before its connection is lent") \
	X(POOL_SPARES_OPENED, "pool_spares_opened", "Connections opened ahead, before sign-in")    \
	X(POOL_SPARES_USED, "pool_spares_used", "Sign-ins on a connection that was opened ahead")  \
	X(POOL_UNAUTHENTICATED, "pool_unauthenticated",                                            \
		"Connections left by a user and kept for any other")                               \
	X(POOL_WAITED, "pool_waited", "Sessions that had to wait for a connection")                \
	X(POOL_WAIT_MS, "pool_wait_ms", "Milliseconds waited for connections, in all")             \
	X(POOL_WAIT_TIMEOUTS, "pool_wait_timeouts", "Sessions that waited for queue_timeout")      \
	X(POOL_PURGED, "pool_purged", "Proofs forgotten: refused, replaced, or flushed")           \
	X(POOL_PARKED, "pool_parked", "Connections parked after a session")                        \
	X(POOL_DISCARDED, "pool_discarded", "Connections closed instead of parked")                \
	X(POOL_DISCARD_DIRTY, "pool_discard_dirty",                                                \
		"Discarded: the session did what cannot be undone")                                \
	X(POOL_DISCARD_BARRIER, "pool_discard_barrier",                                            \
		"Discarded: not quiet, or not proved clean")                                       \
	X(POOL_DISCARD_RULE, "pool_discard_rule",                                                  \
		"Discarded: too old, changed, purged, or nothing is kept")                         \
	X(POOL_DISCARD_ENDED, "pool_discard_ended", "Discarded: ended together with the session")  \
	X(POOL_EVICTED, "pool_evicted", "Parked connections closed by the proxy")                  \
	X(POOL_EVICTED_AGE, "pool_evicted_age", "Evicted: idle_timeout or max_lifetime is over")   \
	X(POOL_EVICTED_FULL, "pool_evicted_full", "Evicted: more than the caps allow")             \
	X(POOL_EVICTED_WANTED, "pool_evicted_wanted", "Evicted: somebody waited")                  \
	X(POOL_EVICTED_PURGED, "pool_evicted_purged",                                              \
		"Evicted: the proof of its password is void, or an operator flushed")              \
	X(POOL_EVICTED_OFF, "pool_evicted_off", "Evicted: a reload took its place, or the end")    \
	X(POOL_LOST, "pool_lost", "Parked connections that the server ended, or spoke on")         \
	X(BYTES_TO_CLIENTS, "bytes_to_clients", "Bytes relayed to clients")                        \
	X(BYTES_TO_SERVERS, "bytes_to_servers", "Bytes relayed to servers")

enum counter {
#define COUNTER_ENUM(code, name, help) COUNTER_##code,
	COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
		COUNTER_COUNT
};

struct counters {
	_Atomic uint64_t value[COUNTER_COUNT];
};

/* Adds; only the owning worker. */
static inline void counter_add(struct counters *c, enum counter which, uint64_t n)
{
	uint64_t old = atomic_load_explicit(&c->value[which], memory_order_relaxed);
	atomic_store_explicit(&c->value[which], old + n, memory_order_relaxed);
}

/* Reads; any thread. */
static inline uint64_t counter_get(const struct counters *c, enum counter which)
{
	return atomic_load_explicit(&c->value[which], memory_order_relaxed);
}

/* "pool_hits" and its help text. */
const char *counter_name(enum counter which);
const char *counter_help(enum counter which);

#endif
