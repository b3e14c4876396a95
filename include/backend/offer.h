/*
 * What a server offers before sign-in, as all workers know it: its capability list, and whether it could be
 * reached the last time anybody tried.
 *
 * One for each server, in its place of the budget (backend/budget.h). Every worker that has read a greeting
 * tells it here, also when it was for a user; backend/probe.c asks when nobody else did. Any thread.
 */
#ifndef IMAPMUX_BACKEND_OFFER_H
#define IMAPMUX_BACKEND_OFFER_H

#include <pthread.h>

#include "base/buf.h"

enum offer_state {
	OFFER_UNKNOWN,     /* nobody has tried yet */
	OFFER_REACHABLE,   /* the list is what it said last */
	OFFER_UNREACHABLE, /* the list is what it said when it was reached last; empty: never */
};

struct offer {
	pthread_mutex_t lock;
	enum offer_state state;
	char *list;        /* NULL: never learnt */
	uint64_t asked_ms; /* when somebody has tried, or begun to probe */
	bool has_been_asked;
	unsigned failures;         /* in a row */
	uint64_t failed_ms;        /* the last of them */
	uint64_t learnt_ms;        /* when the list was read last */
	_Atomic unsigned *version; /* counted up by each change of what can be read */
};

/* version is shared by all offers of a budget and outlives them. */
void offer_init(struct offer *o, _Atomic unsigned *version);
void offer_finish(struct offer *o);

/* Somebody has read its list; or could not get so far. now_ms is a clock that all threads share. True: that
 * is news, because the last one could not get so far; or because the last one could, or nobody had tried. */
bool offer_learn(struct offer *o, struct span list, uint64_t now_ms);
/* since_ms: when that try began. Of tries that went on at the same time only the first failure counts: the
 * others met the same misfortune, and a server that was away for a moment would be left for a minute. One
 * that began before the list was read last tells nothing about the time since. */
bool offer_fail(struct offer *o, uint64_t since_ms, uint64_t now_ms);

/* A server that fails is asked after 1 s, 2 s, 4 s ... and at last once a minute, if not less often. */
#define OFFER_REST_MS     1000
#define OFFER_REST_MAX_MS 60000

/*
 * True: nobody has tried for a period (and what rest a failing server gets), and the caller is the one
 * who does it now. False: wait_ms from now it may be time.
 */
bool offer_claim(struct offer *o, uint64_t now_ms, uint64_t period_ms, uint64_t *wait_ms)
	__attribute__((warn_unused_result));

/* Appends the list; what out's cap has no room for is left out whole. */
enum offer_state offer_read(struct offer *o, struct buf *out);

#endif
