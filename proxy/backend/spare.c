/*
 * Spares: connections that wait before sign-in, TCP and TLS done, greeting and capabilities read. They
 * belong to nobody; a first sign-in takes one and saves all the round trips before it.
 *
 * Happy path: spare_plan, refill dials one for nobody, spare_ready; spare_take gives it to a loan, and ID
 * with that client's address goes out before the sign-in; refill opens the next.
 * Brake: one dial at a time for each server and worker; after failures none for a while, twice as long
 * each time; none while somebody waits for a connection to the server. A spare is closed before the
 * server would do it (POOL_SPARE_AGE_MS), and when the server or its settings have changed.
 */
#include <assert.h>

#include "backend/budget.h"
#include "backend/inspect.h"
#include "user_priv.h"

/* After the first failure, and at most: a server that is down is asked by its users anyway. */
#define SPARE_REST_MS     1000
#define SPARE_REST_MAX_MS 60000
/* The next one waits until this sign-in has probably passed: its handshake would compete with it here and at
 * the server. Once begun, refilling goes on without a pause. */
#define SPARE_PAUSE_MS 50
/* A server that closes a spare so soon does not want any: that counts as a failure. */
#define SPARE_YOUNG_MS 1000

static uint64_t now_of(const struct pool_server *s)
{
	return net_loop_now(s->pool->loop);
}

static void close_list(struct list *list, enum fail why)
{
	LIST_FOREACH_SAFE(node, list)
	{
		struct backend *b = LIST_OBJECT(node, struct backend, server_node);
		if (b->loan == NULL) {
			backend_close(b, why);
		}
	}
}

static const enum backend_state on_their_way[] = {
	BACKEND_DIALING, BACKEND_HANDSHAKE, BACKEND_SIGNIN};
enum { WAYS = sizeof on_their_way / sizeof on_their_way[0] };

/* What is being opened for nobody. */
static void stop_opening(struct pool_server *s, enum fail why)
{
	for (size_t i = 0; i < WAYS; i++) {
		close_list(&s->states[on_their_way[i]], why);
	}
}

static bool is_opening(const struct pool_server *s)
{
	for (size_t i = 0; i < WAYS; i++) {
		const struct list *list = &s->states[on_their_way[i]];
		for (struct list_node *node = list->first; node != NULL; node = node->next) {
			if (LIST_OBJECT(node, struct backend, server_node)->loan == NULL) {
				return true;
			}
		}
	}
	return false;
}

static size_t wanted_at(const struct pool_server *s)
{
	const struct pool *p = s->pool;
	/* With a PROXY header a connection is somebody's from its first byte. */
	bool is_off = s->config == NULL || s->config->send_proxy > 0 || p->is_draining ||
		      !p->settings.enabled;
	return is_off ? 0 : p->max_spares;
}

static void plan_in(struct pool_server *s, uint64_t delay_ms)
{
	net_loop_arm(s->pool->loop, &s->refill, delay_ms);
}

void spare_plan(struct pool_server *s)
{
	if (s->states[BACKEND_SPARE].len >= wanted_at(s) || wheel_is_armed(&s->refill)) {
		return;
	}
	uint64_t now = now_of(s);
	plan_in(s, now < s->rested_ms ? s->rested_ms - now : 0);
}

/* Opens one, or sees that it is not the time for it. */
static void refill(void *owner)
{
	struct pool_server *s = owner;
	uint64_t now = now_of(s);
	if (s->states[BACKEND_SPARE].len >= wanted_at(s) || is_opening(s)) {
		return;
	}
	if (now < s->rested_ms) {
		plan_in(s, s->rested_ms - now);
		return;
	}
	if (budget_waiting(s->place) > 0 || !budget_take(s->place, s->max_connections)) {
		plan_in(s, SPARE_REST_MS);
		return;
	}
	counter_add(s->pool->counters, COUNTER_POOL_SPARES_OPENED, 1);
	backend_dial(backend_create(s, NULL));
}

void spare_init(struct pool_server *s)
{
	wheel_timer_init(&s->refill, refill, s);
}

void spare_configure(struct pool_server *s)
{
	struct list *spares = &s->states[BACKEND_SPARE];
	stop_opening(s, FAIL_POOL_OFF);
	while (spares->len > wanted_at(s)) {
		backend_close(
			LIST_OBJECT(spares->first, struct backend, server_node), FAIL_POOL_OFF);
	}
	/* Other certificates, another day: what failed before may succeed now. */
	spare_server_well(s);
}

