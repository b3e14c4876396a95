/* The timer wheel, held to an array of due times that is searched from end to end. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TURN_MS ((uint64_t)WHEEL_TICK_MS * WHEEL_SLOTS)

struct bell {
	struct wheel_timer timer;
	struct wheel *wheel;
	uint64_t now;   /* set before each advance */
	uint64_t again; /* arms itself again by this much when it rings; WHEEL_NEVER: not */
	int rung;
};

static void on_ring(void *owner)
{
	struct bell *b = owner;
	assert_false(wheel_is_armed(&b->timer));
	b->rung++;
	if (b->again != WHEEL_NEVER) {
		wheel_arm(b->wheel, &b->timer, b->now, b->again);
	}
}

/* How late a time-out of this delay may be. */
static uint64_t late(uint64_t delay)
{
	return delay >= WHEEL_LONG_MS ? WHEEL_LONG_TICK_MS : WHEEL_TICK_MS;
}

static void bell_init(struct bell *b, struct wheel *w)
{
	*b = (struct bell){.wheel = w, .again = WHEEL_NEVER};
	wheel_timer_init(&b->timer, on_ring, b);
}

static void advance(struct wheel *w, struct bell *b, uint64_t now)
{
	b->now = now;
	wheel_advance(w, now);
}

/* Never early, a tick (a long one) late at most, from every phase of a tick and a turn. */
static void test_each_delay_from_each_phase(void **state)
{
	(void)state;
	static const uint64_t delays[] = {0, 1, 15, 16, 17, 31, 32, 33, 100, 1000, TURN_MS - 17,
		TURN_MS - 16, TURN_MS - 1, TURN_MS, TURN_MS + 1, TURN_MS + 16, TURN_MS + 17,
		3 * TURN_MS + 5};
	for (uint64_t start = 1000; start < 1000 + 2 * WHEEL_TICK_MS; start++) {
		for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
			struct wheel w;
			struct bell b;
			wheel_init(&w, start);
			bell_init(&b, &w);
			wheel_arm(&w, &b.timer, start, delays[i]);
			uint64_t due = start + delays[i];
			/* Looked at as often as can be, near the end. */
			uint64_t now = delays[i] > 40 ? due - 40 : start;
			for (; b.rung == 0; now++) {
				assert_true(now <= due + late(delays[i]));
				advance(&w, &b, now);
				assert_true(b.rung == 0 || now >= due);
			}
			assert_int_equal(b.rung, 1);
			assert_int_equal(w.armed, 0);
			assert_true(wheel_next(&w) == WHEEL_NEVER);
		}
	}
}

static void test_disarm(void **state)
{
	(void)state;
	struct wheel w;
	struct bell b;
	wheel_init(&w, 5);
	bell_init(&b, &w);
	wheel_disarm(&w, &b.timer);
	wheel_arm(&w, &b.timer, 5, 10);
	assert_true(wheel_is_armed(&b.timer));
	wheel_disarm(&w, &b.timer);
	assert_false(wheel_is_armed(&b.timer));
	assert_true(wheel_next(&w) == WHEEL_NEVER);
	advance(&w, &b, 1000);
	assert_int_equal(b.rung, 0);
	/* Moved to later, and to earlier. */
	wheel_arm(&w, &b.timer, 1000, 10);
	wheel_arm(&w, &b.timer, 1000, 500);
	assert_int_equal(w.armed, 1);
	advance(&w, &b, 1100);
	assert_int_equal(b.rung, 0);
	wheel_arm(&w, &b.timer, 1100, 20);
	advance(&w, &b, 1136);
	assert_int_equal(b.rung, 1);
}

/* The machine slept, or nobody looked for a while: all that is due rings, once. */
static void test_long_sleeps(void **state)
{
	(void)state;
	static const uint64_t sleeps[] = {1, TURN_MS - 1, TURN_MS, TURN_MS + 1, TURN_MS + 16,
		2 * TURN_MS, 10 * TURN_MS + 3, UINT64_C(1) << 40};
	for (size_t i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
		struct wheel w;
		struct bell early;
		struct bell other;
		uint64_t start = 12345;
		wheel_init(&w, start);
		bell_init(&early, &w);
		bell_init(&other, &w);
		wheel_arm(&w, &early.timer, start, sleeps[i]);
		uint64_t more = late(sleeps[i]) + 1;
		wheel_arm(&w, &other.timer, start, sleeps[i] + more);
		wheel_advance(&w, start + sleeps[i] + late(sleeps[i]));
		assert_int_equal(early.rung, 1);
		assert_int_equal(other.rung, 0);
		wheel_advance(&w, start + sleeps[i] + more + late(sleeps[i] + more));
		assert_int_equal(early.rung, 1);
		assert_int_equal(other.rung, 1);
	}
}

