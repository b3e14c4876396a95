/* The byte queue: a cap that is exact, memory that comes and goes, nothing left behind. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_holds(const struct buf *b, const char *expected)
{
	assert_int_equal(buf_len(b), strlen(expected));
	assert_true(span_is(buf_peek(b), expected));
	assert_int_equal(buf_free_space(b), b->cap - strlen(expected));
}

static void test_queue(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	assert_holds(&b, "");
	assert_null(buf_peek(&b).p);
	assert_true(buf_add_str(&b, "abc"));
	assert_true(buf_add(&b, span_of(NULL, 0)));
	assert_true(buf_addf(&b, "%d-%s", 42, "x"));
	assert_holds(&b, "abc42-x");
	buf_consume(&b, 0);
	buf_consume(&b, 4);
	assert_holds(&b, "2-x");
	assert_true(buf_add_str(&b, "yz"));
	assert_holds(&b, "2-xyz");
	buf_consume(&b, 5);
	assert_holds(&b, "");
	assert_null(b.data); /* an idle session owns none */
	assert_int_equal(b.room, 0);
	assert_true(buf_add_str(&b, "again"));
	buf_finish(&b);
	assert_holds(&b, "");
	assert_int_equal(b.cap, 1000);
	buf_finish(&b);
}

static void test_the_cap_is_exact(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 10);
	assert_false(buf_add_str(&b, "01234567890"));
	assert_holds(&b, "");
	assert_true(buf_add_str(&b, "0123456789"));
	assert_false(buf_add_str(&b, "x"));
	assert_true(buf_add_str(&b, ""));
	assert_holds(&b, "0123456789");
	buf_consume(&b, 4);
	assert_false(buf_add_str(&b, "abcde"));
	assert_true(buf_add_str(&b, "abcd"));
	assert_holds(&b, "456789abcd");
	buf_finish(&b);
	buf_init(&b, 0);
	assert_false(buf_add_str(&b, "x"));
	assert_true(buf_add_str(&b, ""));
	assert_null(buf_reserve(&b, 1));
	buf_finish(&b);
}

/* The NUL that printf writes is no part of the queue: a text that fits exactly does fit. */
static void test_printed_up_to_the_cap(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 10);
	assert_false(buf_addf(&b, "%s", "01234567890"));
	assert_holds(&b, "");
	assert_true(buf_addf(&b, "%s", "0123456789"));
	assert_holds(&b, "0123456789");
	assert_false(buf_addf(&b, "%d", 1));
	assert_true(buf_addf(&b, "%s", ""));
	assert_holds(&b, "0123456789");
	buf_finish(&b);
	/* A first room that is full but for the NUL. */
	char text[256 + 1];
	for (size_t n = 250; n <= 256; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		buf_init(&b, 256);
		assert_true(buf_addf(&b, "%s", text));
		assert_holds(&b, text);
		buf_finish(&b);
	}
	assert_true(buf_addf(&b, "%s", ""));
	assert_null(b.data);
}

static void test_reserve(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	uint8_t *place = buf_reserve(&b, 0);
	assert_non_null(place); /* NULL means the cap, and only that */
	buf_commit(&b, 0);
	place = buf_reserve(&b, 1000);
	assert_non_null(place);
	assert_null(buf_reserve(&b, 1001));
	assert_null(buf_reserve(&b, SIZE_MAX));
	memset(place, 'x', 1000);
	buf_commit(&b, 3);
	assert_holds(&b, "xxx");
	assert_null(buf_reserve(&b, 998));
	assert_non_null(buf_reserve(&b, 997));
	buf_finish(&b);
}

/* What has been read must not stay behind the end, where nobody wipes it (law 6). */
static void test_moving_leaves_nothing_behind(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 256);
	char filler[201] = {0};
	memset(filler, '.', 200);
	assert_true(buf_add_str(&b, filler));
	assert_true(buf_add_str(&b, "password"));
	buf_consume(&b, 200);
	/* Does not fit behind: moves to the front, within the memory it has. */
	const uint8_t *data = b.data;
	assert_true(buf_add_str(&b, "0123456789012345678901234567890123456789012345678"));
	assert_ptr_equal(b.data, data);
	for (size_t i = b.end; i < 208; i++) {
		assert_int_equal(b.data[i], 0);
	}
	buf_finish(&b);
}

static void test_move(void **state)
{
	(void)state;
	struct buf from;
	struct buf to;
	buf_init(&from, 100);
	buf_init(&to, 50);
	assert_true(buf_add_str(&from, "abcdef"));
	buf_consume(&from, 2);
	buf_move(&to, &from);
	assert_holds(&from, "");
	assert_int_equal(from.cap, 100);
	assert_null(from.data);
	assert_int_equal(to.cap, 50);
	assert_holds(&to, "cdef");
	assert_true(buf_add_str(&to, "g"));
	assert_holds(&to, "cdefg");
	buf_finish(&to);
	buf_move(&to, &from);
	assert_holds(&to, "");
}

/* What may grow for ever takes no more than it needs. */
static void test_the_largest_cap(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_CAP_MAX);
	assert_true(buf_add_str(&b, "abc"));
	assert_int_equal(buf_free_space(&b), BUF_CAP_MAX - 3);
	for (int i = 0; i < 2000; i++) {
		assert_true(buf_add_str(&b, "0123456789"));
	}
	assert_int_equal(buf_len(&b), 20003);
	assert_true(b.room < 100000);
	buf_finish(&b);
}

/* Random steps beside a plain array that never moves anything. */
enum { CAP = 700, STEPS = 20000 };

static void add_one_way(struct buf *b, const uint8_t *bytes, size_t n, bool fits)
{
	int way = rand() % 3;
	bool added;
	if (way == 0) {
		added = buf_add(b, span_of(bytes, n));
	} else if (way == 1) {
		added = buf_addf(b, "%.*s", (int)n, (const char *)bytes);
	} else {
		uint8_t *place = buf_reserve(b, n);
		added = place != NULL;
		if (added) {
			memcpy(place, bytes, n);
			buf_commit(b, n);
		}
	}
	assert_int_equal(added, fits);
}

static void test_as_an_array(void **state)
{
	(void)state;
	struct buf b;
	uint8_t *bytes = malloc((size_t)STEPS * 100);
	size_t begin = 0;
	size_t end = 0;
	buf_init(&b, CAP);
	srand(2);
	for (int step = 0; step < STEPS; step++) {
		size_t n = (size_t)rand() % 100;
		if (rand() % 2 == 0) {
			bool fits = end - begin + n <= CAP;
			for (size_t i = 0; i < n; i++) {
				bytes[end + i] = (uint8_t)('a' + rand() % 26);
			}
			add_one_way(&b, bytes + end, n, fits);
			end += fits ? n : 0;
		} else {
			n = n < end - begin ? n : end - begin;
			buf_consume(&b, n);
			begin += n;
		}
		assert_int_equal(buf_len(&b), end - begin);
		assert_true(span_equal(buf_peek(&b), span_of(bytes + begin, end - begin)));
		assert_true(b.room <= 2 * (CAP + 1));
	}
	buf_finish(&b);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_the_cap_is_exact),
		cmocka_unit_test(test_printed_up_to_the_cap),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_moving_leaves_nothing_behind),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_the_largest_cap),
		cmocka_unit_test(test_as_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
