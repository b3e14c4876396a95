/*
 * The loop: end of turn, wheel, and the handles behind them.
 *
 * A turn in libuv's order: timers, idle, prepare (end of turn), poll, check (end of turn), close
 * callbacks. What a close callback or a timer asks for is done by the next prepare, so nothing waits
 * for a poll.
 */
#include "net/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/secret.h"

/* Rounds of one end of turn; then sockets and timers get their chance again. */
enum { TURN_ROUNDS = 8 };

/* Read buffers hold passwords in clear: a core dump leaves them out (law 6). */
static uint8_t *map_buffer(void)
{
	void *p = mmap(
		NULL, NET_READ_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		return NULL;
	}
	madvise(p, NET_READ_SIZE, MADV_DONTDUMP);
	return p;
}

static void unmap_buffer(uint8_t **p)
{
	if (*p != NULL) {
		secret_wipe(*p, NET_READ_SIZE);
		munmap(*p, NET_READ_SIZE);
		*p = NULL;
	}
}

void net_task_init(struct net_task *t, void (*run)(void *owner), void *owner)
{
	assert(run != NULL);
	*t = (struct net_task){.run = run, .owner = owner};
}

void net_loop_defer(struct net_loop *l, struct net_task *t)
{
	assert(net_loop_is_mine(l));
	if (t->node.list == NULL) {
		list_push_back(&l->deferred, &t->node);
	}
}

void net_loop_at_end(struct net_loop *l, struct net_task *t)
{
	assert(net_loop_is_mine(l));
	if (t->node.list == NULL) {
		list_push_back(&l->closing, &t->node);
	}
}

void net_loop_heavy(struct net_loop *l, struct net_task *t)
{
	assert(net_loop_is_mine(l));
	if (t->node.list == NULL) {
		list_push_back(&l->heavy, &t->node);
	}
}

size_t net_loop_heavy_waiting(const struct net_loop *l)
{
	return l->heavy.len;
}

void net_task_cancel(struct net_task *t)
{
	list_remove(&t->node);
}

/* Runs what waits now; what is posted meanwhile stays for the next round. */
static void run_batch(struct list *from)
{
	struct list batch = {0};
	struct list_node *node;
	while ((node = list_pop_front(from)) != NULL) {
		list_push_back(&batch, node);
	}
	while ((node = list_pop_front(&batch)) != NULL) {
		struct net_task *t = LIST_OBJECT(node, struct net_task, node);
		t->run(t->owner);
	}
}

static bool has_work(const struct net_loop *l)
{
	return l->deferred.len > 0 || l->closing.len > 0;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* it only exists so that the loop does not wait */
}

static void end_turn(struct net_loop *l)
{
	for (int round = 0; round < TURN_ROUNDS && has_work(l); round++) {
		run_batch(&l->deferred);
		run_batch(&l->closing);
	}
	if (has_work(l) || l->heavy.len > 0) {
		uv_idle_start(&l->idle, on_idle);
	} else {
		uv_idle_stop(&l->idle);
	}
}

static void on_prepare(uv_prepare_t *prepare)
{
	end_turn(prepare->data);
}

/* One, whatever it costs: a handshake cannot be divided, and a further poll costs a thousandth of it. */
static void run_heavy(struct net_loop *l)
{
	struct list_node *node = list_pop_front(&l->heavy);
	struct net_task *t = LIST_OBJECT(node, struct net_task, node);
	t->run(t->owner);
}

static void on_check(uv_check_t *check)
{
	struct net_loop *l = check->data;
	/* First all that the poll has brought: nobody's answer waits for the handshake of another. */
	end_turn(l);
	if (l->heavy.len > 0) {
		run_heavy(l);
		end_turn(l);
	}
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct net_loop *l, uint64_t due_ms)
{
	uint64_t now = uv_now(&l->uv);
	l->timer_due = due_ms;
	uv_timer_start(&l->timer, on_timer, due_ms > now ? due_ms - now : 0, 0);
}

