/* Listings: who shares one, and that nobody gets another policy's or another server's. */
#include "imap/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const hidden[] = {"SORT"};
static const struct capability_policy plain = {.number = 1};
static const struct capability_policy hiding = {.hide = hidden, .hide_count = 1, .number = 2};
static const struct capability_policy alone = {0};

static void check_told(const struct listing *l, const char *expected)
{
	struct span told = listing_told(l);
	assert_int_equal(told.n, strlen(expected));
	assert_memory_equal(told.p, expected, told.n);
}

static void test_shared(void **state)
{
	(void)state;
	struct listings *table = listings_create();
	struct listing *one = listing_get(table, &plain, span_str("IMAP4rev1 SORT AUTH=PLAIN"));
	struct listing *two = listing_get(table, &plain, span_str("IMAP4rev1 SORT AUTH=PLAIN"));
	struct listing *longer =
		listing_get(table, &plain, span_str("IMAP4rev1 SORT AUTH=PLAIN ID"));
	assert_ptr_equal(one, two);
	assert_ptr_not_equal(one, longer);
	check_told(one, "IMAP4rev1 SORT LITERAL+ SASL-IR ID");
	assert_false(listing_has_id(one));
	assert_true(listing_has_id(longer));
	listing_unref(&one);
	assert_null(one);
	listings_destroy(&table);
	assert_null(table);
	check_told(two, "IMAP4rev1 SORT LITERAL+ SASL-IR ID");
	listing_unref(&two);
	listing_unref(&longer);
	listing_unref(&longer);
}

static void test_policies_are_kept_apart(void **state)
{
	(void)state;
	struct listings *table = listings_create();
	struct listing *one = listing_get(table, &plain, span_str("IMAP4rev1 SORT"));
	struct listing *two = listing_get(table, &hiding, span_str("IMAP4rev1 SORT"));
	check_told(one, "IMAP4rev1 SORT LITERAL+ SASL-IR ID");
	check_told(two, "IMAP4rev1 LITERAL+ SASL-IR ID");
	listing_unref(&one);
	listing_unref(&two);
	listings_destroy(&table);
}

/* A policy without a number may be any other. */
static void test_alone(void **state)
{
	(void)state;
	struct listings *table = listings_create();
	struct listing *one = listing_get(table, &alone, span_str("IMAP4rev1"));
	struct listing *two = listing_get(table, &alone, span_str("IMAP4rev1"));
	struct listing *three = listing_get(NULL, &plain, span_str(""));
	assert_ptr_not_equal(one, two);
	check_told(three, "LITERAL+ SASL-IR ID");
	listing_unref(&one);
	listing_unref(&two);
	listing_unref(&three);
	listings_destroy(&table);
}

/* The table forgets the oldest; who uses it does not notice. */
static void test_replaced(void **state)
{
	(void)state;
	struct listings *table = listings_create();
	struct listing *first = listing_get(table, &plain, span_str("FIRST"));
	for (int i = 0; i < LISTINGS_MAX; i++) {
		char text[16];
		snprintf(text, sizeof text, "X%d", i);
		struct listing *l = listing_get(table, &plain, span_str(text));
		listing_unref(&l);
	}
	struct listing *again = listing_get(table, &plain, span_str("FIRST"));
	assert_ptr_not_equal(first, again);
	check_told(first, "FIRST LITERAL+ SASL-IR ID");
	listing_unref(&first);
	listing_unref(&again);
	listings_destroy(&table);
}

/* Cut in what is told as ever, and not kept. */
static void test_too_long(void **state)
{
	(void)state;
	struct listings *table = listings_create();
	char text[CAPABILITY_LIST_MAX + 2];
	memset(text, 'x', sizeof text);
	text[1] = ' ';
	struct listing *one = listing_get(table, &plain, span_of(text, sizeof text));
	struct listing *two = listing_get(table, &plain, span_of(text, sizeof text));
	assert_ptr_not_equal(one, two);
	check_told(one, "x LITERAL+ SASL-IR ID");
	listing_unref(&one);
	listing_unref(&two);
	listings_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_policies_are_kept_apart),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
