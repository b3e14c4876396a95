#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/response.h"

static void parts(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum response_kind kind;
		enum response_status status;
		const char *tag, *word, *code, *code_args, *text;
	} rows[] = {
		{"", RESPONSE_EMPTY, RESPONSE_DATA, "", "", "", "", ""},
		{"* OK ready", RESPONSE_UNTAGGED, RESPONSE_OK, "", "OK", "", "", "ready"},
		{"* ok [CAPABILITY A B] ready", RESPONSE_UNTAGGED, RESPONSE_OK, "", "ok",
			"CAPABILITY", "A B", "ready"},
		{"* PREAUTH hi", RESPONSE_UNTAGGED, RESPONSE_PREAUTH, "", "PREAUTH", "", "", "hi"},
		{"* BYE", RESPONSE_UNTAGGED, RESPONSE_BYE, "", "BYE", "", "", ""},
		{"a BAD Invalid {9}", RESPONSE_TAGGED, RESPONSE_BAD, "a", "BAD", "", "",
			"Invalid {9}"},
		{"a NO [ALERT] x [y]", RESPONSE_TAGGED, RESPONSE_NO, "a", "NO", "ALERT", "",
			"x [y]"},
		{"a NO [ALERT", RESPONSE_TAGGED, RESPONSE_NO, "a", "NO", "", "", "[ALERT"},
		{"a NO []x", RESPONSE_TAGGED, RESPONSE_NO, "a", "NO", "", "", "x"},
		{"a NO x [ALERT]", RESPONSE_TAGGED, RESPONSE_NO, "a", "NO", "", "", "x [ALERT]"},
		{"* CAPABILITY A B", RESPONSE_UNTAGGED, RESPONSE_DATA, "", "CAPABILITY", "", "",
			"A B"},
		{"* 23 EXISTS", RESPONSE_UNTAGGED, RESPONSE_DATA, "", "23", "", "", "EXISTS"},
		{"+ OK", RESPONSE_CONTINUE, RESPONSE_DATA, "", "", "", "", "OK"},
		{"+", RESPONSE_CONTINUE, RESPONSE_DATA, "", "", "", "", ""},
		{"+OK", RESPONSE_TAGGED, RESPONSE_DATA, "+OK", "", "", "", ""},
		{"*", RESPONSE_UNTAGGED, RESPONSE_DATA, "", "", "", "", ""},
		{" OK x", RESPONSE_TAGGED, RESPONSE_DATA, "", "OK", "", "", "x"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) - 1; i++) {
		struct response r = response_parse(span_str(rows[i].line));
		assert_int_equal(r.kind, rows[i].kind);
		assert_int_equal(r.status, rows[i].status);
		assert_true(span_is(r.tag, rows[i].tag));
		assert_true(span_is(r.word, rows[i].word));
		assert_true(span_is(r.code, rows[i].code));
		assert_true(span_is(r.code_args, rows[i].code_args));
		assert_true(span_is(r.text, rows[i].text));
	}
	/* A line without a tag is a foreign tag. */
	struct response r = response_parse(span_str(" OK x"));
	assert_int_equal(r.kind, RESPONSE_TAGGED);
	assert_false(response_is_tagged(&r, "a"));
}

static void tags(void **state)
{
	(void)state;
	struct response r = response_parse(span_str("mux1 OK x"));
	assert_true(response_is_tagged(&r, "mux1"));
	assert_false(response_is_tagged(&r, "MUX1"));
	assert_false(response_is_tagged(&r, "mux"));
	r = response_parse(span_str("* OK mux1"));
	assert_false(response_is_tagged(&r, "*"));
}

static bool feed(struct response_reader *r, struct span in, struct buf *log)
{
	while (in.n > 0) {
		struct span line;
		switch (response_reader_feed(r, &in, &line)) {
		case RESPONSE_READ_MORE:
			assert_int_equal(in.n, 0);
			break;
		case RESPONSE_READ_LINE:
			assert_true(buf_add(log, line));
			assert_true(buf_add_str(log, ";"));
			break;
		case RESPONSE_READ_TOO_LONG:
			assert_true(buf_add_str(log, "too long"));
			return false;
		}
	}
	return true;
}

static void check(const char *text, const char *wanted)
{
	struct span input = span_str(text);
	for (size_t cut = 0; cut <= input.n; cut++) {
		struct response_reader r;
		struct buf log;
		response_reader_init(&r, 40);
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
		response_reader_finish(&r);
	}
}

static void lines(void **state)
{
	(void)state;
	check("* OK x\r\n\r\na OK\nb", "* OK x;;a OK;");
	check("* OK {3}\r\na BAD {3}\r\n+ {3}\r\n* BYE {3}\r\n",
		"* OK {3};a BAD {3};+ {3};* BYE {3};");
}

static void literals_are_skipped(void **state)
{
	(void)state;
	check("* ID (\"name\" {3}\r\nabc {2}\r\n\r\n)\r\na OK\r\n", "* ID (\"name\" {3};a OK;");
	check("* X {8}\r\na OK x\r\n\r\nb OK\r\n", "* X {8};b OK;");
	check("* X ~{0}\r\n\r\nb OK\r\n", "* X ~{0};b OK;");
	check("* X {18446744073709551615}\r\nb OK\r\n", "* X {18446744073709551615};");
	check("* X {18446744073709551616}\r\nb OK\r\n", "too long");
	check("* LIST () \"/\" \"x{5}\"\r\nb OK\r\n", "* LIST () \"/\" \"x{5}\";b OK;");
}

static void bounds(void **state)
{
	(void)state;
	check("0123456789012345678901234567890123456789\n",
		"0123456789012345678901234567890123456789;");
	check("a\n01234567890123456789012345678901234567890\n", "a;too long");
	check("* X {1}\r\nx0123456789012345678901234567890123456789 {1}\r\n", "* X {1};too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(tags),
		cmocka_unit_test(lines),
		cmocka_unit_test(literals_are_skipped),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