/* Nothing was armed for long, so nobody moved the wheel: a new time-out is not early for that. */
static void test_a_wheel_that_stood_still(void **state)
{
	(void)state;
	for (uint64_t still = 0; still < 3 * TURN_MS; still += 1237) {
		struct wheel w;
		struct bell b;
		wheel_init(&w, 0);
		bell_init(&b, &w);
		wheel_arm(&w, &b.timer, still, 50);
		int steps = 0;
		uint64_t now = still;
		while (b.rung == 0) {
			assert_true(++steps <= 4);
			uint64_t next = wheel_next(&w);
			now = next > now ? next : now;
			advance(&w, &b, now);
		}
		assert_true(now >= still + 50);
		assert_true(now <= still + 50 + WHEEL_TICK_MS);
	}
}

/* What arms itself again without delay rings once a call, whatever the time is. */
static void test_armed_again_inside(void **state)
{
	(void)state;
	static const uint64_t steps[] = {16, 17, 160, TURN_MS, TURN_MS + 16, 5 * TURN_MS};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		for (uint64_t phase = 0; phase < 16; phase++) {
			struct wheel w;
			struct bell b;
			uint64_t now = 160 + phase;
			wheel_init(&w, now);
			bell_init(&b, &w);
			b.again = 0;
			wheel_arm(&w, &b.timer, now, 0);
			for (int round = 1; round < 5; round++) {
				now += steps[i];
				advance(&w, &b, now);
				assert_int_equal(b.rung, round);
			}
		}
	}
}

static void test_a_turn_long_inside(void **state)
{
	(void)state;
	struct wheel w;
	struct bell b;
	wheel_init(&w, 0);
	bell_init(&b, &w);
	b.again = TURN_MS; /* falls into the slot that is being rung */
	wheel_arm(&w, &b.timer, 0, 16);
	advance(&w, &b, 16);
	assert_int_equal(b.rung, 1);
	advance(&w, &b, 16 + TURN_MS - 1);
	assert_int_equal(b.rung, 1);
	advance(&w, &b, TURN_MS + WHEEL_LONG_TICK_MS);
	assert_int_equal(b.rung, 2);
}

/* A time-out that takes others with it: freed, disarmed, moved, in the slot that is being rung. */
struct crowd {
	struct wheel *wheel;
	struct bell *others[3];
	struct wheel_timer timer;
	bool is_done;
};

static void on_crowd(void *owner)
{
	struct crowd *c = owner;
	wheel_disarm(c->wheel, &c->others[0]->timer);
	free(c->others[0]);
	wheel_disarm(c->wheel, &c->others[1]->timer);
	wheel_arm(c->wheel, &c->others[2]->timer, 100, 50);
	c->is_done = true;
}

static void test_one_disarms_the_others(void **state)
{
	(void)state;
	struct wheel w;
	struct crowd c = {.wheel = &w};
	wheel_init(&w, 0);
	wheel_timer_init(&c.timer, on_crowd, &c);
	wheel_arm(&w, &c.timer, 0, 100);
	for (int i = 0; i < 3; i++) {
		c.others[i] = calloc(1, sizeof *c.others[i]);
		bell_init(c.others[i], &w);
		wheel_arm(&w, &c.others[i]->timer, 0, 100);
	}
	wheel_advance(&w, 112);
	assert_true(c.is_done);
	assert_int_equal(w.armed, 1);
	assert_int_equal(c.others[1]->rung, 0);
	assert_int_equal(c.others[2]->rung, 0);
	wheel_advance(&w, 160);
	assert_int_equal(c.others[2]->rung, 1);
	free(c.others[1]);
	free(c.others[2]);
}

static void test_no_end_of_time(void **state)
{
	(void)state;
	struct wheel w;
	struct bell b;
	wheel_init(&w, 1000);
	bell_init(&b, &w);
	wheel_arm(&w, &b.timer, 1000, UINT64_MAX);
	assert_true(wheel_next(&w) <= 1000 + TURN_MS);
	wheel_advance(&w, UINT64_C(1) << 50);
	assert_int_equal(b.rung, 0);
	assert_true(wheel_is_armed(&b.timer));
}

/* Many timers, random orders, and two ways to drive the wheel. */
enum { BELLS = 40, STEPS = 4000 };

struct tower {
	struct wheel wheel;
	struct bell bells[BELLS];
	uint64_t due[BELLS]; /* WHEEL_NEVER: not armed */
	uint64_t late[BELLS];
	uint64_t now;
};

