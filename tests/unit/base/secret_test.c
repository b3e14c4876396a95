/* Secrets: each copy is wiped before its memory goes. */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

/*
 * Stands before the C library's: a freed block cannot be looked at, so what is wiped is counted. Its
 * declaration comes with <string.h>.
 */
static size_t wiped_bytes;
static const void *wiped_at;

void explicit_bzero(void *p, size_t n)
{
	volatile uint8_t *bytes = p;
	for (size_t i = 0; i < n; i++) {
		bytes[i] = 0;
	}
	wiped_bytes += n;
	wiped_at = p;
}

static int begin(void **state)
{
	(void)state;
	wiped_bytes = 0;
	wiped_at = NULL;
	return 0;
}

static void test_set_and_drop(void **state)
{
	(void)state;
	struct secret s = {0};
	assert_int_equal(secret_span(&s).n, 0);
	secret_drop(&s);
	secret_set(&s, span_of("pass\0word", 9));
	assert_true(span_equal(secret_span(&s), span_of("pass\0word", 9)));
	assert_int_equal(wiped_bytes, 0);
	const void *data = s.data;
	secret_drop(&s);
	assert_int_equal(wiped_bytes, 9);
	assert_ptr_equal(wiped_at, data);
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	secret_drop(&s);
	assert_int_equal(wiped_bytes, 9);
}

static void test_replaced(void **state)
{
	(void)state;
	struct secret s = {0};
	secret_set(&s, span_str("first"));
	secret_set(&s, span_str("longer one"));
	assert_int_equal(wiped_bytes, 5);
	assert_true(span_is(secret_span(&s), "longer one"));
	/* From inside itself. */
	secret_set(&s, span_slice(secret_span(&s), 7, 10));
	assert_true(span_is(secret_span(&s), "one"));
	assert_int_equal(wiped_bytes, 15);
	secret_set(&s, secret_span(&s));
	assert_true(span_is(secret_span(&s), "one"));
	secret_set(&s, span_of(NULL, 0));
	assert_int_equal(secret_span(&s).n, 0);
	secret_drop(&s);
	assert_int_equal(wiped_bytes, 21);
}

static void test_moved(void **state)
{
	(void)state;
	struct secret a = {0};
	struct secret b = {0};
	secret_set(&a, span_str("abc"));
	secret_set(&b, span_str("defgh"));
	const uint8_t *data = a.data;
	secret_move(&b, &a);
	assert_int_equal(wiped_bytes, 5);
	assert_ptr_equal(b.data, data); /* no second copy */
	assert_null(a.data);
	assert_int_equal(a.len, 0);
	secret_move(&b, &a);
	assert_int_equal(wiped_bytes, 8);
	assert_null(b.data);
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(secret_equal(span_str(""), span_of(NULL, 0)));
	assert_true(secret_equal(span_of("a\0b", 3), span_of("a\0b", 3)));
	assert_false(secret_equal(span_of("a\0b", 3), span_of("a\0c", 3)));
	assert_false(secret_equal(span_str("a"), span_str("")));
	assert_false(secret_equal(span_str("abc"), span_str("abcd")));
	/* A difference in any bit of any byte. */
	uint8_t a[16] = {0};
	for (size_t i = 0; i < sizeof a; i++) {
		for (int bit = 0; bit < 8; bit++) {
			uint8_t b[16] = {0};
			b[i] = (uint8_t)(1 << bit);
			assert_false(secret_equal(span_of(a, 16), span_of(b, 16)));
		}
	}
}

static void test_wipe(void **state)
{
	(void)state;
	char text[] = "secret";
	secret_wipe(text, 3);
	assert_memory_equal(text, "\0\0\0ret", 7);
	secret_wipe(NULL, 0);
}

/* Passwords pass through queues too: every byte that was ever in one is wiped once. */
static void test_queues_wipe(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100000);
	for (int i = 0; i < 1000; i++) {
		assert_true(buf_add_str(&b, "0123456789"));
	}
	size_t copies = wiped_bytes;
	assert_true(copies > 0); /* growing left copies behind */
	buf_consume(&b, 9999);
	assert_int_equal(wiped_bytes, copies);
	buf_consume(&b, 1);
	assert_int_equal(wiped_bytes, copies + 10000);
	assert_true(buf_add_str(&b, "x"));
	buf_finish(&b);
	assert_int_equal(wiped_bytes, copies + 10001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_set_and_drop, begin),
		cmocka_unit_test_setup(test_replaced, begin),
		cmocka_unit_test_setup(test_moved, begin),
		cmocka_unit_test_setup(test_equal, begin),
		cmocka_unit_test_setup(test_wipe, begin),
		cmocka_unit_test_setup(test_queues_wipe, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
