/*
 * Who waits for a connection, and how room is made.
 *
 * A loan that finds neither a fitting parked connection nor room for a new one joins the queue of its
 * user. Two things may be in the way: the user has max_per_user connections; then only he waits, until
 * one of his is parked or gone. Or the server has max_connections; then the user takes his turn with all
 * others who wait for it, one connection a turn. So a user's queue never delays another's.
 *
 * Of one user's loans those with a proved credential go first, in their order: strangers who try passwords
 * do not hold him up.
 *
 * Happy path: queue_join; something changes (a connection was parked, has gone, a credential was proved,
 * the loan before was served): queue_wake; at the end of the turn the queue is served in order.
 * Making room: parked connections of the same user, or the oldest of anybody's at that server, are
 * evicted; sessions that hold one are told that somebody waits (on_wanted); other workers are asked to do
 * the same (on_scarce), and tell in the same way when they have given one back.
 * Failure way: queue_timeout passes, and the loan fails with a text that says why.
 */
#include <assert.h>

#include "backend/budget.h"
#include "user_priv.h"

/* Other workers tell what they give back. Should that be lost on the way, and for the sessions that are
 * still to be asked: short beside queue_timeout, long beside a turn. */
#define QUEUE_RETRY_MS 50
/* Sessions that are told at once that a connection to their server is wanted: which of them can give one
 * is not known here, and at each retry the next are told. */
#define QUEUE_ASK_AT_ONCE 16
/* A loan whose connection was of no use waits so long at least: others may have to be gone first. */
#define QUEUE_AGAIN_MS (UINT64_C(2) * POOL_LINGER_MS)

void queue_wake(struct pool *p, struct pool_user *u)
{
	if (u != NULL && u->woken.list == NULL && u->waiting.len > 0) {
		list_push_back(&p->woken, &u->woken);
	}
	net_loop_defer(p->loop, &p->queue);
}

/* Turns. */

static void take_turn(struct pool_user *u)
{
	if (u->turn.list == NULL) {
		list_push_back(&u->server->turns, &u->turn);
		budget_wait(u->server->place);
		u->server->must_ask = true;
	}
}

static void leave_turn(struct pool_user *u)
{
	if (u->turn.list != NULL) {
		list_remove(&u->turn);
		budget_wait_no_more(u->server->place);
	}
}

/* Waiting. */

static void count_wait(const struct loan *l)
{
	uint64_t waited = net_loop_now(l->pool->loop) - l->wish->since_ms;
	counter_add(l->pool->counters, COUNTER_POOL_WAIT_MS, waited);
}

static void on_timeout(void *owner)
{
	struct loan *l = owner;
	enum fail why = l->is_for_server ? FAIL_QUEUE_SERVER : FAIL_QUEUE_USER;
	queue_leave(l);
	counter_add(l->pool->counters, COUNTER_POOL_WAIT_TIMEOUTS, 1);
	loan_fail(l, why, "");
}

static void begin_wait(struct loan *l)
{
	struct pool *p = l->pool;
	uint64_t most = p->settings.queue_timeout;
	assert(l->backend == NULL && !l->is_ready);
	l->wish->since_ms = net_loop_now(p->loop);
	wheel_timer_init(&l->wish->wait, on_timeout, l);
	bool is_again = l->needs_new && most < QUEUE_AGAIN_MS;
	net_loop_arm(p->loop, &l->wish->wait, is_again ? QUEUE_AGAIN_MS : most);
	queue_wake(p, l->user);
}

void queue_join(struct loan *l)
{
	counter_add(l->pool->counters, COUNTER_POOL_WAITED, 1);
	list_push_back(&l->user->waiting, &l->node);
	begin_wait(l);
}

void queue_join_first(struct loan *l)
{
	list_push_front(&l->user->waiting, &l->node);
	begin_wait(l);
}

void queue_leave(struct loan *l)
{
	struct pool_user *u = l->user;
	if (l->node.list == NULL) {
		return;
	}
	count_wait(l);
	net_loop_disarm(l->pool->loop, &l->wish->wait);
	list_remove(&l->node);
	if (u->waiting.len == 0) {
		leave_turn(u);
		list_remove(&u->woken);
	} else {
		queue_wake(l->pool, u);
	}
}

