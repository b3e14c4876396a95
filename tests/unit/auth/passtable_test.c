/*
 * The table of users and passwords: several schemes of one user, names that differ in case, doubles.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/passtable.h"

static unsigned repeated, repeated_first;

static void on_repeated(
	void *owner, const struct passtable_entry *later, const struct passtable_entry *first)
{
	assert_ptr_equal(owner, &repeated);
	assert_int_equal(later->scheme, first->scheme);
	repeated = later->line;
	repeated_first = first->line;
}

static void add(
	struct passtable *t, const char *user, enum scheme scheme, const char *value, unsigned line)
{
	assert_true(passtable_add(t, &(struct passtable_entry){
					     .user = span_str(user),
					     .value = span_str(value),
					     .scheme = scheme,
					     .line = line,
				     }));
}

static void test_schemes_of_a_user(void **state)
{
	(void)state;
	struct passtable *t = passtable_create();
	struct passtable_entry e;
	add(t, "Alice", SCHEME_PLAIN, "one", 1);
	add(t, "alice", SCHEME_CRYPT, "two", 2);
	add(t, "bob", SCHEME_PLAIN, "", 3);
	add(t, "ALICE", SCHEME_PLAIN, "three", 4);
	add(t, "", SCHEME_PLAIN, "nobody", 5);
	passtable_seal(t, on_repeated, &repeated);
	assert_int_equal(repeated, 4);
	assert_int_equal(repeated_first, 1);
	assert_int_equal(passtable_count(t), 4);
	assert_true(passtable_find(t, span_str("aLICE"), SCHEME_PLAIN, &e));
	assert_true(span_is(e.user, "Alice"));
	assert_true(span_is(e.value, "one"));
	assert_true(passtable_find(t, span_str("alice"), SCHEME_CRYPT, &e));
	assert_true(span_is(e.value, "two"));
	assert_false(passtable_find(t, span_str("alice"), SCHEME_CRAM_MD5, &e));
	assert_false(passtable_find(t, span_str("alic"), SCHEME_PLAIN, &e));
	assert_true(passtable_find(t, span_str("bob"), SCHEME_PLAIN, &e));
	assert_int_equal(e.value.n, 0);
	assert_int_equal(passtable_schemes(t, span_str("alice")),
		SCHEME_BIT(SCHEME_PLAIN) | SCHEME_BIT(SCHEME_CRYPT));
	passtable_destroy(&t);
	assert_null(t);
	passtable_destroy(&t);
}

static void test_empty(void **state)
{
	(void)state;
	struct passtable *t = passtable_create();
	struct passtable_entry e;
	passtable_seal(t, on_repeated, &repeated);
	assert_int_equal(passtable_count(t), 0);
	assert_int_equal(passtable_schemes(t, span_str("alice")), 0);
	assert_int_equal(passtable_all_schemes(t), 0);
	assert_false(passtable_find(t, span_str(""), SCHEME_PLAIN, &e));
	assert_false(passtable_first(t, SCHEME_PLAIN, &e));
	passtable_destroy(&t);
}

static void test_many(void **state)
{
	(void)state;
	struct passtable *t = passtable_create();
	char user[32];
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(user, sizeof user, "user%u", i / 2);
		add(t, user, i % 2 == 0 ? SCHEME_PLAIN : SCHEME_CRYPT, user + 4, i + 1);
	}
	passtable_seal(t, on_repeated, &repeated);
	assert_int_equal(passtable_count(t), 20000);
	for (unsigned i = 0; i < 10000; i++) {
		struct passtable_entry e;
		snprintf(user, sizeof user, "USER%u", i);
		assert_true(passtable_find(t, span_str(user), SCHEME_CRYPT, &e));
		assert_true(span_is(e.value, user + 4));
		assert_int_equal(e.line, 2 * i + 2);
	}
	passtable_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes_of_a_user),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
