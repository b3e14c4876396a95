/*
 * Map files: lines, comments, mistakes, pieces of any size, and a million users.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "config/linefile.h"
#include "lib/scratch.h"
#include "route/table.h"
#include "route/userfile.h"

static const char *const targets[] = {"mail1", "mail2", "cluster"};

static bool find_target(const void *owner, const char *name, unsigned *number)
{
	(void)owner;
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(targets[i], name) == 0) {
			*number = i;
			return true;
		}
	}
	return false;
}

static const char *near_miss(const void *owner, const char *name)
{
	(void)owner;
	return strcmp(name, "mial1") == 0 ? "mail1" : NULL;
}

static const struct userfile_targets known = {find_target, near_miss, NULL};
static struct usertable *table;
static struct config_errors errors;
static const struct config_place named_at = {"test.conf", 7};

/* Reads the bytes in two pieces; true when there was no error. */
static bool read_split(const char *bytes, size_t n, size_t split)
{
	table = usertable_create();
	struct userfile *f = userfile_create("users.map", known, table, &errors);
	userfile_feed(f, span_of(bytes, split));
	userfile_feed(f, span_of(bytes + split, n - split));
	bool is_good = userfile_end(f);
	userfile_destroy(&f);
	assert_null(f);
	return is_good;
}

static int finish(void **state)
{
	(void)state;
	usertable_destroy(&table);
	config_errors_finish(&errors);
	return 0;
}

/* "target login line" or "none" */
static const char *find(const char *user)
{
	static char text[3000];
	struct usertable_entry e;
	if (!usertable_find(table, span_str(user), &e)) {
		return "none";
	}
	snprintf(text, sizeof text, "%s %.*s %u", targets[e.target], SPAN_ARG(e.login), e.line);
	return text;
}

static const char sample[] = "\xef\xbb\xbf# a comment\n"
			     "alice@example.org\tmail1\n"
			     "Bob@Example.org\t\tmail2 \t bob.b  # his old name\r\n"
			     "\n"
			     "  carol   cluster   c%%%n\n"
			     "dave mail1#2 x\n"
			     "with blank\tmail1\twith blank too\t\n"
			     "hash#mark mail1\n"
			     "\t \n"
			     "last\tmail2";

static void check_sample(void)
{
	assert_string_equal(find("alice@example.org"), "mail1  2");
	assert_string_equal(find("ALICE@EXAMPLE.ORG"), "mail1  2");
	assert_string_equal(find("bob@example.org"), "mail2 bob.b 3");
	assert_string_equal(find("carol"), "cluster c%%%n 5");
	assert_string_equal(find("with blank"), "mail1 with blank too 7");
	assert_string_equal(find("hash#mark"), "mail1  8");
	assert_string_equal(find("last"), "mail2  10");
	assert_string_equal(find("dave"), "none");
	assert_string_equal(find("eve"), "none");
	assert_string_equal(find(""), "none");
	assert_string_equal(find("alice@example.org "), "none");
	assert_int_equal(usertable_count(table), 6);
}

static void test_split_at_every_byte(void **state)
{
	for (size_t i = 0; i <= strlen(sample); i++) {
		assert_false(read_split(sample, strlen(sample), i));
		assert_int_equal(errors.count, 1);
		assert_string_equal(
			errors.lines[0], "users.map:6: unknown backend or group \"mail1#2\"");
		check_sample();
		finish(state);
	}
}

static void test_byte_for_byte(void **state)
{
	(void)state;
	table = usertable_create();
	struct userfile *f = userfile_create("users.map", known, table, &errors);
	for (size_t i = 0; i < strlen(sample); i++) {
		userfile_feed(f, span_of(sample + i, 1));
	}
	assert_false(userfile_end(f));
	userfile_destroy(&f);
	check_sample();
}

