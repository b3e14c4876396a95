/* The loop: end of turn, rounds, wheel, what keeps it running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
	struct net_task tasks[50], light;
	int heavy_runs, light_runs;
};

static void burn(void *owner)
{
	struct storm *s = owner;
	uint64_t end = uv_hrtime() + 1000000;
	while (uv_hrtime() < end) {
	}
	s->heavy_runs++;
}

static void run_light(void *owner)
{
	struct storm *s = owner;
	s->light_runs++;
}

/* Heavy work is spread over turns, in which everybody else is served. */
static void heavy_work(void **state)
{
	(void)state;
	struct net_loop l;
	struct storm s = {.loop = &l};
	assert_true(net_loop_init(&l));
	net_loop_hold(&l);
	net_task_init(&s.light, run_light, &s);
	for (int i = 0; i < 50; i++) {
		net_task_init(&s.tasks[i], burn, &s);
		net_loop_heavy(&l, &s.tasks[i]);
	}
	net_task_cancel(&s.tasks[49]);
	int turns = 0;
	while (s.heavy_runs < 49) {
		int before = s.heavy_runs;
		net_loop_defer(&l, &s.light);
		uv_run(&l.uv, UV_RUN_ONCE); /* does not wait */
		turns++;
		assert_true(s.heavy_runs > before);
		assert_true(s.heavy_runs - before <= NET_HEAVY_MS + 1);
		assert_int_equal(s.light_runs, turns);
	}
	uv_run(&l.uv, UV_RUN_NOWAIT);
	assert_int_equal(s.heavy_runs, 49);
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
		cmocka_unit_test(ends_when_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
