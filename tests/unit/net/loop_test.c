/* The loop: end of turn, rounds, wheel, what keeps it running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "net/loop.h"

struct counting {
	struct net_loop *loop;
	struct net_task task;
	struct wheel_timer timer;
	int runs, limit;
	char *order;
	char letter;
};

static void on_timer(void *owner)
{
	struct counting *c = owner;
	c->runs++;
	if (c->runs < c->limit) {
		net_loop_arm(c->loop, &c->timer, 1);
	} else {
		net_loop_stop(c->loop);
	}
}

static void timers_fire(void **state)
{
	(void)state;
	struct net_loop l;
	assert_true(net_loop_init(&l));
	struct counting c = {.loop = &l, .limit = 3}, far = {.loop = &l};
	wheel_timer_init(&c.timer, on_timer, &c);
	wheel_timer_init(&far.timer, on_timer, &far);
	net_loop_hold(&l);
	net_loop_arm(&l, &far.timer, 3600000);
	assert_true(uv_is_active((uv_handle_t *)&l.timer));
	net_loop_arm(&l, &c.timer, 30);
	uint64_t before = net_loop_now(&l);
	net_loop_run(&l);
	assert_int_equal(c.runs, 3);
	assert_int_equal(far.runs, 0);
	assert_true(net_loop_now(&l) - before >= 32);
	assert_true(uv_is_active((uv_handle_t *)&l.timer));
	net_loop_disarm(&l, &far.timer);
	assert_false(uv_is_active((uv_handle_t *)&l.timer)); /* an idle worker does not wake up */
	net_loop_release(&l);
	net_loop_finish(&l);
}

static void note(void *owner)
{
	struct counting *c = owner;
	c->runs++;
	if (c->order != NULL) {
		*c->order++ = c->letter;
	}
}

static void repeat(void *owner)
{
	struct counting *c = owner;
	c->runs++;
	if (c->runs < c->limit) {
		net_loop_defer(c->loop, &c->task);
	} else {
		net_loop_release(c->loop);
	}
}

/* Events before output, and what waits does so once. */
static void order(void **state)
{
	(void)state;
	struct net_loop l;
	char text[8] = {0};
	assert_true(net_loop_init(&l));
	struct net_task a, b, gone;
	struct counting ca = {.order = text, .letter = 'a'},
			cb = {.order = text + 4, .letter = 'b'};
	net_task_init(&a, note, &ca);
	net_task_init(&b, note, &cb);
	net_task_init(&gone, note, &ca);
	net_loop_at_end(&l, &b);
	net_loop_defer(&l, &a);
	net_loop_defer(&l, &a);
	net_loop_defer(&l, &gone);
	net_task_cancel(&gone);
	net_task_cancel(&gone);
	assert_int_equal(ca.runs + cb.runs, 0);
	net_loop_hold(&l);
	uv_run(&l.uv, UV_RUN_NOWAIT);
	net_loop_release(&l);
	assert_int_equal(ca.runs, 1);
	assert_int_equal(cb.runs, 1);
	net_loop_finish(&l);
}

/* A task that always posts itself again neither hangs the loop nor lets it sleep. */
static void endless_work(void **state)
{
	(void)state;
	struct net_loop l;
	assert_true(net_loop_init(&l));
	struct counting c = {.loop = &l, .limit = 1000};
	net_task_init(&c.task, repeat, &c);
	net_loop_hold(&l);
	net_loop_defer(&l, &c.task);
	net_loop_run(&l);
	assert_int_equal(c.runs, 1000);
	assert_false(uv_is_active((uv_handle_t *)&l.idle));
	net_loop_finish(&l);
}

struct storm {
	struct net_loop *loop;
	struct net_task tasks[50], answer;
	uv_async_t event;
	char said[128]; /* 'a': an answer, 'h': heavy work */
	size_t n;
};

static void work(void *owner)
{
	struct storm *s = owner;
	s->said[s->n++] = 'h';
}

static void answer(void *owner)
{
	struct storm *s = owner;
	s->said[s->n++] = 'a';
}

static void on_event(uv_async_t *event)
{
	struct storm *s = event->data;
	net_loop_at_end(s->loop, &s->answer);
}

/* What a poll brings is answered before heavy work goes on, of which a turn does one piece. */
static void heavy_work(void **state)
{
	(void)state;
	struct net_loop l;
	struct storm s = {.loop = &l};
	assert_true(net_loop_init(&l));
	assert_int_equal(uv_async_init(&l.uv, &s.event, on_event), 0);
	s.event.data = &s;
	net_task_init(&s.answer, answer, &s);
	for (int i = 0; i < 50; i++) {
		net_task_init(&s.tasks[i], work, &s);
		net_loop_heavy(&l, &s.tasks[i]);
		net_loop_heavy(&l, &s.tasks[i]); /* waits already */
	}
	net_task_cancel(&s.tasks[49]);
	for (size_t i = 0; i < 49; i++) {
		assert_int_equal(net_loop_heavy_waiting(&l), 49 - i);
		uv_async_send(&s.event);
		uv_run(&l.uv, UV_RUN_ONCE); /* does not wait */
		assert_int_equal(s.n, 2 * (i + 1));
		assert_memory_equal(s.said + 2 * i, "ah", 2);
	}
	uv_run(&l.uv, UV_RUN_NOWAIT);
	assert_int_equal(s.n, 98);
	assert_int_equal(net_loop_heavy_waiting(&l), 0);
	assert_false(uv_is_active((uv_handle_t *)&l.idle));
	uv_close((uv_handle_t *)&s.event, NULL);
	net_loop_finish(&l);
}

/* Heavy work that asks for more of it gets it in the next turn, behind what waits already. */
struct chain {
	struct net_loop *loop;
	struct net_task task;
	char letter, *order;
	int left;
};

static void next_link(void *owner)
{
	struct chain *c = owner;
	size_t n = strlen(c->order);
	c->order[n] = c->letter;
	if (--c->left > 0) {
		net_loop_heavy(c->loop, &c->task);
	}
}

static void heavy_in_turns(void **state)
{
	(void)state;
	struct net_loop l;
	char order[16] = "";
	assert_true(net_loop_init(&l));
	net_loop_hold(&l);
	struct chain a = {.loop = &l, .letter = 'a', .order = order, .left = 4};
	struct chain b = {.loop = &l, .letter = 'b', .order = order, .left = 2};
	net_task_init(&a.task, next_link, &a);
	net_task_init(&b.task, next_link, &b);
	net_loop_heavy(&l, &a.task);
	net_loop_heavy(&l, &b.task);
	for (size_t i = 1; i <= 6; i++) {
		uv_run(&l.uv, UV_RUN_NOWAIT);
		assert_int_equal(strlen(order), i);
	}
	assert_string_equal(order, "ababaa");
	assert_false(uv_is_active((uv_handle_t *)&l.idle));
	net_loop_release(&l);
	net_loop_finish(&l);
}

/* Alone, the loop's own handles and an armed wheel do not keep it running. */
static void ends_when_empty(void **state)
{
	(void)state;
	struct net_loop l;
	assert_true(net_loop_init(&l));
	struct counting c = {.loop = &l};
	wheel_timer_init(&c.timer, on_timer, &c);
	net_loop_arm(&l, &c.timer, 3600000);
	net_loop_run(&l);
	assert_int_equal(c.runs, 0);
	net_loop_disarm(&l, &c.timer);
	net_loop_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire),
		cmocka_unit_test(order),
		cmocka_unit_test(endless_work),
		cmocka_unit_test(heavy_work),
		cmocka_unit_test(heavy_in_turns),
		cmocka_unit_test(ends_when_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