static void test_mistakes(void **state)
{
	(void)state;
	static const char text[] = "alice\n"
				   "alice mial1\n"
				   "alice mail1 a b\n"
				   "alice\tmail1\ta\tb\n"
				   "\tmail1\n"
				   "alice\tmail1\t%x\n"
				   "alice\tmail1\t$1\n"
				   "al\0ice mail1\n";
	assert_false(read_split(text, sizeof text - 1, 0));
	static const char *const lines[] = {
		"users.map:1: not of the form: user TAB backend-or-group [TAB login]",
		"users.map:2: unknown backend or group \"mial1\" (did you mean \"mail1\"?)",
		"users.map:3: not of the form: user TAB backend-or-group [TAB login]",
		"users.map:4: not of the form: user TAB backend-or-group [TAB login]",
		"users.map:5: not of the form: user TAB backend-or-group [TAB login]",
		"users.map:6: behind % stands one of u n d %",
		"users.map:7: $ and a digit need a rule with regex",
		"users.map:8: the line holds a NUL byte",
	};
	assert_int_equal(errors.count, sizeof lines / sizeof lines[0]);
	for (size_t i = 0; i < errors.count; i++) {
		assert_string_equal(errors.lines[i], lines[i]);
	}
	assert_int_equal(usertable_count(table), 0);
}

static void test_long_lines(void **state)
{
	(void)state;
	char text[3 * USERFILE_LINE_MAX];
	/* One byte too many for a line; the next line is read again. */
	memset(text, 'x', USERFILE_LINE_MAX + 1);
	memcpy(text + USERFILE_LINE_MAX + 1, "\nalice mail1\n", 14);
	assert_false(read_split(text, USERFILE_LINE_MAX + 14, USERFILE_LINE_MAX - 3));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], "users.map:1: the line is too long");
	assert_string_equal(find("alice"), "mail1  2");
	finish(state);
	/* The longest user name passes, one more byte does not. */
	memset(text, 'x', sizeof text);
	memcpy(text + ROUTE_USER_MAX, " mail1\n", 7);
	assert_true(read_split(text, ROUTE_USER_MAX + 7, 5));
	assert_int_equal(usertable_count(table), 1);
	finish(state);
	memset(text, 'x', sizeof text);
	memcpy(text + ROUTE_USER_MAX + 1, " mail1\n", 7);
	assert_false(read_split(text, ROUTE_USER_MAX + 8, 5));
	assert_string_equal(errors.lines[0], "users.map:1: the name is too long");
}

static void test_errors_are_capped(void **state)
{
	(void)state;
	char text[8 * 100 + 1];
	for (size_t i = 0; i < 100; i++) {
		memcpy(text + 8 * i, "a nowhr\n", 9);
	}
	assert_false(read_split(text, 800, 0));
	assert_int_equal(errors.count, LINEFILE_SHOWN_MAX + 1);
	assert_string_equal(errors.lines[LINEFILE_SHOWN_MAX], "users.map: 80 more errors");
}

static void test_first_line_of_a_user_counts(void **state)
{
	(void)state;
	static const char text[] = "alice mail1\nbob mail1\nALICE mail2\n";
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_true(read_split(text, strlen(text), 0));
	assert_string_equal(find("alice"), "mail1  1");
	assert_int_equal(usertable_count(table), 2);
}

static void test_empty_file(void **state)
{
	(void)state;
	assert_true(read_split("", 0, 0));
	assert_string_equal(find("alice"), "none");
	assert_int_equal(usertable_count(table), 0);
}

static void test_files_that_cannot_be_read(void **state)
{
	(void)state;
	static const char *const names[] = {"/no/such/map", "/", "/dev/zero"};
	for (size_t i = 0; i < 3; i++) {
		table = usertable_create();
		struct userfile *f = userfile_create(names[i], known, table, &errors);
		assert_false(userfile_read(f, named_at));
		assert_int_equal(errors.count, 1);
		assert_non_null(strstr(errors.lines[0], "test.conf:7: users.file: cannot read"));
		userfile_destroy(&f);
		finish(state);
	}
}

