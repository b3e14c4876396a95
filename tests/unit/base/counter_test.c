/* Counters: one writer, any reader; names for the metrics. */
#include "base/counter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_adds(void **state)
{
	(void)state;
	struct counters c = {0};
	counter_add(&c, COUNTER_POOL_HITS, 1);
	counter_add(&c, COUNTER_POOL_HITS, 2);
	counter_add(&c, COUNTER_BYTES_TO_SERVERS, UINT64_MAX);
	assert_true(counter_get(&c, COUNTER_POOL_HITS) == 3);
	assert_true(counter_get(&c, COUNTER_POOL_MISSES) == 0);
	assert_true(counter_get(&c, COUNTER_BYTES_TO_SERVERS) == UINT64_MAX);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counter_name((enum counter)i);
		assert_non_null(name);
		/* A part of a Prometheus name. */
		assert_true(name[0] != '\0');
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_true(strlen(counter_help((enum counter)i)) > 0);
		assert_null(strpbrk(counter_help((enum counter)i), "\\\n\""));
		for (int other = 0; other < i; other++) {
			assert_string_not_equal(name, counter_name((enum counter)other));
		}
	}
	assert_string_equal(counter_name(COUNTER_POOL_HITS), "pool_hits");
}

enum { ROUNDS = 20000 };

static void *write_numbers(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		/* Both halves change, so that a torn read would be seen. */
		counter_add(arg, COUNTER_CARRIED, (UINT64_C(1) << 32) + 1);
	}
	return NULL;
}

static void test_read_by_another_thread(void **state)
{
	(void)state;
	struct counters c = {0};
	pthread_t writer;
	uint64_t last = 0;
	assert_int_equal(pthread_create(&writer, NULL, write_numbers, &c), 0);
	while (last != ROUNDS * ((UINT64_C(1) << 32) + 1)) {
		uint64_t now = counter_get(&c, COUNTER_CARRIED);
		assert_true(now >= last);
		assert_true(now >> 32 == (now & UINT32_MAX));
		last = now;
	}
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_read_by_another_thread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
