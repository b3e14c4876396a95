/* The table is the law. */
#include "base/sm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/death.h"

/* 32 states, because the last bit is the one that shifts get wrong. */
enum { OPEN, SHUT, GONE, LAST = 31 };

static const struct sm_state table[32] = {
	[OPEN] = {"open", SM_TO(SHUT) | SM_TO(LAST)},
	[SHUT] = {"shut", SM_TO(OPEN) | SM_TO(GONE)},
	[GONE] = {"gone", 0},
	[LAST] = {"last", SM_TO(LAST)},
};

static void test_moves(void **state)
{
	(void)state;
	int now = OPEN;
	sm_move(table, &now, SHUT);
	assert_int_equal(now, SHUT);
	sm_move(table, &now, OPEN);
	sm_move(table, &now, LAST);
	assert_int_equal(now, LAST);
	sm_move(table, &now, LAST);
	assert_int_equal(now, LAST);
}

static void test_can_move(void **state)
{
	(void)state;
	for (int from = 0; from < 32; from++) {
		for (int to = 0; to < 32; to++) {
			bool expected = (from == OPEN && (to == SHUT || to == LAST)) ||
					(from == SHUT && (to == OPEN || to == GONE)) ||
					(from == LAST && to == LAST);
			assert_int_equal(sm_can_move(table, from, to), expected);
		}
	}
}

static void move_back(void *arg)
{
	(void)arg;
	int now = GONE;
	sm_move(table, &now, OPEN);
}

static void stay(void *arg)
{
	(void)arg;
	int now = OPEN;
	sm_move(table, &now, OPEN);
}

static void test_ends_the_process(void **state)
{
	(void)state;
	assert_true(death_of(move_back, NULL));
	assert_true(death_of(stay, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_can_move),
		cmocka_unit_test(test_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