/* One thread, so that the thread sanitizer would only make it slow. */
#ifdef __SANITIZE_THREAD__
#define MILLION 100000
#else
#define MILLION 1000000
#endif

static void write_million(const char **path)
{
	char *text = malloc((size_t)MILLION * 48);
	assert_non_null(text);
	size_t len = 0;
	for (unsigned i = 0; i < MILLION; i++) {
		len += (size_t)sprintf(text + len, "user%06u@department%u.example.org\t%s\n", i,
			i % 97, targets[i % 3]);
	}
	*path = scratch_write_bytes("million.map", text, len);
	free(text);
}

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* At most 100 bytes a line, said by the table and by the allocator. */
static void test_a_million_lines(void **state)
{
	(void)state;
	const char *path;
	struct timespec begin;
	write_million(&path);
	malloc_trim(0);
	struct mallinfo2 before = mallinfo2();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	table = usertable_create();
	struct userfile *f = userfile_create(path, known, table, &errors);
	assert_true(userfile_read(f, named_at));
	userfile_destroy(&f);
	double loaded = seconds_since(&begin);
	struct mallinfo2 after = mallinfo2();
	size_t used = (after.uordblks + after.hblkhd) - (before.uordblks + before.hblkhd);
	print_message("# %.2f s, %.1f bytes a line (allocator: %.1f)\n", loaded,
		(double)usertable_memory(table) / MILLION, (double)used / MILLION);
	assert_int_equal(usertable_count(table), MILLION);
	assert_true(usertable_memory(table) <= (size_t)100 * MILLION);
	/* Sanitizers replace the allocator and count nothing. */
	assert_true(used <= (size_t)100 * MILLION);
	assert_string_equal(find("USER000004@department4.example.org"), "mail2  5");
	char last[64];
	char where[64];
	snprintf(last, sizeof last, "user%06u@department%u.example.org", MILLION - 1,
		(MILLION - 1) % 97);
	snprintf(where, sizeof where, "%s  %u", targets[(MILLION - 1) % 3], MILLION);
	assert_string_equal(find(last), where);
	assert_string_equal(find("user099999@department98.example.org"), "none");
	scratch_remove();
}

/* Cost of a lookup in a large table against one in a small one: probes, not time, decide; but even
 * the clock must not see a factor that grows with the size. */
static double lookup_cost(unsigned users)
{
	char name[64];
	struct timespec begin;
	table = usertable_create();
	for (unsigned i = 0; i < users; i++) {
		snprintf(name, sizeof name, "user%u", i);
		struct usertable_entry e = {.user = span_str(name)};
		assert_true(usertable_add(table, &e));
	}
	usertable_seal(table, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned i = 0; i < 20000; i++) {
		struct usertable_entry e;
		snprintf(name, sizeof name, "user%u", i * 7919 % users);
		assert_true(usertable_find(table, span_str(name), &e));
	}
	double cost = seconds_since(&begin);
	usertable_destroy(&table);
	return cost;
}

static void test_lookup_is_constant(void **state)
{
	(void)state;
	double small = lookup_cost(100);
	double large = lookup_cost(MILLION / 4);
	/* A thousand times the users and more; caches miss more often, nothing else. */
	assert_true(large < 50 * small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_split_at_every_byte, finish),
		cmocka_unit_test_teardown(test_byte_for_byte, finish),
		cmocka_unit_test_teardown(test_mistakes, finish),
		cmocka_unit_test_teardown(test_long_lines, finish),
		cmocka_unit_test_teardown(test_errors_are_capped, finish),
		cmocka_unit_test_teardown(test_first_line_of_a_user_counts, finish),
		cmocka_unit_test_teardown(test_empty_file, finish),
		cmocka_unit_test_teardown(test_files_that_cannot_be_read, finish),
		cmocka_unit_test_teardown(test_a_million_lines, finish),
		cmocka_unit_test_teardown(test_lookup_is_constant, finish),
	};
	return cmocka_run_group_tests_name("route/userfile", tests, NULL, NULL);
}
