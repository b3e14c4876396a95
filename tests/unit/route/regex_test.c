#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "route/regex.h"

static struct span groups[REGEX_GROUPS];

static enum regex_verdict match(const char *pattern, struct span name)
{
	char why[REGEX_WHY_MAX];
	struct regex *r = regex_create(pattern, why);
	assert_non_null(r);
	assert_true(regex_memory(r) > 0);
	enum regex_verdict verdict = regex_match(r, name, groups);
	regex_destroy(&r);
	assert_null(r);
	return verdict;
}

static void test_groups(void **state)
{
	(void)state;
	const char *name = "Bob@OLD.example";
	assert_int_equal(match("^(.+)@(x)?old\\.example$", span_str(name)), REGEX_YES);
	assert_true(span_is(groups[0], name));
	assert_true(span_is(groups[1], "Bob"));
	assert_int_equal(groups[2].n, 0);
	assert_int_equal(groups[9].n, 0);
	assert_int_equal(
		match("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)", span_str("abcdefghijk")), REGEX_YES);
	assert_true(span_is(groups[9], "i"));
	assert_int_equal(match("^alice$", span_str("bob")), REGEX_NO);
	assert_int_equal(match("li", span_str("alice")), REGEX_YES);
}

static void test_number_of_groups(void **state)
{
	(void)state;
	char why[REGEX_WHY_MAX];
	struct regex *r = regex_create("a", why);
	assert_int_equal(regex_groups(r), 1);
	regex_destroy(&r);
	r = regex_create("(a)(?:b)(c)", why);
	assert_int_equal(regex_groups(r), 3);
	regex_destroy(&r);
	r = regex_create("(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)", why);
	assert_int_equal(regex_groups(r), REGEX_GROUPS);
	regex_destroy(&r);
	regex_destroy(&r);
}

/* A newline at the end would pass "$" by PCRE2's default. */
static void test_dollar_is_the_end(void **state)
{
	(void)state;
	assert_int_equal(match("^alice$", span_of("alice\n", 6)), REGEX_NO);
	assert_int_equal(match("^alice$", span_of("x\nalice", 7)), REGEX_NO);
	assert_int_equal(match("^alice$", span_of("alice\nx", 7)), REGEX_NO);
}

static void test_bytes_not_characters(void **state)
{
	(void)state;
	static const uint8_t broken[] = {0xc3, 0x28, 0xff, 0xfe};
	assert_int_equal(match("^....$", span_of(broken, sizeof broken)), REGEX_YES);
	char why[REGEX_WHY_MAX];
	assert_null(regex_create("(*UTF)x", why));
}

static void test_wrong_expressions(void **state)
{
	(void)state;
	char why[REGEX_WHY_MAX] = "";
	static const char *const wrong[] = {"(", "[", "a**?+", "\\", "(?<n>", "(?R", "*"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		memset(why, 0, sizeof why);
		assert_null(regex_create(wrong[i], why));
		assert_non_null(strstr(why, "(at byte "));
	}
}

/* Names that make an expression explode end it by the limit, and soon. */
static void test_hostile_names_hit_the_limit(void **state)
{
	(void)state;
	char name[1024];
	memset(name, 'a', sizeof name);
	static const char *const slow[] = {"^(a+)+$", "^(a|aa)+$", "^((a*)*)*$", "(a*)*b",
		"^(?:a?){60}a{60}$", "^(([a-z])+.)+[A-Z]([a-z])+$"};
	name[sizeof name - 1] = '!';
	clock_t begin = clock();
	for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
		assert_int_not_equal(match(slow[i], span_of(name, sizeof name)), REGEX_YES);
	}
	assert_int_equal(match("^(a+)+$", span_of(name, sizeof name)), REGEX_LIMIT);
	/* Deep recursion is no crash either. */
	assert_int_not_equal(match("^(a(?1)?b|a)*$", span_of(name, sizeof name)), REGEX_YES);
	assert_true(clock() - begin < 20 * CLOCKS_PER_SEC);
}

static void test_strange_groups(void **state)
{
	(void)state;
	char why[REGEX_WHY_MAX];
	/* A match that ends before it starts: group 0 would have a negative length. */
	assert_null(regex_create("(?=ab\\K)", why));
	assert_int_equal(match("(?(DEFINE)(ab\\K))(?=(?1))", span_str("ab")), REGEX_YES);
	assert_int_equal(groups[0].n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_number_of_groups),
		cmocka_unit_test(test_dollar_is_the_end),
		cmocka_unit_test(test_bytes_not_characters),
		cmocka_unit_test(test_wrong_expressions),
		cmocka_unit_test(test_hostile_names_hit_the_limit),
		cmocka_unit_test(test_strange_groups),
	};
	return cmocka_run_group_tests_name("route/regex", tests, NULL, NULL);
}