/* Making room. */

static void ask(struct backend *b)
{
	struct loan *l = b->loan;
	assert(l != NULL && l->is_ready);
	/* Once is enough: a session that cannot give it back now does when it can. */
	if (l->events->on_wanted != NULL && !l->is_told) {
		l->is_told = true;
		l->events->on_wanted(l->owner);
	}
}

/* Those whose connections were lent since the last time, too. */
static void ask_user(struct pool_user *u)
{
	/* They may give it back at once, which takes them out of the list. */
	for (size_t left = u->lent.len; left > 0 && u->lent.len > 0; left--) {
		struct list_node *node = u->lent.first;
		list_remove(node);
		list_push_back(&u->lent, node);
		ask(LIST_OBJECT(node, struct backend, user_node));
	}
}

static void make_room_for_user(struct pool_user *u, struct loan *l)
{
	size_t most = u->server->pool->settings.max_per_user;
	l->is_for_server = false;
	if (most == 0 || u->connections < most) {
		return; /* a sign-in must end first, or what makes room already must be gone */
	}
	while (u->leaving < u->waiting.len && u->parked.len > 0) {
		backend_evict(LIST_OBJECT(u->parked.first, struct backend, user_node));
	}
	if (u->leaving < u->waiting.len) {
		ask_user(u);
	}
}

static void ask_server(struct pool_server *s)
{
	struct list *lent = &s->states[BACKEND_LENT];
	size_t left = lent->len < QUEUE_ASK_AT_ONCE ? lent->len : QUEUE_ASK_AT_ONCE;
	for (; left > 0 && lent->len > 0; left--) {
		struct list_node *node = lent->first;
		list_remove(node);
		list_push_back(lent, node);
		ask(LIST_OBJECT(node, struct backend, server_node));
	}
}

static void evict_oldest(struct list *list, size_t wanted)
{
	while (list->len > 0) {
		struct backend *b = LIST_OBJECT(list->first, struct backend, server_node);
		if (b->server->leaving >= wanted) {
			return;
		}
		backend_evict(b);
	}
}

/* Closes what is not in use for so many who wait here or elsewhere: nobody's first, then the oldest. */
static void make_room_at_server(struct pool_server *s, size_t wanted)
{
	evict_oldest(&s->states[BACKEND_SPARE], wanted);
	evict_oldest(&s->states[BACKEND_PARKED], wanted);
	if (s->leaving < wanted) {
		ask_server(s);
	}
}

static size_t connections_of(const struct pool_server *s)
{
	size_t sum = 0;
	for (int state = 0; state < BACKEND_STATE_COUNT; state++) {
		sum += s->states[state].len;
	}
	return sum;
}

void pool_make_room(struct pool *p)
{
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		unsigned waiting = budget_waiting(s->place);
		if (waiting > s->turns.len) {
			make_room_at_server(s, waiting);
		}
	}
	/* Or there is room now for those who wait here. */
	p->is_retry_due = true;
	net_loop_defer(p->loop, &p->queue);
}

static bool do_others_wait(const struct pool_server *s)
{
	return budget_waiting(s->place) > s->turns.len;
}

bool queue_may_take(const struct pool_user *u)
{
	const struct pool_server *s = u->server;
	if (u->turn.list != NULL) {
		return s->turns.first == &u->turn;
	}
	return s->turns.len == 0 && !do_others_wait(s);
}

/* Serving. */

static struct loan *first_of(const struct pool_user *u)
{
	for (struct list_node *node = u->waiting.first; node != NULL; node = node->next) {
		struct loan *l = LIST_OBJECT(node, struct loan, node);
		if (l->is_proved || known_is(u, l)) {
			return l;
		}
	}
	return LIST_OBJECT(u->waiting.first, struct loan, node);
}