void spare_close_all(struct pool *p)
{
	assert(p->is_draining);
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		net_loop_disarm(p->loop, &s->refill);
		stop_opening(s, FAIL_SHUTDOWN);
		close_list(&s->states[BACKEND_SPARE], FAIL_SHUTDOWN);
	}
}

void spare_server_failed(struct pool_server *s)
{
	uint64_t rest = SPARE_REST_MS;
	for (unsigned i = 0; i < s->failures && rest < SPARE_REST_MAX_MS; i++) {
		rest *= 2;
	}
	s->failures++;
	s->rested_ms = now_of(s) + (rest < SPARE_REST_MAX_MS ? rest : SPARE_REST_MAX_MS);
}

void spare_server_well(struct pool_server *s)
{
	if (s->failures > 0) {
		s->failures = 0;
		s->rested_ms = 0;
		net_loop_disarm(s->pool->loop, &s->refill);
	}
	spare_plan(s);
}

void spare_ready(struct backend *b)
{
	struct pool *p = b->pool;
	assert(b->loan == NULL);
	if (b->state == BACKEND_SPARE) {
		return; /* it has said something that does not matter */
	}
	pool_note(p, b->server->name, POOL_EVENT_UP, FAIL_NONE);
	backend_move(b, BACKEND_SPARE);
	b->is_spare = true;
	b->config = NULL;
	b->tls = NULL;
	b->limits = NULL;
	b->parked_ms = net_loop_now(p->loop);
	uint64_t age = b->parked_ms - b->created_ms;
	uint64_t left = age < p->settings.max_lifetime ? p->settings.max_lifetime - age : 0;
	net_loop_arm(p->loop, &b->timer, left < POOL_SPARE_AGE_MS ? left : POOL_SPARE_AGE_MS);
	spare_plan(b->server);
	queue_wake(p, NULL);
	/* Those that others have left are kept like what is parked. */
	struct list *spares = &p->states[BACKEND_SPARE];
	size_t most = p->max_parked + p->max_spares * p->servers.len;
	while (spares->len > 0 && spares->len + p->states[BACKEND_PARKED].len > most) {
		backend_close(LIST_OBJECT(spares->first, struct backend, node), FAIL_POOL_FULL);
	}
}

size_t spares_flush(struct pool *p, const char *server)
{
	size_t closed = 0;
	LIST_FOREACH_SAFE(node, &p->states[BACKEND_SPARE])
	{
		struct backend *b = LIST_OBJECT(node, struct backend, node);
		if (server == NULL || strcmp(b->server->name, server) == 0) {
			backend_close(b, FAIL_POOL_FLUSHED);
			closed++;
		}
	}
	return closed;
}

void spare_broken(struct backend *b, enum fail why)
{
	struct pool_server *s = b->server;
	assert(b->loan == NULL);
	bool was_spare = b->state == BACKEND_SPARE;
	if (!was_spare) {
		counter_add(b->pool->counters, COUNTER_BACKEND_DIAL_FAILURES, 1);
		pool_note(b->pool, s->name, POOL_EVENT_FAILED, why);
	}
	if (!was_spare || now_of(s) - b->parked_ms < SPARE_YOUNG_MS) {
		spare_server_failed(s);
	} else {
		spare_server_well(s);
	}
	/* When it has gone, the next one is planned. */
	backend_close(b, why);
}

bool spare_take(struct loan *l)
{
	/* The newest: the others are nearer to their end, and need not be replaced one by one. */
	struct list_node *node = l->server->states[BACKEND_SPARE].last;
	if (node == NULL || l->needs_new) {
		return false;
	}
	struct backend *b = LIST_OBJECT(node, struct backend, server_node);
	struct pool *p = b->pool;
	b->loan = l;
	l->backend = b;
	b->parked_ms = 0;
	user_take(b, l);
	backend_move(b, BACKEND_SIGNIN);
	net_loop_arm(p->loop, &b->timer, l->wish->limits->signin_timeout);
	/* Not from inside the call that asks: the dialogue may fail at once. */
	net_loop_defer(p->loop, &b->start);
	counter_add(p->counters, COUNTER_POOL_SPARES_USED, 1);
	if (!wheel_is_armed(&l->server->refill)) {
		plan_in(l->server, SPARE_PAUSE_MS);
	}
	return true;
}
