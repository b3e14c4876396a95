/*
 * A loan: what a session asked for, until it has given the connection back.
 *
 * Happy path: pool_borrow, a parked connection fits (loan_take_parked) and the loan is ready; the session
 * uses it; loan_return or loan_give_back.
 * Other ways: none fits: a new one is dialled and signed in (signin.c); a clean one fits and ENABLE
 * comes first (enable.c); it was parked for long and is checked first (park.c). What goes wrong with a
 * connection that was parked is not told: the loan gets a new one.
 */
#include <assert.h>
#include <stdlib.h>

#include "backend_priv.h"
#include "base/alloc.h"

static struct loan *make_loan(struct pool *p, const struct pool_request *request)
{
	struct loan *l = xcalloc(1, sizeof *l);
	l->pool = p;
	l->server = request->server;
	l->tls = request->tls;
	l->limits = request->limits;
	l->identity = request->identity;
	l->is_proved = request->is_proved;
	secret_set(&l->login, request->login);
	l->proof = proof_of(request->is_secure, span_str(l->server->name), request->login,
		request->credentials);
	enabled_init(&l->wanted);
	pool_user_key(l);
	return l;
}

static void free_loan(struct loan **loan)
{
	struct loan *l = *loan;
	*loan = NULL;
	credentials_drop(&l->credentials);
	secret_drop(&l->login);
	secret_wipe(&l->proof, sizeof l->proof);
	buf_finish(&l->wanted);
	free(l->key);
	free(l);
}

const char *pool_known(struct pool *p, const struct pool_request *request)
{
	if (!p->settings.enabled) {
		return NULL;
	}
	struct loan *l = make_loan(p, request);
	const char *capabilities = pool_user_known(p, l);
	free_loan(&l);
	return capabilities;
}

void loan_become_ready(struct loan *l)
{
	struct backend *b = l->backend;
	assert(b->loan == l && !l->is_ready);
	net_loop_disarm(b->pool->loop, &b->timer);
	backend_move(b, BACKEND_LENT);
	credentials_drop(&l->credentials);
	l->is_ready = true;
	l->is_reused = b->parked_ms > 0;
	if (l->is_reused) {
		counter_add(b->pool->counters, COUNTER_POOL_HITS, 1);
	}
}

void loan_fail(struct loan *l, enum fail why, const char *detail)
{
	const struct loan_events *events = l->events;
	void *owner = l->owner;
	l->backend = NULL;
	/* The owner frees the loan by loan_cancel, which is where its memory ends in every case. */
	events->on_failed(owner, why, detail);
}

void loan_dial(struct loan *l)
{
	counter_add(l->pool->counters, COUNTER_POOL_MISSES, 1);
	l->backend = backend_create(l->pool, l);
	backend_dial(l->backend);
}

static void lend_parked(struct backend *b, struct loan *l)
{
	b->loan = l;
	l->backend = b;
	uint64_t idle = net_loop_now(b->pool->loop) - b->parked_ms;
	if (!span_equal(buf_peek(&b->enabled), buf_peek(&l->wanted))) {
		backend_enable(b); /* whose answer is a check, too */
	} else if (idle >= b->pool->settings.check_after) {
		backend_check(b);
	} else {
		loan_become_ready(l);
	}
}

bool loan_take_parked(struct loan *l)
{
	struct pool *p = l->pool;
	if (!p->settings.enabled) {
		return false;
	}
	struct backend *b = pool_user_find(p, l, buf_peek(&l->wanted));
	if (b == NULL && buf_len(&l->wanted) > 0) {
		b = pool_user_find(p, l, span_str(""));
	}
	if (b != NULL) {
		lend_parked(b, l);
	}
	return b != NULL;
}

struct loan *pool_borrow(struct pool *p, const struct pool_request *request,
	const struct loan_events *events, void *owner)
{
	struct loan *l = make_loan(p, request);
	l->events = events;
	l->owner = owner;
	credentials_copy(&l->credentials, request->credentials);
	/* A class is never longer; a text that is none would be nobody's class, and then clean is right. */
	bool is_class = enabled_add(&l->wanted, request->enabled);
	assert(is_class);
	(void)is_class;
	if (!loan_take_parked(l)) {
		loan_dial(l);
	}
	return l;
}

bool loan_is_ready(const struct loan *l)
{
	return l->is_ready;
}

bool loan_is_reused(const struct loan *l)
{
	return l->is_reused;
}

struct stream *loan_stream(const struct loan *l)
{
	assert(l->is_ready);
	return l->backend->stream;
}

struct span loan_capabilities(const struct loan *l)
{
	assert(l->is_ready);
	return span_str(l->backend->capabilities);
}

struct span loan_enabled(const struct loan *l)
{
	assert(l->is_ready);
	return buf_peek(&l->backend->enabled);
}

const char *loan_proxy_tag(const struct loan *l)
{
	assert(l->is_ready);
	return l->backend->tag;
}

void loan_cancel(struct loan **loan)
{
	struct loan *l = *loan;
	if (l == NULL) {
		return;
	}
	struct backend *b = l->backend;
	assert(!l->is_ready);
	free_loan(loan);
	if (b != NULL) {
		b->loan = NULL;
		backend_close(b, FAIL_CLIENT_LEFT);
	}
}

/* The loan ends; the connection goes on. */
static struct backend *end_loan(struct loan **loan)
{
	struct backend *b = (*loan)->backend;
	assert((*loan)->is_ready && b->loan == *loan);
	free_loan(loan);
	b->loan = NULL;
	return b;
}

const char *loan_return(struct loan **loan, struct tracker **tracker, enum fail why)
{
	struct backend *b = end_loan(loan);
	if (tracker == NULL || *tracker == NULL) {
		counter_add(b->pool->counters, COUNTER_POOL_DISCARDED, 1);
		backend_close(b, why);
		return fail_name(why);
	}
	const char *objection = backend_take_back(b, tracker);
	tracker_destroy(tracker);
	return objection;
}

const char *loan_give_back(struct loan **loan, struct span enabled)
{
	struct backend *b = end_loan(loan);
	return backend_give_back(b, enabled);
}
