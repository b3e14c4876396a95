/*
 * A loan: what a session asked for, until it has given the connection back.
 *
 * Happy path: pool_borrow, a parked connection fits (loan_take_parked) and the loan is ready; the session
 * uses it; loan_return or loan_give_back.
 * Other ways: none fits: a new one is dialled and signed in (signin.c), or, where there is no room for
 * one, waited for (queue.c); a clean one fits and ENABLE comes first (enable.c); it was parked for long
 * and is checked first (park.c). What goes wrong with a connection that was parked is not told: the
 * loan gets a new one.
 */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "backend/budget.h"
#include "backend/inspect.h"
#include "base/alloc.h"
#include "imap/jwt.h"
#include "user_priv.h"

/* Of a token, on the clock of the loop; UINT64_MAX: nothing says when. */
static uint64_t expiry_of(const struct pool *p, const struct credentials *token)
{
	struct timespec today;
	clock_gettime(CLOCK_REALTIME, &today);
	uint64_t expiry_s = jwt_expiry(secret_span(&token->password));
	uint64_t now_s = (uint64_t)today.tv_sec;
	uint64_t left_s = expiry_s > now_s ? expiry_s - now_s : 0;
	if (left_s > UINT32_MAX) {
		return UINT64_MAX;
	}
	/* Whole seconds count: not the part of this one that is over. */
	uint64_t left_ms = left_s * 1000;
	uint64_t over_ms = (uint64_t)today.tv_nsec / 1000000;
	return net_loop_now(p->loop) + (left_ms > over_ms ? left_ms - over_ms : 0);
}

/* What is to be known of the credential: all that known_is_fresh looks at. */
static void take_proof(struct wish *w, struct pool *p, const struct pool_request *request)
{
	const struct credentials *credentials = request->credentials;
	struct span server = span_str(request->server->name);
	w->proof = proof_of(request->is_secure, server, request->login, credentials);
	if (p->settings.separate_addresses) {
		w->proof = proof_at(&w->proof, span_str(request->identity.client_address));
	}
	w->kind = proof_kind_of(credentials);
	w->expires_ms = w->kind == PROOF_TOKEN ? expiry_of(p, credentials) : UINT64_MAX;
}

struct proof loan_secret(const struct loan *l)
{
	const struct wish *w = l->wish;
	return proof_of_password(
		span_str(w->config->name), secret_span(&w->login), &w->credentials);
}

static struct wish *make_wish(
	struct pool *p, const struct pool_server *server, const struct pool_request *request)
{
	struct wish *w = xcalloc(1, sizeof *w);
	w->config = request->server;
	w->tls = request->tls;
	w->limits = request->limits;
	w->identity = request->identity;
	secret_set(&w->login, request->login);
	secret_set(&w->signer, request->signer);
	credentials_copy(&w->credentials, request->credentials);
	take_proof(w, p, request);
	enabled_init(&w->class);
	/* A class is never longer; a text that is none would be nobody's class, and then clean is right. */
	bool is_class = enabled_add(&w->class, request->enabled);
	assert(is_class);
	(void)is_class;
	struct buf key;
	user_key(&key, server, request);
	w->key_len = buf_len(&key);
	w->key = xmemdup0(buf_peek(&key).p, w->key_len);
	buf_finish(&key);
	return w;
}

static void drop_wish(struct loan *l)
{
	struct wish *w = l->wish;
	l->wish = NULL;
	if (w == NULL) {
		return;
	}
	credentials_drop(&w->credentials);
	secret_drop(&w->login);
	secret_drop(&w->signer);
	secret_wipe(&w->proof, sizeof w->proof);
	buf_finish(&w->class);
	free(w->key);
	free(w);
}

static struct loan *make_loan(struct pool *p, const struct pool_request *request)
{
	struct loan *l = xcalloc(1, sizeof *l);
	l->pool = p;
	l->is_proved = request->is_proved;
	l->server = server_find(p, request->server);
	l->wish = make_wish(p, l->server, request);
	return l;
}

static void free_loan(struct loan **loan)
{
	struct loan *l = *loan;
	*loan = NULL;
	drop_wish(l);
	user_release(l->user);
	server_unref(l->server);
	free(l);
}

const char *pool_known(struct pool *p, const struct pool_request *request)
{
	if (!p->settings.enabled) {
		return NULL;
	}
	struct pool_server *server = server_find(p, request->server);
	struct wish wish = {0};
	struct buf key;
	take_proof(&wish, p, request);
	user_key(&key, server, request);
	const char *capabilities = user_known(p, buf_peek(&key), &wish);
	if (capabilities != NULL) {
		counter_add(p->counters, COUNTER_POOL_KNOWN, 1);
	}
	buf_finish(&key);
	secret_wipe(&wish.proof, sizeof wish.proof);
	server_unref(server);
	return capabilities;
}

