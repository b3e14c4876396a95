#include "backend/budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

struct budget {
	pthread_mutex_t lock;
	struct list places; /* a proxy has few servers: a list will do */
	_Atomic unsigned offers_version;
};

struct budget_place {
	struct list_node node;
	char *server;
	unsigned refs; /* under the lock */
	_Atomic unsigned taken;
	_Atomic unsigned waiting;
	struct offer offer;
};

struct budget *budget_create(void)
{
	struct budget *b = xcalloc(1, sizeof *b);
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void budget_destroy(struct budget **b)
{
	struct budget *old = *b;
	*b = NULL;
	if (old == NULL) {
		return;
	}
	assert(old->places.len == 0);
	pthread_mutex_destroy(&old->lock);
	free(old);
}

static struct budget_place *find(struct budget *b, const char *server)
{
	for (struct list_node *node = b->places.first; node != NULL; node = node->next) {
		struct budget_place *p = LIST_OBJECT(node, struct budget_place, node);
		if (strcmp(p->server, server) == 0) {
			return p;
		}
	}
	return NULL;
}

struct budget_place *budget_enter(struct budget *b, const char *server)
{
	pthread_mutex_lock(&b->lock);
	struct budget_place *p = find(b, server);
	if (p == NULL) {
		p = xcalloc(1, sizeof *p);
		p->server = xstrdup(server);
		offer_init(&p->offer, &b->offers_version);
		list_push_back(&b->places, &p->node);
	}
	p->refs++;
	pthread_mutex_unlock(&b->lock);
	return p;
}

void budget_leave(struct budget *b, struct budget_place **p)
{
	struct budget_place *old = *p;
	*p = NULL;
	pthread_mutex_lock(&b->lock);
	assert(old->refs > 0);
	bool is_last = --old->refs == 0;
	if (is_last) {
		assert(old->taken == 0 && old->waiting == 0);
		list_remove(&old->node);
	}
	pthread_mutex_unlock(&b->lock);
	if (is_last) {
		offer_finish(&old->offer);
		free(old->server);
		free(old);
	}
}

/* Exact also when several workers meet at the limit. */
bool budget_take(struct budget_place *p, unsigned max)
{
	unsigned now = atomic_load_explicit(&p->taken, memory_order_relaxed);
	do {
		if (max != 0 && now >= max) {
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&p->taken, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void count_down(_Atomic unsigned *count)
{
	unsigned before = atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
	assert(before > 0);
	(void)before;
}

void budget_give(struct budget_place *p)
{
	count_down(&p->taken);
}

unsigned budget_taken(const struct budget_place *p)
{
	return atomic_load_explicit(&p->taken, memory_order_relaxed);
}

void budget_wait(struct budget_place *p)
{
	atomic_fetch_add_explicit(&p->waiting, 1, memory_order_relaxed);
}

void budget_wait_no_more(struct budget_place *p)
{
	count_down(&p->waiting);
}

unsigned budget_waiting(const struct budget_place *p)
{
	return atomic_load_explicit(&p->waiting, memory_order_relaxed);
}

struct offer *budget_offer(struct budget_place *p)
{
	return &p->offer;
}

unsigned budget_offers_version(const struct budget *b)
{
	return atomic_load_explicit(&b->offers_version, memory_order_acquire);
}
