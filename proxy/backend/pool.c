/*
 * The pool as a whole: settings, draining, numbers.
 */
#include "backend/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/inspect.h"
#include "base/alloc.h"
#include "imap/capability.h"
#include "user_priv.h"

static void tell_empty(void *pool)
{
	struct pool *p = pool;
	if (pool_is_empty(p)) {
		p->on_empty(p->on_empty_owner);
	}
}

struct pool *pool_create(struct net_loop *loop, struct counters *counters, struct budget *budget)
{
	struct pool *p = xcalloc(1, sizeof *p);
	p->loop = loop;
	p->counters = counters;
	p->budget = budget;
	p->tag_key = hash_key_random();
	net_task_init(&p->empty, tell_empty, p);
	buf_init(&p->offered, CAPABILITY_LIST_MAX);
	queue_init(p);
	users_init();
	return p;
}

/* Rounded up: the sum may exceed the whole by less than the number of workers. */
static size_t share_of(unsigned whole, unsigned workers)
{
	return (whole + workers - 1) / workers;
}

void pool_configure(
	struct pool *p, struct config *c, struct tls_context *const *tls, unsigned workers)
{
	assert(workers > 0);
	struct config *before = p->config;
	p->config = config_ref(c);
	p->settings = c->pool;
	p->max_parked = share_of(c->pool.max_idle, workers);
	p->max_spares = share_of(c->pool.spares, workers);
	servers_configure(p, tls);
	config_unref(&before);
	LIST_FOREACH_SAFE(node, &p->states[BACKEND_PARKED])
	{
		struct backend *b = LIST_OBJECT(node, struct backend, node);
		if (!c->pool.enabled || b->server->config == NULL) {
			backend_close(b, FAIL_POOL_OFF);
		} else {
			backend_arm_parked(b);
		}
	}
	users_wake(p);
}

void pool_drain(struct pool *p)
{
	p->is_draining = true;
	probe_close_all(p);
	spare_close_all(p);
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
	queue_finish(*p);
	servers_forget(*p);
	config_unref(&(*p)->config);
	assert((*p)->servers.len == 0);
	pool_notes_finish(*p);
	buf_finish(&(*p)->offered);
	free(*p);
	*p = NULL;
}

size_t pool_count(const struct pool *p, enum backend_state state)
{
	assert(state < BACKEND_STATE_COUNT);
	return p->states[state].len;
}
