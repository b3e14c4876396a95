#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/command.h"

static void good_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line, *tag, *verb, *args;
	} rows[] = {
		{"a NOOP", "a", "NOOP", ""},
		{"a NOOP ", "a", "NOOP", ""},
		{"A1.2-x] login u p", "A1.2-x]", "login", "u p"},
		{"a UID FETCH 1 (FLAGS)", "a", "UID", "FETCH 1 (FLAGS)"},
		{"a X-APPLE_1.2  y", "a", "X-APPLE_1.2", " y"},
		{"%d", NULL, NULL, NULL},
	};
	for (size_t i = 0; rows[i].tag != NULL; i++) {
		struct command c;
		assert_int_equal(command_split(span_str(rows[i].line), &c), COMMAND_GOOD);
		assert_true(span_is(c.tag, rows[i].tag));
		assert_true(span_is(c.verb, rows[i].verb));
		assert_true(span_is(c.args, rows[i].args));
	}
}

static void bad_tags(void **state)
{
	(void)state;
	static const char *const lines[] = {"", " NOOP", "* NOOP", "+ NOOP", "a+b NOOP", "a( NOOP",
		"a) NOOP", "a{1} NOOP", "%n%s NOOP", "a\" NOOP", "a\\ NOOP", "a\tb NOOP",
		"\xc3\xa4 NOOP", "a\x7f NOOP", "\x16\x03\x01"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct command c = {0};
		assert_int_equal(command_split(span_str(lines[i]), &c), COMMAND_BAD_TAG);
		assert_null(c.tag.p);
	}
	struct command c = {0};
	assert_int_equal(command_split(span_of("a\0b NOOP", 8), &c), COMMAND_BAD_TAG);
}

static void bad_verbs(void **state)
{
	(void)state;
	static const char *const lines[] = {"a", "a ", "a  NOOP", "GET / HTTP/1.1", "a (NOOP)",
		"a 1NOOP", "a NOOP\t", "a LOGIN\"u\" p", "a \xc3\xa4"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct command c = {0};
		assert_int_equal(command_split(span_str(lines[i]), &c), COMMAND_BAD_VERB);
		assert_int_equal(c.tag.n, strcspn(lines[i], " "));
		assert_null(c.verb.p);
	}
}

static void bounds(void **state)
{
	(void)state;
	char line[COMMAND_TAG_MAX + COMMAND_VERB_MAX + 3];
	memset(line, 'x', sizeof(line));
	line[COMMAND_TAG_MAX] = ' ';
	struct command c;
	struct span whole = span_of(line, COMMAND_TAG_MAX + 1 + COMMAND_VERB_MAX);
	assert_int_equal(command_split(whole, &c), COMMAND_GOOD);
	assert_int_equal(c.verb.n, COMMAND_VERB_MAX);
	whole.n++;
	assert_int_equal(command_split(whole, &c), COMMAND_BAD_VERB);
	line[COMMAND_TAG_MAX] = 'x';
	line[COMMAND_TAG_MAX + 1] = ' ';
	assert_int_equal(command_split(whole, &c), COMMAND_BAD_TAG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines),
		cmocka_unit_test(bad_tags),
		cmocka_unit_test(bad_verbs),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
