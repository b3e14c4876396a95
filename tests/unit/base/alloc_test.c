/* Memory that is there, or no process. */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/death.h"

static void test_nothing_is_something(void **state)
{
	(void)state;
	void *a = xmalloc(0);
	void *b = xcalloc(0, 8);
	void *c = xcalloc(8, 0);
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	a = xrealloc(a, 0);
	assert_non_null(a);
	free(a);
	free(b);
	free(c);
}

static void test_zeroed(void **state)
{
	(void)state;
	uint8_t *p = xcalloc(100, 3);
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(p[i], 0);
	}
	free(p);
}

static void test_realloc_keeps(void **state)
{
	(void)state;
	char *p = xrealloc(NULL, 4);
	memcpy(p, "abc", 4);
	p = xrealloc(p, 100000);
	assert_string_equal(p, "abc");
	free(p);
}

static void test_copies(void **state)
{
	(void)state;
	char *empty = xmemdup0(NULL, 0);
	char *text = xstrdup("text");
	char *bytes = xmemdup0("a\0b", 3);
	assert_string_equal(empty, "");
	assert_string_equal(text, "text");
	assert_memory_equal(bytes, "a\0b\0", 4);
	free(empty);
	free(text);
	free(bytes);
}

static void use(void *p)
{
	/* Something the compiler cannot see through: an unused allocation may be left out. */
	*(volatile char *)p = 1;
}

static void too_much(void *arg)
{
	(void)arg;
	use(xmalloc(SIZE_MAX / 2));
}

static void too_many(void *arg)
{
	(void)arg;
	/* The product is 16 when it wraps. */
	use(xcalloc((size_t)1 << 60, 16 + ((size_t)1 << 4)));
}

static void too_long_again(void *arg)
{
	(void)arg;
	use(xrealloc(NULL, SIZE_MAX / 2));
}

static void too_long_copy(void *arg)
{
	use(xmemdup0(arg, SIZE_MAX)); /* with its NUL behind it: 0 bytes */
}

static void too_small(void *arg)
{
	use(arg);
}

static void test_ends_the_process(void **state)
{
	(void)state;
	char some[16];
	assert_true(death_of(too_much, NULL));
	assert_true(death_of(too_many, NULL));
	assert_true(death_of(too_long_again, NULL));
	assert_true(death_of(too_long_copy, some));
	assert_false(death_of(too_small, some));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_something),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_realloc_keeps),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
