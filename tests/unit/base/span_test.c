/* Spans and the bounded cursor: never past the end, untouched on failure. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct span nothing = {0};

/* A copy of exactly n bytes, so that the sanitizer sees the first byte read too far. */
static struct span tight(const char *s, size_t n)
{
	uint8_t *p = malloc(n);
	if (n > 0) {
		memcpy(p, s, n);
	}
	return span_of(p, n);
}

static void loosen(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

static void assert_is(struct span s, const char *expected)
{
	assert_int_equal(s.n, strlen(expected));
	if (s.n > 0) {
		assert_memory_equal(s.p, expected, s.n);
	}
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(span_is(span_str("abc"), "abc"));
	assert_false(span_is(span_str("abc"), "abC"));
	assert_false(span_is(span_str("abc"), "abcd"));
	assert_false(span_is(span_of("abc\0", 4), "abc"));
	assert_true(span_equal(span_of("a\0b", 3), span_of("a\0b", 3)));
	assert_false(span_equal(span_of("a\0b", 3), span_of("a\0c", 3)));
	assert_true(span_equal(nothing, span_str("")));
	assert_true(span_is(nothing, ""));
	assert_true(span_is_nocase(nothing, ""));
}

static void test_nocase_is_ascii_only(void **state)
{
	(void)state;
	assert_true(span_is_nocase(span_str("LoGiN"), "lOgIn"));
	assert_false(span_is_nocase(span_str("login"), "logins"));
	/* "@[`{" lie beside the letters; 0xc9 and 0xe9 are letters in Latin-1. */
	assert_false(span_is_nocase(span_str("@"), "`"));
	assert_false(span_is_nocase(span_str("["), "{"));
	assert_false(span_is_nocase(span_of("\xc9", 1), "\xe9"));
	for (int c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		uint8_t other = byte ^ 0x20;
		assert_int_equal(
			span_equal_nocase(span_of(&byte, 1), span_of(&other, 1)), is_letter);
	}
}

static void test_starts_and_contains(void **state)
{
	(void)state;
	assert_true(span_starts_nocase(span_str("CAPABILITY x"), "capability "));
	assert_false(span_starts_nocase(span_str("CAP"), "capability"));
	assert_true(span_starts_nocase(span_str("CAP"), ""));
	assert_true(span_starts_nocase(nothing, ""));
	assert_false(span_starts_nocase(nothing, "x"));
	struct span text = tight("a MODSEQ b", 10);
	assert_true(span_contains_nocase(text, "modseq"));
	assert_true(span_contains_nocase(text, "A m"));
	assert_true(span_contains_nocase(text, " b"));
	assert_true(span_contains_nocase(text, ""));
	assert_true(span_contains_nocase(text, "a modseq b"));
	assert_false(span_contains_nocase(text, "a modseq bc"));
	assert_false(span_contains_nocase(text, " bc"));
	assert_true(span_contains_nocase(nothing, ""));
	assert_false(span_contains_nocase(nothing, "x"));
	loosen(text);
}

static void test_find_slice_chomp(void **state)
{
	(void)state;
	assert_int_equal(span_find(span_str("a b c"), ' '), 1);
	assert_int_equal(span_find(span_str("abc"), ' '), 3);
	assert_int_equal(span_find(span_of("a\0b", 3), 0), 1);
	assert_int_equal(span_find(nothing, 'x'), 0);
	assert_is(span_slice(span_str("abc"), 1, 2), "b");
	assert_is(span_slice(span_str("abc"), 3, 3), "");
	assert_is(span_slice(nothing, 0, 0), "");
	assert_null(span_slice(nothing, 0, 0).p);
	assert_is(span_chomp(span_str("x\r\n")), "x");
	assert_is(span_chomp(span_str("x\n")), "x");
	assert_is(span_chomp(span_str("x\r")), "x\r");
	assert_is(span_chomp(span_str("x\r\r\n")), "x\r");
	assert_is(span_chomp(span_str("\r\n")), "");
	assert_is(span_chomp(span_str("\n")), "");
	assert_is(span_chomp(span_str("\n\n")), "\n");
	assert_is(span_chomp(nothing), "");
}

static void test_take(void **state)
{
	(void)state;
	struct span all = tight("a1 Ok", 5);
	struct span s = all;
	struct span got = span_str("untouched");
	assert_false(span_take(&s, 'b'));
	assert_true(span_take(&s, 'a'));
	assert_false(span_take_bytes(&s, 5, &got));
	assert_is(got, "untouched");
	assert_true(span_take_bytes(&s, 1, &got));
	assert_is(got, "1");
	assert_true(span_take(&s, ' '));
	assert_false(span_take_nocase(&s, "OKAY"));
	assert_is(s, "Ok");
	assert_true(span_take_bytes(&s, 0, &got));
	assert_is(got, "");
	assert_true(span_take_nocase(&s, "OK"));
	assert_int_equal(s.n, 0);
	assert_false(span_take(&s, 0));
	assert_false(span_take_bytes(&s, 1, &got));
	assert_true(span_take_bytes(&s, 0, &got));
	loosen(all);
	s = nothing;
	assert_false(span_take(&s, 0));
	assert_true(span_take_bytes(&s, 0, &got));
	assert_false(span_take_bytes(&s, SIZE_MAX, &got));
}

static void test_take_until(void **state)
{
	(void)state;
	struct span s = span_str("tag (x)");
	assert_is(span_take_until(&s, " "), "tag");
	assert_is(span_take_until(&s, " "), "");
	assert_true(span_take(&s, ' '));
	assert_is(span_take_until(&s, ")("), "");
	assert_true(span_take(&s, '('));
	assert_is(span_take_until(&s, ")"), "x");
	assert_is(span_take_until(&s, ""), ")");
	assert_is(span_take_until(&s, "x"), "");
	/* The NUL behind the stop bytes is not one of them. */
	s = span_of("a\0b", 3);
	assert_int_equal(span_take_until(&s, "b").n, 2);
	s = nothing;
	assert_is(span_take_until(&s, "x"), "");
}

static void test_take_number(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_number;
		uint64_t value;
		const char *rest;
	} rows[] = {
		{"0", true, 0, ""},
		{"007x", true, 7, "x"},
		{"18446744073709551615", true, UINT64_MAX, ""},
		{"18446744073709551615}", true, UINT64_MAX, "}"},
		{"18446744073709551616", false, 0, NULL},
		{"99999999999999999999", false, 0, NULL},
		{"184467440737095516150", false, 0, NULL},
		{"00000000000000000000000000001", true, 1, ""},
		{"9223372036854775808", true, UINT64_C(1) << 63, ""},
		{"", false, 0, NULL},
		{"x1", false, 0, NULL},
		{"-1", false, 0, NULL},
		{"+1", false, 0, NULL},
		{" 1", false, 0, NULL},
		{"1 2", true, 1, " 2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span all = tight(rows[i].text, strlen(rows[i].text));
		struct span s = all;
		uint64_t value = 42;
		assert_int_equal(span_take_number(&s, &value), rows[i].is_number);
		assert_is(s, rows[i].is_number ? rows[i].rest : rows[i].text);
		assert_true(value == (rows[i].is_number ? rows[i].value : 42));
		loosen(all);
	}
}

static void test_printed(void **state)
{
	(void)state;
	char text[16];
	snprintf(text, sizeof text, "<%.*s>", SPAN_ARG(span_of("abcd", 2)));
	assert_string_equal(text, "<ab>");
	snprintf(text, sizeof text, "<%.*s>", SPAN_ARG(nothing));
	assert_string_equal(text, "<>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_nocase_is_ascii_only),
		cmocka_unit_test(test_starts_and_contains),
		cmocka_unit_test(test_find_slice_chomp),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_until),
		cmocka_unit_test(test_take_number),
		cmocka_unit_test(test_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