void loan_become_ready(struct loan *l)
{
	struct backend *b = l->backend;
	assert(b->loan == l && !l->is_ready);
	net_loop_disarm(b->pool->loop, &b->timer);
	backend_move(b, BACKEND_LENT);
	queue_leave(l);
	drop_wish(l);
	l->is_ready = true;
	if (l->user->waiting.len > 0) {
		/* Whoever waits could not ask for this connection before. */
		queue_wake(b->pool, l->user);
	}
	l->is_reused = b->parked_ms > 0;
	if (l->is_reused) {
		counter_add(b->pool->counters, COUNTER_POOL_HITS, 1);
		pool_note(b->pool, b->server->name, POOL_EVENT_HIT, FAIL_NONE);
	}
	if (l->is_reused && buf_len(&b->enabled) > 0) {
		counter_add(b->pool->counters, COUNTER_POOL_HITS_ENABLED, 1);
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

static void lend_parked(struct backend *b, struct loan *l)
{
	b->loan = l;
	l->backend = b;
	uint64_t idle = net_loop_now(b->pool->loop) - b->parked_ms;
	if (!span_equal(buf_peek(&b->enabled), buf_peek(&l->wish->class))) {
		backend_enable(b); /* whose answer is a check, too */
	} else if (idle >= b->pool->settings.check_after) {
		backend_check(b);
	} else {
		loan_become_ready(l);
	}
}

static bool take_parked(struct loan *l)
{
	if (!l->pool->settings.enabled || l->needs_new) {
		return false;
	}
	struct backend *b = user_find_parked(l->user, l, buf_peek(&l->wish->class));
	struct backend *soon = b == NULL ? user_find_scrubbed(l->user, l) : NULL;
	if (soon != NULL) {
		/* A webmail's next page comes right behind the one before. */
		soon->loan = l;
		l->backend = soon;
		return true;
	}
	if (b == NULL && buf_len(&l->wish->class) > 0) {
		b = user_find_parked(l->user, l, span_str(""));
	}
	if (b != NULL) {
		lend_parked(b, l);
	}
	return b != NULL;
}

/* Why nothing that is parked was of use. */
static enum counter miss_of(const struct loan *l)
{
	if (l->needs_new) {
		return COUNTER_POOL_MISS_BROKEN;
	}
	if (!known_is(l->user, l)) {
		return COUNTER_POOL_MISS_UNPROVED;
	}
	if (!l->is_proved && !known_is_fresh(l->user, l->wish)) {
		return COUNTER_POOL_MISS_EXPIRED;
	}
	bool is_other = user_has_other_class(l->user, l);
	return is_other ? COUNTER_POOL_MISS_CLASS : COUNTER_POOL_MISS_NONE;
}

/* Once a loan, also when its connection has to be replaced. */
static void count_miss(struct loan *l)
{
	if (l->is_missed) {
		return;
	}
	l->is_missed = true;
	counter_add(l->pool->counters, COUNTER_POOL_MISSES, 1);
	counter_add(l->pool->counters, miss_of(l), 1);
	pool_note(l->pool, l->server->name, POOL_EVENT_MISS, FAIL_NONE);
}

enum served loan_serve(struct loan *l)
{
	struct pool_server *s = l->server;
	assert(l->backend == NULL && !l->is_ready);
	if (take_parked(l)) {
		return SERVED;
	}
	/* The server counts what it has not let go of yet. */
	bool is_too_early = l->has_retried && l->user->leaving > 0;
	if (is_too_early || !user_has_room(l->user, l)) {
		return BLOCKED_BY_USER;
	}
	bool may_take = queue_may_take(l->user);
	if (may_take && spare_take(l)) {
		count_miss(l);
		return SERVED;
	}
	if (!may_take || !budget_take(s->place, s->max_connections)) {
		return BLOCKED_BY_SERVER;
	}
	count_miss(l);
	l->backend = backend_create(s, l);
	backend_dial(l->backend);
	return SERVED;
}

void loan_again(struct loan *l)
{
	assert(!l->is_ready);
	l->backend = NULL;
	l->needs_new = true;
	queue_join_first(l);
}

struct loan *pool_borrow(struct pool *p, const struct pool_request *request,
	const struct loan_events *events, void *owner)
{
	struct loan *l = make_loan(p, request);
	l->events = events;
	l->owner = owner;
	l->user = user_enter(p, l);
	/* Who waits already goes first. */
	if (l->user->waiting.len > 0 || loan_serve(l) != SERVED) {
		queue_join(l);
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
	return span_str(l->backend->capabilities->text);
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
	queue_leave(l);
	free_loan(loan);
	if (b != NULL) {
		b->loan = NULL;
		backend_close(b, FAIL_CLIENT_LEFT);
	}
}

void loan_respond(struct loan *l, struct span line)
{
	assert(!l->is_ready && l->backend != NULL);
	backend_respond(l->backend, line);
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
		counter_add(b->pool->counters, COUNTER_POOL_DISCARD_ENDED, 1);
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
