#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/nearest.h"
#include "config/schema.h"
#include "config/value.h"

#define REFUSED UINT64_MAX

/* Every value is read from memory that ends with it, for the sanitizer to see a byte too many. */
static struct span exact(const char *text, char **memory)
{
	size_t n = strlen(text);
	*memory = malloc(n > 0 ? n : 1);
	assert_non_null(*memory);
	memcpy(*memory, text, n);
	return span_of(*memory, n);
}

static uint64_t duration(const char *text)
{
	char *memory;
	uint64_t ms = 12345;
	bool is_good = value_duration(exact(text, &memory), &ms);
	free(memory);
	if (!is_good) {
		assert_int_equal(ms, 12345);
	}
	return is_good ? ms : REFUSED;
}

static uint64_t size(const char *text)
{
	char *memory;
	uint64_t bytes = 12345;
	bool is_good = value_size(exact(text, &memory), &bytes);
	free(memory);
	if (!is_good) {
		assert_int_equal(bytes, 12345);
	}
	return is_good ? bytes : REFUSED;
}

static void test_durations(void **state)
{
	(void)state;
	assert_int_equal(duration("500ms"), 500);
	assert_int_equal(duration("30s"), 30000);
	assert_int_equal(duration("5m"), 300000);
	assert_int_equal(duration("1h"), 3600000);
	assert_int_equal(duration("2d"), 172800000);
	assert_int_equal(duration("31M"), 1860000);
	assert_int_equal(duration("0"), 0);
	assert_int_equal(duration("7"), 7000);
	assert_int_equal(duration("007s"), 7000);
	static const char *const refused[] = {"", "s", "m5", "5 m", " 5m", "5m ", "-5m", "+5m",
		"1.5h", "5mm", "5x", "18446744073709551615", "18446744073709551616s",
		"18446744073709552s", "5124095576031h"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_true(duration(refused[i]) == REFUSED);
	}
	assert_true(duration("18446744073709551s") == UINT64_C(18446744073709551000));
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(size("64k"), 65536);
	assert_int_equal(size("64K"), 65536);
	assert_int_equal(size("1m"), 1048576);
	assert_int_equal(size("2g"), 2147483648);
	assert_int_equal(size("123"), 123);
	static const char *const refused[] = {
		"", "k", "64kb", "1t", "-1", "64 k", "18014398509481984k", "18446744073709551616"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_true(size(refused[i]) == REFUSED);
	}
	assert_true(size("18014398509481983k") == UINT64_C(18446744073709550592));
}

static void test_modes(void **state)
{
	(void)state;
	unsigned mode = 1;
	assert_true(value_mode(span_str("0660"), &mode));
	assert_int_equal(mode, 0660);
	assert_true(value_mode(span_str("7"), &mode));
	assert_int_equal(mode, 7);
	assert_true(value_mode(span_str("777"), &mode));
	assert_int_equal(mode, 0777);
	static const char *const refused[] = {"", "8", "0668", "1777", "00660", "rw", " 660"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(value_mode(span_str(refused[i]), &mode));
	}
	assert_int_equal(mode, 0777);
}

static void test_words(void **state)
{
	(void)state;
	bool on = false;
	unsigned n = 9;
	assert_true(value_bool(span_str("true"), &on));
	assert_true(on);
	assert_true(value_bool(span_str("false"), &on));
	assert_false(on);
	assert_false(value_bool(span_str("yes"), &on));
	assert_true(value_choice(span_str("b"), "a|b|cc", &n));
	assert_int_equal(n, 1);
	assert_true(value_choice(span_str("cc"), "a|b|cc", &n));
	assert_int_equal(n, 2);
	assert_false(value_choice(span_str("c"), "a|b|cc", &n));
	assert_false(value_choice(span_str(""), "a|b|cc", &n));
	assert_false(value_choice(span_str("a|b"), "a|b|cc", &n));
	assert_int_equal(n, 2);
}

static void test_printing(void **state)
{
	(void)state;
	char text[VALUE_TEXT_MAX];
	static const struct {
		uint64_t ms;
		const char *text;
	} durations[] = {{0, "0ms"}, {1, "1ms"}, {1500, "1500ms"}, {90000, "90s"}, {1860000, "31m"},
		{3600000, "1h"}, {UINT64_MAX, "18446744073709551615ms"}};
	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		value_print_duration(durations[i].ms, text);
		assert_string_equal(text, durations[i].text);
	}
	value_print_size(65536, text);
	assert_string_equal(text, "64k");
	value_print_size(1000, text);
	assert_string_equal(text, "1000");
	value_print_size(0, text);
	assert_string_equal(text, "0");
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("", "", 3), 0);
	assert_int_equal(nearest_distance("abc", "", 5), 3);
	assert_int_equal(nearest_distance("", "abc", 5), 3);
	assert_int_equal(nearest_distance("workers", "wrokers", 3), 1);
	assert_int_equal(nearest_distance("workers", "worker", 3), 1);
	assert_int_equal(nearest_distance("idle-Timeout", "idle_timeout", 3), 0);
	assert_int_equal(nearest_distance("kitten", "sitting", 5), 3);
	assert_int_equal(nearest_distance("abcdef", "uvwxyz", 2), 3);
	char big[200];
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	assert_int_equal(nearest_distance(big, big, 2), 3);
}

static void test_nearest(void **state)
{
	(void)state;
	struct nearest n;
	nearest_init(&n, "mial1");
	nearest_try(&n, "mail22");
	assert_null(n.best);
	nearest_try(&n, "mail1");
	nearest_try(&n, "mail2");
	assert_string_equal(n.best, "mail1");
	nearest_init(&n, "ab");
	nearest_try(&n, "abc");
	assert_null(n.best);
	nearest_try(&n, "AB");
	assert_string_equal(n.best, "AB");
	nearest_try(&n, "ab");
	assert_string_equal(n.best, "AB");
}

/* Every row can be found by its path and by section and name, and its texts are there. */
static void test_schema_rows(void **state)
{
	(void)state;
	size_t count;
	const struct schema_key *keys = schema_keys(&count);
	assert_true(count > 70);
	for (size_t i = 0; i < count; i++) {
		char section[100];
		const char *name = schema_name(&keys[i]);
		size_t n = (size_t)(name - keys[i].path);
		snprintf(section, sizeof section, "%.*s", n > 0 ? (int)n - 1 : 0, keys[i].path);
		assert_ptr_equal(schema_find(keys[i].path), &keys[i]);
		assert_ptr_equal(schema_find_in(section, name), &keys[i]);
		assert_true(schema_is_in(&keys[i], section));
		assert_non_null(keys[i].help);
		if (section[0] != '\0') {
			const struct schema_key *parent = schema_find(section);
			assert_non_null(parent);
			assert_true(parent->type == SCHEMA_GROUP || parent->type == SCHEMA_LIST);
		}
	}
	assert_null(schema_find("pool.nothing"));
	assert_null(schema_find_in("pool", "clients"));
	assert_null(schema_find_in("tls", "name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_printing),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_schema_rows),
	};
	return cmocka_run_group_tests_name("config/value", tests, NULL, NULL);
}
