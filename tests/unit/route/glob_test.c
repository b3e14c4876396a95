#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "route/glob.h"

static bool match(const char *pattern, const char *name)
{
	/* A copy that ends with the name, for the sanitizer. */
	size_t n = strlen(name);
	char *exact = malloc(n > 0 ? n : 1);
	assert_non_null(exact);
	memcpy(exact, name, n);
	bool is_match = glob_match(pattern, span_of(exact, n));
	free(exact);
	return is_match;
}

static void test_matches(void **state)
{
	(void)state;
	static const char *const yes[][2] = {
		{"", ""},
		{"*", ""},
		{"*", "anything"},
		{"**", "x"},
		{"a", "A"},
		{"?", "x"},
		{"a?c", "abc"},
		{"*@example.org", "alice@example.org"},
		{"*@example.org", "Alice@EXAMPLE.org"},
		{"*@example.org", "@example.org"},
		{"*@example.org", "a@example.org@example.org"},
		{"al*@*.org", "alice@example.org"},
		{"a*b*c", "aXbYbZc"},
		{"*a*b", "aab"},
		{"?*", "x"},
		{"*?", "x"},
		{"*?*", "x"},
		{"CORP\\*", "corp\\alice"},
		{"[a]", "[A]"},
	};
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (!match(yes[i][0], yes[i][1])) {
			print_error("%s should match %s\n", yes[i][0], yes[i][1]);
			fail();
		}
	}
}

static void test_does_not_match(void **state)
{
	(void)state;
	static const char *const no[][2] = {
		{"", "a"},
		{"?", ""},
		{"a", ""},
		{"a", "ab"},
		{"ab", "a"},
		{"?*", ""},
		{"a?c", "ac"},
		{"*@example.org", "alice@example.org.evil"},
		{"*@example.org", "alice@example.com"},
		{"*@example.org", "example.org"},
		{"a*b*c", "acb"},
		{"*ab", "aabc"},
		{"a*a", "a"},
		{"[ab]", "a"},
	};
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		if (match(no[i][0], no[i][1])) {
			print_error("%s should not match %s\n", no[i][0], no[i][1]);
			fail();
		}
	}
}

static void test_any_bytes(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {0xff, '\n', 0, 0x80, '@', 'x'};
	assert_true(glob_match("*@x", span_of(bytes, sizeof bytes)));
	assert_true(glob_match("????@x", span_of(bytes, sizeof bytes)));
	assert_false(glob_match("???@x", span_of(bytes, sizeof bytes)));
}

/* Simple recursion as the truth, over all patterns and names of a small alphabet. */
static bool truth(const char *p, const char *s)
{
	if (*p == '\0') {
		return *s == '\0';
	}
	if (*p == '*') {
		return truth(p + 1, s) || (*s != '\0' && truth(p, s + 1));
	}
	return *s != '\0' && (*p == '?' || *p == *s) && truth(p + 1, s + 1);
}

static void spell(unsigned number, const char *alphabet, char *out)
{
	size_t n = strlen(alphabet);
	size_t len = 0;
	for (; number > 0; number = (number - 1) / (unsigned)n) {
		out[len++] = alphabet[(number - 1) % n];
	}
	out[len] = '\0';
}

static void test_agrees_with_the_definition(void **state)
{
	(void)state;
	char pattern[16];
	char name[16];
	for (unsigned p = 0; p < 1365; p++) { /* up to 5 of 4 symbols */
		spell(p, "ab*?", pattern);
		for (unsigned s = 0; s < 127; s++) { /* up to 6 of 2 symbols */
			spell(s, "ab", name);
			if (glob_match(pattern, span_str(name)) != truth(pattern, name)) {
				print_error("%s on %s\n", pattern, name);
				fail();
			}
		}
	}
}

/* Exponential in a naive matcher: 40 stars over 1000 bytes would not end in this world. */
static void test_many_stars_are_cheap(void **state)
{
	(void)state;
	char pattern[200] = "";
	char name[1001];
	for (size_t i = 0; i < 40; i++) {
		memcpy(pattern + 2 * i, "*a", 3);
	}
	memcpy(pattern + 80, "*b", 3);
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	clock_t begin = clock();
	assert_false(glob_match(pattern, span_str(name)));
	name[999] = 'b';
	assert_true(glob_match(pattern, span_str(name)));
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
}

static void test_is_pattern(void **state)
{
	(void)state;
	assert_true(glob_is_pattern("*"));
	assert_true(glob_is_pattern("a?"));
	assert_false(glob_is_pattern(""));
	assert_false(glob_is_pattern("alice[0]\\@example.org"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_does_not_match),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_agrees_with_the_definition),
		cmocka_unit_test(test_many_stars_are_cheap),
		cmocka_unit_test(test_is_pattern),
	};
	return cmocka_run_group_tests_name("route/glob", tests, NULL, NULL);
}
