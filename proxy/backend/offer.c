#include "backend/offer.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"

void offer_init(struct offer *o, _Atomic unsigned *version)
{
	*o = (struct offer){.version = version};
	pthread_mutex_init(&o->lock, NULL);
}

void offer_finish(struct offer *o)
{
	free(o->list);
	pthread_mutex_destroy(&o->lock);
}

/* Under the lock. Who sees the new version finds the new list behind the lock. */
static void changed(struct offer *o)
{
	atomic_fetch_add_explicit(o->version, 1, memory_order_release);
}

static void asked(struct offer *o, uint64_t now_ms)
{
	o->has_been_asked = true;
	/* Clocks of two workers differ by a turn of the loop. */
	o->asked_ms = now_ms > o->asked_ms ? now_ms : o->asked_ms;
}

bool offer_learn(struct offer *o, struct span list, uint64_t now_ms)
{
	pthread_mutex_lock(&o->lock);
	bool is_news = o->state == OFFER_UNREACHABLE;
	bool is_same = o->state == OFFER_REACHABLE && span_is(list, o->list);
	asked(o, now_ms);
	o->failures = 0;
	o->learnt_ms = now_ms;
	if (!is_same) {
		free(o->list);
		o->list = xmemdup0(list.p, list.n);
		o->state = OFFER_REACHABLE;
		changed(o);
	}
	pthread_mutex_unlock(&o->lock);
	return is_news;
}

bool offer_fail(struct offer *o, uint64_t since_ms, uint64_t now_ms)
{
	pthread_mutex_lock(&o->lock);
	bool is_old = o->state == OFFER_REACHABLE && since_ms < o->learnt_ms;
	bool is_news = o->state != OFFER_UNREACHABLE && !is_old;
	asked(o, now_ms);
	if (!is_old && (o->failures == 0 || since_ms > o->failed_ms)) {
		o->failures++;
		o->failed_ms = now_ms;
	}
	if (is_news) {
		o->state = OFFER_UNREACHABLE;
		changed(o);
	}
	pthread_mutex_unlock(&o->lock);
	return is_news;
}

static uint64_t rest_of(const struct offer *o)
{
	uint64_t rest = o->failures > 0 ? OFFER_REST_MS : 0;
	for (unsigned i = 1; i < o->failures && rest < OFFER_REST_MAX_MS; i++) {
		rest *= 2;
	}
	return rest < OFFER_REST_MAX_MS ? rest : OFFER_REST_MAX_MS;
}

bool offer_claim(struct offer *o, uint64_t now_ms, uint64_t period_ms, uint64_t *wait_ms)
{
	assert(period_ms > 0);
	pthread_mutex_lock(&o->lock);
	uint64_t gone = now_ms > o->asked_ms ? now_ms - o->asked_ms : 0;
	uint64_t rest = rest_of(o);
	uint64_t due = period_ms > rest ? period_ms : rest;
	bool is_mine = !o->has_been_asked || gone >= due;
	if (is_mine) {
		asked(o, now_ms);
	} else {
		*wait_ms = due - gone;
	}
	pthread_mutex_unlock(&o->lock);
	return is_mine;
}

enum offer_state offer_read(struct offer *o, struct buf *out)
{
	pthread_mutex_lock(&o->lock);
	enum offer_state state = o->state;
	if (o->list != NULL) {
		(void)!buf_add_str(out, o->list);
	}
	pthread_mutex_unlock(&o->lock);
	return state;
}
