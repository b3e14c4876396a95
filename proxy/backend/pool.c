/*
 * The pool as a whole: settings, draining, numbers.
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

size_t pool_count(const struct pool *p, enum backend_state state)
{
	assert(state < BACKEND_STATE_COUNT);
	return p->states[state].len;
}