static void tower_arm(struct tower *t, int i)
{
	static const uint64_t spans[] = {1, 40, 300, TURN_MS, 4 * TURN_MS};
	uint64_t delay = (uint64_t)rand() % spans[rand() % 5];
	wheel_arm(&t->wheel, &t->bells[i].timer, t->now, delay);
	t->due[i] = t->now + delay;
	t->late[i] = late(delay);
}

static void tower_order(struct tower *t)
{
	int i = rand() % BELLS;
	if (rand() % 3 == 0) {
		wheel_disarm(&t->wheel, &t->bells[i].timer);
		t->due[i] = WHEEL_NEVER;
	} else {
		tower_arm(t, i);
	}
}

static void tower_advance(struct tower *t, uint64_t now)
{
	size_t armed = 0;
	t->now = now;
	for (int i = 0; i < BELLS; i++) {
		t->bells[i].rung = 0;
	}
	wheel_advance(&t->wheel, now);
	for (int i = 0; i < BELLS; i++) {
		if (t->bells[i].rung > 0) {
			assert_int_equal(t->bells[i].rung, 1);
			assert_true(t->due[i] <= now);
			t->due[i] = WHEEL_NEVER;
		}
		assert_true(t->due[i] > now || now - t->due[i] < t->late[i]);
		assert_int_equal(wheel_is_armed(&t->bells[i].timer), t->due[i] != WHEEL_NEVER);
		armed += t->due[i] != WHEEL_NEVER;
	}
	assert_int_equal(t->wheel.armed, armed);
}

static void tower_init(struct tower *t)
{
	t->now = (uint64_t)rand() % 100000;
	wheel_init(&t->wheel, t->now);
	for (int i = 0; i < BELLS; i++) {
		bell_init(&t->bells[i], &t->wheel);
		t->due[i] = WHEEL_NEVER;
	}
}

static void test_random_times(void **state)
{
	(void)state;
	struct tower t;
	srand(3);
	tower_init(&t);
	for (int step = 0; step < STEPS; step++) {
		static const uint64_t jumps[] = {1, 16, 17, 400, TURN_MS + 16, 6 * TURN_MS};
		tower_order(&t);
		tower_advance(&t, t.now + (uint64_t)rand() % jumps[rand() % 6]);
	}
}

/* As a loop does: sleeps until wheel_next, and nothing is more than a tick late for that. */
static void test_driven_by_next(void **state)
{
	(void)state;
	struct tower t;
	srand(4);
	tower_init(&t);
	for (int step = 0; step < STEPS; step++) {
		tower_order(&t);
		uint64_t next = wheel_next(&t.wheel);
		if (next == WHEEL_NEVER) {
			t.now += (uint64_t)rand() % 1000;
			continue;
		}
		assert_true(next <= t.now + TURN_MS);
		for (int i = 0; i < BELLS; i++) {
			assert_true(t.due[i] == WHEEL_NEVER || next <= t.due[i] + t.late[i] ||
				    next <= t.now);
		}
		tower_advance(&t, next > t.now ? next : t.now);
		assert_true(wheel_next(&t.wheel) > t.now); /* no loop spins on it */
	}
}

/* A thousand sessions that were busy at different times are looked at in a few wakings. */
static void test_long_ones_together(void **state)
{
	(void)state;
	enum { CROWD = 1000, STEP_MS = 61, DELAY_MS = 60000 };
	struct wheel w;
	struct bell *bells = calloc(CROWD, sizeof *bells);
	wheel_init(&w, 0);
	for (uint64_t i = 0; i < CROWD; i++) {
		bell_init(&bells[i], &w);
		wheel_arm(&w, &bells[i].timer, i * STEP_MS, DELAY_MS);
	}
	uint64_t wakings = 0;
	for (uint64_t now; (now = wheel_next(&w)) != WHEEL_NEVER; wakings++) {
		wheel_advance(&w, now);
	}
	uint64_t whole_ms = (uint64_t)CROWD * STEP_MS + DELAY_MS;
	assert_true(wakings <= whole_ms / WHEEL_LONG_TICK_MS + 2);
	free(bells);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_delay_from_each_phase),
		cmocka_unit_test(test_disarm),
		cmocka_unit_test(test_long_sleeps),
		cmocka_unit_test(test_a_wheel_that_stood_still),
		cmocka_unit_test(test_armed_again_inside),
		cmocka_unit_test(test_a_turn_long_inside),
		cmocka_unit_test(test_one_disarms_the_others),
		cmocka_unit_test(test_no_end_of_time),
		cmocka_unit_test(test_random_times),
		cmocka_unit_test(test_driven_by_next),
		cmocka_unit_test(test_long_ones_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