/* The first one who waits. True: he has got a connection, and may have gone. */
static bool serve_first(struct pool_user *u)
{
	struct loan *l = first_of(u);
	switch (loan_serve(l)) {
	case SERVED:
		break;
	case BLOCKED_BY_USER:
		leave_turn(u);
		make_room_for_user(u, l);
		return false;
	case BLOCKED_BY_SERVER:
		l->is_for_server = true;
		take_turn(u);
		return false;
	}
	queue_leave(l);
	if (u->turn.list != NULL) {
		/* One connection a turn. */
		list_remove(&u->turn);
		list_push_back(&u->server->turns, &u->turn);
	}
	if (l->is_ready) {
		l->events->on_ready(l->owner);
	}
	return true;
}

static void serve_user(struct pool_user *u)
{
	u->refs++; /* the loan may be the last that holds him */
	while (u->waiting.len > 0 && serve_first(u)) {
		continue;
	}
	user_release(u);
}

/*
 * Where other workers wait too, each takes at most one connection when it is told of one; of those that this
 * worker itself gives back, every other one is left to them.
 */
static size_t take_at_most(struct pool_server *s, bool is_retry)
{
	if (!do_others_wait(s)) {
		return s->turns.len;
	}
	s->is_others_turn = !is_retry && !s->is_others_turn;
	return s->is_others_turn ? 0 : 1;
}

static void serve_turns(struct pool_server *s, bool is_retry)
{
	size_t most = take_at_most(s, is_retry);
	for (; most > 0 && s->turns.len > 0; most--) {
		struct pool_user *u = LIST_OBJECT(s->turns.first, struct pool_user, turn);
		u->refs++;
		bool is_blocked = !serve_first(u) && u->turn.list != NULL;
		user_release(u);
		if (is_blocked) {
			break;
		}
	}
}

/*
 * Somebody waits here, or something was given back that others wait for: the other workers should know. Once
 * for each that waits and once a retry: two workers in need would otherwise tell one another for ever.
 */
static void tell_others(struct pool_server *s)
{
	struct pool *p = s->pool;
	bool do_others_hold = budget_taken(s->place) > connections_of(s);
	bool is_needed = (s->must_ask && s->turns.len > 0 && do_others_hold) ||
			 (s->has_given && do_others_wait(s));
	s->must_ask = false;
	s->has_given = false;
	if (is_needed && p->on_scarce != NULL) {
		p->on_scarce(p->on_scarce_owner);
	}
}

static void serve(struct pool *p, bool is_retry)
{
	struct list_node *node;
	p->is_retry_due = false;
	while ((node = list_pop_front(&p->woken)) != NULL) {
		serve_user(LIST_OBJECT(node, struct pool_user, woken));
	}
	bool is_waiting = false;
	LIST_FOREACH_SAFE(server, &p->servers)
	{
		struct pool_server *s = LIST_OBJECT(server, struct pool_server, node);
		server_ref(s); /* who is served may be the last */
		serve_turns(s, is_retry);
		if (s->turns.len > 0) {
			is_waiting = true;
			make_room_at_server(s, s->turns.len);
		}
		tell_others(s);
		server_unref(s);
	}
	if (is_waiting && !wheel_is_armed(&p->retry)) {
		net_loop_arm(p->loop, &p->retry, QUEUE_RETRY_MS);
	}
}

static void on_woken(void *owner)
{
	struct pool *p = owner;
	serve(p, p->is_retry_due);
}

static void on_retry(void *owner)
{
	struct pool *p = owner;
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		LIST_OBJECT(node, struct pool_server, node)->must_ask = true;
	}
	serve(p, true);
}

void queue_init(struct pool *p)
{
	net_task_init(&p->queue, on_woken, p);
	wheel_timer_init(&p->retry, on_retry, p);
}

void queue_finish(struct pool *p)
{
	net_task_cancel(&p->queue);
	net_loop_disarm(p->loop, &p->retry);
}

void pool_on_scarce(struct pool *p, void (*on_scarce)(void *owner), void *owner)
{
	p->on_scarce = on_scarce;
	p->on_scarce_owner = owner;
}
