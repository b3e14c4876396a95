/*
 * The pool as its users see it: loans, settings, draining.
 */
#include "backend/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "backend_priv.h"
#include "base/alloc.h"

static void tell_empty(void *pool)
{
	struct pool *p = pool;
	if (pool_is_empty(p)) {
		p->on_empty(p->on_empty_owner);
	}
}

struct pool *pool_create(struct net_loop *loop, struct counters *counters)
{
	struct pool *p = xcalloc(1, sizeof *p);
	p->loop = loop;
	p->counters = counters;
	p->tag_key = hash_key_random();
	net_task_init(&p->empty, tell_empty, p);
	pool_users_init();
	return p;
}

static void forget_servers(struct pool *p)
{
	for (size_t i = 0; i < p->server_count; i++) {
		free(p->servers[i]);
	}
	free(p->servers);
	p->servers = NULL;
	p->server_count = 0;
}

/* Kept as text: the pool outlives the configuration that its connections were made by. */
static void learn_servers(struct pool *p, const struct config *c)
{
	forget_servers(p);
	p->servers = xcalloc(c->backend_count, sizeof *p->servers);
	p->server_count = c->backend_count;
	for (size_t i = 0; i < c->backend_count; i++) {
		p->servers[i] = pool_server_identity(&c->backends[i]);
	}
}

void pool_configure(struct pool *p, const struct config *c, unsigned workers)
{
	assert(workers > 0);
	p->settings = c->pool;
	learn_servers(p, c);
	/* Rounded up: the sum may exceed max_idle by less than the number of workers. */
	p->max_parked = (c->pool.max_idle + workers - 1) / workers;
	LIST_FOREACH_SAFE(node, &p->states[BACKEND_PARKED])
	{
		struct backend *b = LIST_OBJECT(node, struct backend, node);
		if (!c->pool.enabled || !pool_user_is_kept(b)) {
			backend_close(b, FAIL_POOL_OFF);
		} else {
			backend_arm_parked(b);
		}
	}
}

void pool_drain(struct pool *p)
{
	p->is_draining = true;
	LIST_FOREACH_SAFE(node, &p->states[BACKEND_PARKED])
	{
		backend_close(LIST_OBJECT(node, struct backend, node), FAIL_SHUTDOWN);
	}
	LIST_FOREACH_SAFE(scrubbed, &p->states[BACKEND_SCRUBBING])
	{
		struct backend *b = LIST_OBJECT(scrubbed, struct backend, node);
		if (b->loan == NULL) {
			backend_close(b, FAIL_SHUTDOWN);
		}
	}
}

bool pool_is_empty(const struct pool *p)
{
	for (int s = 0; s < BACKEND_STATE_COUNT; s++) {
		if (p->states[s].len > 0) {
			return false;
		}
	}
	return true;
}

void pool_on_empty(struct pool *p, void (*on_empty)(void *owner), void *owner)
{
	p->on_empty = on_empty;
	p->on_empty_owner = owner;
}

void pool_destroy(struct pool **p)
{
	if (*p == NULL) {
		return;
	}
	assert(pool_is_empty(*p));
	assert((*p)->users == NULL);
	net_task_cancel(&(*p)->empty);
	forget_servers(*p);
	free(*p);
	*p = NULL;
}

static struct loan *make_loan(struct pool *p, const struct pool_request *request,
	const struct loan_events *events, void *owner)
{
	struct loan *l = xcalloc(1, sizeof *l);
	l->pool = p;
	l->events = events;
	l->owner = owner;
	l->server = request->server;
	l->tls = request->tls;
	l->limits = request->limits;
	l->identity = request->identity;
	secret_set(&l->login, request->login);
	l->proof = proof_of(request->is_secure, span_str(l->server->name), request->login,
		request->credentials);
	credentials_move(&l->credentials, request->credentials);
	pool_user_key(l);
	return l;
}

static void lend_parked(struct backend *b, struct loan *l)
{
	b->loan = l;
	l->backend = b;
	uint64_t idle = net_loop_now(b->pool->loop) - b->parked_ms;
	if (idle >= b->pool->settings.check_after) {
		backend_check(b);
		return;
	}
	net_loop_disarm(b->pool->loop, &b->timer);
	backend_move(b, BACKEND_LENT);
	credentials_drop(&l->credentials);
	l->is_ready = true;
	l->is_reused = true;
	counter_add(b->pool->counters, COUNTER_POOL_HITS, 1);
}

struct loan *pool_borrow(struct pool *p, const struct pool_request *request,
	const struct loan_events *events, void *owner)
{
	struct loan *l = make_loan(p, request, events, owner);
	struct backend *parked = p->settings.enabled ? pool_user_find(p, l) : NULL;
	if (parked != NULL) {
		lend_parked(parked, l);
		return l;
	}
	counter_add(p->counters, COUNTER_POOL_MISSES, 1);
	l->backend = backend_create(p, l);
	backend_dial(l->backend);
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

const char *loan_proxy_tag(const struct loan *l)
{
	assert(l->is_ready);
	return l->backend->tag;
}

static void free_loan(struct loan **loan)
{
	struct loan *l = *loan;
	*loan = NULL;
	credentials_drop(&l->credentials);
	secret_drop(&l->login);
	secret_wipe(&l->proof, sizeof l->proof);
	free(l->key);
	free(l);
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

const char *loan_return(struct loan **loan, struct tracker **tracker, enum fail why)
{
	struct backend *b = (*loan)->backend;
	assert((*loan)->is_ready);
	free_loan(loan);
	b->loan = NULL;
	if (tracker == NULL || *tracker == NULL) {
		counter_add(b->pool->counters, COUNTER_POOL_DISCARDED, 1);
		backend_close(b, why);
		return fail_name(why);
	}
	const char *objection = backend_take_back(b, tracker);
	tracker_destroy(tracker);
	return objection;
}

size_t pool_count(const struct pool *p, enum backend_state state)
{
	assert(state < BACKEND_STATE_COUNT);
	return p->states[state].len;
}