static void stop_timer(struct net_loop *l)
{
	l->timer_due = WHEEL_NEVER;
	uv_timer_stop(&l->timer);
}

static void on_timer(uv_timer_t *timer)
{
	struct net_loop *l = timer->data;
	l->timer_due = WHEEL_NEVER;
	wheel_advance(&l->wheel, uv_now(&l->uv));
	uint64_t next = wheel_next(&l->wheel);
	if (next < l->timer_due) {
		set_timer(l, next);
	}
}

void net_loop_arm(struct net_loop *l, struct wheel_timer *t, uint64_t delay_ms)
{
	assert(net_loop_is_mine(l));
	wheel_arm(&l->wheel, t, uv_now(&l->uv), delay_ms);
	/* Not wheel_next: sessions move their time-outs with each command, and that would walk the wheel. */
	if (t->due_ms < l->timer_due) {
		set_timer(l, t->due_ms + WHEEL_TICK_MS);
	}
}

void net_loop_disarm(struct net_loop *l, struct wheel_timer *t)
{
	assert(net_loop_is_mine(l));
	wheel_disarm(&l->wheel, t);
	if (l->wheel.armed == 0) {
		stop_timer(l);
	}
}

uint64_t net_loop_now(const struct net_loop *l)
{
	return uv_now(&l->uv);
}

bool net_loop_is_mine(const struct net_loop *l)
{
	return pthread_equal(l->thread, pthread_self()) != 0;
}

void net_loop_hold(struct net_loop *l)
{
	assert(net_loop_is_mine(l));
	if (l->held++ == 0) {
		uv_ref((uv_handle_t *)&l->check);
	}
}

void net_loop_release(struct net_loop *l)
{
	assert(l->held > 0);
	if (--l->held == 0) {
		uv_unref((uv_handle_t *)&l->check);
	}
}

/* The loop's own handles never keep it running; uv_unref outlives start and stop. */
static void init_handles(struct net_loop *l)
{
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	uv_idle_init(&l->uv, &l->idle);
	uv_timer_init(&l->uv, &l->timer);
	l->prepare.data = l->check.data = l->idle.data = l->timer.data = l;
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	uv_unref((uv_handle_t *)&l->idle);
	uv_unref((uv_handle_t *)&l->timer);
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
}

bool net_loop_init(struct net_loop *l)
{
	*l = (struct net_loop){.thread = pthread_self(), .timer_due = WHEEL_NEVER};
	l->scratch = map_buffer();
	l->plain = map_buffer();
	if (l->scratch == NULL || l->plain == NULL || uv_loop_init(&l->uv) != 0) {
		unmap_buffer(&l->scratch);
		unmap_buffer(&l->plain);
		return false;
	}
	l->uv.data = l;
	buf_init(&l->cipher, NET_CIPHER_SIZE);
	if (buf_reserve(&l->cipher, NET_CIPHER_SIZE) == NULL) {
		abort();
	}
	wheel_init(&l->wheel, uv_now(&l->uv));
	init_handles(l);
	return true;
}

void net_loop_run(struct net_loop *l)
{
	l->thread = pthread_self();
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void net_loop_stop(struct net_loop *l)
{
	assert(net_loop_is_mine(l));
	uv_stop(&l->uv);
}

void net_loop_finish(struct net_loop *l)
{
	l->thread = pthread_self();
	uv_close((uv_handle_t *)&l->prepare, NULL);
	uv_close((uv_handle_t *)&l->check, NULL);
	uv_close((uv_handle_t *)&l->idle, NULL);
	uv_close((uv_handle_t *)&l->timer, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	assert(l->held == 0);
	if (uv_loop_close(&l->uv) != 0) {
		abort(); /* a handle is left: freeing the loop now would be a use after free later */
	}
	buf_finish(&l->cipher);
	unmap_buffer(&l->scratch);
	unmap_buffer(&l->plain);
}
