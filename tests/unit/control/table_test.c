/* Tables: columns line up whatever is in them, and nobody draws on the terminal. */
#include "control/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = {{"NAME", false}, {"COUNT", true}, {"NOTE", false}};

static void expect_table(const char *const *cells, size_t count, const char *wanted)
{
	struct table t;
	char *text = NULL;
	size_t size = 0;
	table_init(&t, columns, 3);
	for (size_t i = 0; i < count; i++) {
		table_add(&t, cells[i]);
	}
	FILE *out = open_memstream(&text, &size);
	table_print(&t, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
	table_finish(&t);
	assert_null(t.cells);
}

static void test_columns_line_up(void **state)
{
	(void)state;
	const char *const cells[] = {"a", "1", "short", "a longer one", "1234567", "", "", "", "x"};
	expect_table(cells, 9,
		"NAME            COUNT  NOTE\n"
		"a                   1  short\n"
		"a longer one  1234567  -\n"
		"-                   -  x\n");
	expect_table(cells, 0, "NAME  COUNT  NOTE\n");
}

static void test_utf8_counts_characters(void **state)
{
	(void)state;
	const char *const cells[] = {"j\xc3\xbcrgen", "1", "\xe2\x82\xac", "juergen", "2", "."};
	expect_table(cells, 6,
		"NAME     COUNT  NOTE\n"
		"j\xc3\xbcrgen       1  \xe2\x82\xac\n"
		"juergen      2  .\n");
}

static void test_control_characters_are_shown(void **state)
{
	(void)state;
	const char *const cells[] = {"\x1b[31m", "\x7f", "a\nb",
		("\xc2\x9b"
		 "31m"), /* two, or 31 would belong to the escape */
		"\xff", "\xe2\x82", "\xc0\x80", "\xf5\x80\x80\x80", "\xc3"};
	expect_table(cells, 9,
		"NAME                    COUNT  NOTE\n"
		"\\x1b[31m                 \\x7f  a\\x0ab\n"
		"\\xc2\\x9b31m              \\xff  \\xe2\\x82\n"
		"\\xc0\\x80     \\xf5\\x80\\x80\\x80  \\xc3\n");
}

static void test_long_cells_are_cut(void **state)
{
	(void)state;
	char exact[TABLE_CELL_MAX + 1];
	char longer[TABLE_CELL_MAX + 2];
	char last[1000];
	memset(exact, 'e', sizeof exact - 1);
	memset(longer, 'l', sizeof longer - 1);
	memset(last, 'x', sizeof last - 1);
	exact[sizeof exact - 1] = longer[sizeof longer - 1] = last[sizeof last - 1] = '\0';
	struct table t;
	table_init(&t, columns, 3);
	table_add(&t, exact);
	table_add(&t, longer);
	table_add(&t, last);
	assert_string_equal(t.cells[0], exact);
	assert_int_equal(strlen(t.cells[1]), TABLE_CELL_MAX);
	assert_string_equal(t.cells[1] + TABLE_CELL_MAX - 4, "l...");
	assert_string_equal(t.cells[2], last);
	table_finish(&t);
}

static void expect_time(uint64_t ms, const char *wanted)
{
	char text[TABLE_VALUE_MAX];
	table_format_time(ms, text);
	assert_string_equal(text, wanted);
}

static void test_times(void **state)
{
	(void)state;
	expect_time(0, "0ms");
	expect_time(999, "999ms");
	expect_time(1000, "1s");
	expect_time(59999, "59s");
	expect_time(60000, "1m00s");
	expect_time(3599999, "59m59s");
	expect_time(3600000, "1h00m");
	expect_time(86399999, "23h59m");
	expect_time(86400000, "1d00h");
	expect_time(UINT64_MAX, "213503982334d14h");
}

static void expect_size(uint64_t bytes, const char *wanted)
{
	char text[TABLE_VALUE_MAX];
	table_format_size(bytes, text);
	assert_string_equal(text, wanted);
}

static void test_sizes(void **state)
{
	(void)state;
	expect_size(0, "0");
	expect_size(1023, "1023");
	expect_size(1024, "1.0k");
	expect_size(1536, "1.5k");
	expect_size(20480, "20k");
	expect_size(UINT64_C(5) << 30, "5.0G");
	expect_size(UINT64_MAX, "16E");
}

static void expect_rate(double rate, const char *wanted)
{
	char text[TABLE_VALUE_MAX];
	table_format_rate(rate, text);
	assert_string_equal(text, wanted);
}

static void test_rates(void **state)
{
	(void)state;
	expect_rate(0, "0%");
	expect_rate(0.0001, "1%");
	expect_rate(0.5, "50%");
	expect_rate(0.9999, "99%");
	expect_rate(1, "100%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_line_up),
		cmocka_unit_test(test_utf8_counts_characters),
		cmocka_unit_test(test_control_characters_are_shown),
		cmocka_unit_test(test_long_cells_are_cut),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
