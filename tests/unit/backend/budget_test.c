/* The shared count of connections to a server: limits hold when threads meet at them. */
#include "backend/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_one_place_for_a_server(void **state)
{
	(void)state;
	struct budget *b = budget_create();
	struct budget_place *one = budget_enter(b, "mail1");
	struct budget_place *again = budget_enter(b, "mail1");
	struct budget_place *other = budget_enter(b, "mail2");
	assert_ptr_equal(one, again);
	assert_ptr_not_equal(one, other);
	assert_true(budget_take(one, 1));
	assert_false(budget_take(again, 1));
	assert_true(budget_take(other, 1));
	assert_int_equal(budget_taken(again), 1);
	budget_give(again);
	budget_give(other);
	budget_leave(b, &other);
	assert_null(other);
	budget_leave(b, &one);
	/* It lives as long as somebody is inside. */
	assert_true(budget_take(again, 1));
	budget_give(again);
	budget_leave(b, &again);
	budget_destroy(&b);
	assert_null(b);
	budget_destroy(&b);
}

static void test_limits(void **state)
{
	(void)state;
	struct budget *b = budget_create();
	struct budget_place *p = budget_enter(b, "mail1");
	for (int i = 0; i < 1000; i++) {
		assert_true(budget_take(p, 0)); /* none */
	}
	/* A limit that a reload has lowered is reached by giving back. */
	assert_false(budget_take(p, 3));
	while (budget_taken(p) > 2) {
		budget_give(p);
	}
	assert_true(budget_take(p, 3));
	assert_false(budget_take(p, 3));
	while (budget_taken(p) > 0) {
		budget_give(p);
	}
	budget_wait(p);
	budget_wait(p);
	assert_int_equal(budget_waiting(p), 2);
	budget_wait_no_more(p);
	assert_int_equal(budget_waiting(p), 1);
	budget_wait_no_more(p);
	budget_leave(b, &p);
	budget_destroy(&b);
}

enum { THREADS = 4, ROUNDS = 20000, MOST = 3 };

static struct budget *shared;
static _Atomic int inside;
static _Atomic int too_many;

static void *take_and_give(void *arg)
{
	(void)arg;
	struct budget_place *p = budget_enter(shared, "mail1");
	for (int i = 0; i < ROUNDS; i++) {
		if (!budget_take(p, MOST)) {
			continue;
		}
		if (++inside > MOST) {
			too_many++;
		}
		inside--;
		budget_give(p);
		if (i % 100 == 0) {
			budget_leave(shared, &p);
			p = budget_enter(shared, "mail1");
		}
	}
	budget_leave(shared, &p);
	return NULL;
}

static void test_threads_meet(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	shared = budget_create();
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(too_many, 0);
	budget_destroy(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_place_for_a_server),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threads_meet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
