#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/command_reader.h"

/* A word for each result, and the text where there is one. Literals above 9 octets are refused. */
static void note(struct command_reader *r, enum command_read read, struct buf *log)
{
	static const char *const words[] = {
		[COMMAND_READ_LITERAL] = "literal",
		[COMMAND_READ_WHOLE] = "whole",
		[COMMAND_READ_MALFORMED] = "malformed",
		[COMMAND_READ_DRAINED] = "drained",
		[COMMAND_READ_TOO_LONG] = "too long",
	};
	assert_true(buf_add_str(log, words[read]));
	if (read == COMMAND_READ_WHOLE || read == COMMAND_READ_MALFORMED) {
		assert_true(buf_add_str(log, "="));
		assert_true(buf_add(log, command_reader_text(r)));
	}
	if (read == COMMAND_READ_LITERAL) {
		assert_true(buf_addf(log, "%d", (int)r->literal.size));
	}
	assert_true(buf_add_str(log, ";"));
}

static bool feed(struct command_reader *r, struct span in, struct buf *log)
{
	do {
		enum command_read read = command_reader_feed(r, &in);
		if (read == COMMAND_READ_MORE) {
			assert_int_equal(in.n, 0);
			return true;
		}
		note(r, read, log);
		if (read == COMMAND_READ_TOO_LONG) {
			return false;
		}
		if (read != COMMAND_READ_LITERAL) {
			command_reader_next(r);
		} else if (r->literal.size < 10) {
			command_reader_accept(r);
		} else if (command_reader_refuse(r)) {
			command_reader_next(r);
		}
	} while (in.n > 0);
	return true;
}

static void check(const char *text, const char *wanted)
{
	struct span input = span_str(text);
	for (size_t cut = 0; cut <= input.n; cut++) {
		struct command_reader r;
		struct buf log;
		command_reader_init(&r, 20, 60);
		buf_init(&log, 4096);
		if (cut < input.n) {
			if (feed(&r, span_slice(input, 0, cut), &log)) {
				feed(&r, span_slice(input, cut, input.n), &log);
			}
		} else {
			for (size_t i = 0; i < input.n; i++) {
				if (!feed(&r, span_slice(input, i, i + 1), &log)) {
					break;
				}
			}
		}
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("cut %zu: %.*s, not %s", cut, SPAN_ARG(got), wanted);
		}
		buf_finish(&log);
		command_reader_finish(&r);
	}
}

static void lines(void **state)
{
	(void)state;
	check("a NOOP\r\nb NOOP\n\r\n\nc", "whole=a NOOP;whole=b NOOP;whole=;whole=;");
	check("a\rb\r\nc \"\r\nd\r\r\n", "malformed=a\rb;malformed=c \";malformed=d\r;");
	struct command_reader r;
	command_reader_init(&r, 20, 60);
	struct span in = span_of("a\0b\n", 4);
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_MALFORMED);
	assert_true(span_equal(command_reader_text(&r), span_of("a\0b", 3)));
	command_reader_finish(&r);
}

static void literals(void **state)
{
	(void)state;
	check("a {2}\r\nxy {0}\n z\r\nb\r\n",
		"literal2;literal0;whole=a {2}\r\nxy {0}\r\n z;whole=b;");
	check("a {3+}\n\r\n{\nb\n", "literal3;whole=a {3+}\r\n\r\n{;whole=b;");
	check("a {9}\r\n123456789{5}\r\nb\r\n",
		"literal9;malformed=a {9}\r\n123456789{5};whole=b;");
}

static void refused_literals(void **state)
{
	(void)state;
	check("a {10}\r\nb\r\n", "literal10;whole=b;");
	check("a {10+}\r\n0123\r\n678\r\nb\r\n", "literal10;drained;whole=b;");
	check("a {10+}\r\n0123456789 {4+}\r\n\r\n\r\n x\r\nb\r\n", "literal10;drained;whole=b;");
	check("a {10+}\r\n0123456789 {4}\r\nb\r\n", "literal10;drained;whole=b;");
	check("a {10+}\r\n0123456789 {4\r\nb\r\n", "literal10;drained;whole=b;");
	check("a {10+}\r\n0123456789 {0+}\r\n {0+}\r\n\r\nb\r\n", "literal10;drained;whole=b;");
}

static void bounds(void **state)
{
	(void)state;
	check("01234567890123456789\r\n", "whole=01234567890123456789;");
	check("012345678901234567890\r\n", "too long;");
	check("012345678901234567890123456789", "too long;");
	check("a {2}\r\nxy1234567890123456789\n", "literal2;whole=a {2}\r\nxy1234567890123456789;");
	check("a {2}\r\nxy123456789012345678901\n", "literal2;too long;");
	/* The sum of lines and literals. */
	check("a {9}\r\n123456789 {9}\r\n123456789 {9}\r\n123456789 {9}\r\n123456789",
		"literal9;literal9;literal9;literal9;too long;");
	check("a {9}\r\n123456789 {9}\r\n123456789 {9}\r\n123456789 2345678901\r\n",
		"literal9;literal9;literal9;whole=a {9}\r\n123456789 {9}\r\n123456789 {9}\r\n"
		"123456789 2345678901;");
	check("a {9}\r\n123456789 {9}\r\n123456789 {9}\r\n123456789 234567890123456\r\n",
		"literal9;literal9;literal9;too long;");
	/* A drained line is bounded, too. */
	check("a {10+}\r\n0123456789 234567890123456789012", "literal10;too long;");
}

static void plain_lines(void **state)
{
	(void)state;
	struct command_reader r;
	command_reader_init(&r, 20, 60);
	command_reader_next_line(&r, 30);
	assert_true(command_reader_is_empty(&r));
	struct span in = span_str("this {is} one line {30+}\r\na {2+}\r\nxy");
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_WHOLE);
	assert_true(span_is(command_reader_text(&r), "this {is} one line {30+}"));
	command_reader_next(&r);
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_LITERAL);
	assert_true(span_is(command_reader_first_line(&r), "a {2+}"));
	command_reader_accept(&r);
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_MORE);
	assert_false(command_reader_is_empty(&r));
	in = span_str(" 12345678901234567890");
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_MORE);
	in = span_str("!");
	assert_int_equal(command_reader_feed(&r, &in), COMMAND_READ_TOO_LONG);
	command_reader_finish(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(literals),
		cmocka_unit_test(refused_literals),
		cmocka_unit_test(bounds),
		cmocka_unit_test(plain_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
