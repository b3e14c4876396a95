#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/lexer.h"

struct row {
	const char *line;
	enum literal_form form;
	uint64_t size;
	size_t header;
	bool is_binary;
};

static void check(struct row r, enum literal_form (*look)(struct span, struct literal *))
{
	struct literal got = {.size = 4711, .header = 4711};
	enum literal_form form = look(span_str(r.line), &got);
	if (form != r.form) {
		fail_msg("%s: form %d, not %d", r.line, form, r.form);
	}
	if (form == LITERAL_SYNC || form == LITERAL_NONSYNC) {
		assert_int_equal(got.size, r.size);
		assert_int_equal(got.header, r.header);
		assert_int_equal(got.is_binary, r.is_binary);
	} else {
		assert_int_equal(got.size, 4711); /* untouched */
	}
}

/* The table of nasty streams, POOLING.md section 7. */
static void client_lines(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"", LITERAL_NONE, 0, 0, false},
		{"a NOOP", LITERAL_NONE, 0, 0, false},
		{"a LOGIN {2}", LITERAL_SYNC, 2, 8, false},
		{"a LOGIN {2+}", LITERAL_NONSYNC, 2, 8, false},
		{"a X ({2}", LITERAL_SYNC, 2, 5, false},
		{"a APPEND x ~{12+}", LITERAL_NONSYNC, 12, 11, true},
		{"a APPEND x ~{0}", LITERAL_SYNC, 0, 11, true},
		{" {10}", LITERAL_SYNC, 10, 1, false},
		{"a X {009+}", LITERAL_NONSYNC, 9, 4, false},
		{"a X {4294967296}", LITERAL_SYNC, UINT64_C(4294967296), 4, false},
		{"a X {18446744073709551615}", LITERAL_SYNC, UINT64_MAX, 4, false},
		{"a X {18446744073709551616}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {99999999999999999999+}", LITERAL_MALFORMED, 0, 0, false},
		{"{2}", LITERAL_MALFORMED, 0, 0, false},
		{"~{2}", LITERAL_MALFORMED, 0, 0, false},
		{"a X x{9+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X x~{9+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"y\"{9+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {-1}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {", LITERAL_MALFORMED, 0, 0, false},
		{"a X {9", LITERAL_MALFORMED, 0, 0, false},
		{"a X {9++}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {9-}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {9 }", LITERAL_MALFORMED, 0, 0, false},
		{"a X { 9+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {+9}", LITERAL_MALFORMED, 0, 0, false},
		{"a X {9+} ", LITERAL_MALFORMED, 0, 0, false},
		{"a X {5}x", LITERAL_MALFORMED, 0, 0, false},
		{"a X {0x5}", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"{5}\"", LITERAL_NONE, 0, 0, false},
		{"a X \"{5\" {6}", LITERAL_SYNC, 6, 9, false},
		{"a X \"x {9+}", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"\\\"", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"\\\"\"", LITERAL_NONE, 0, 0, false},
		{"a X \"\\\\\"", LITERAL_NONE, 0, 0, false},
		{"a X \"\\\\\" {1}", LITERAL_SYNC, 1, 9, false},
		{"a X \\\" {1}", LITERAL_MALFORMED, 0, 0, false}, /* no escape outside quotes */
		{"a X\rb Y", LITERAL_MALFORMED, 0, 0, false},
		{"a X \"\r\"", LITERAL_MALFORMED, 0, 0, false},
		{"a X \r", LITERAL_MALFORMED, 0, 0, false},
		{"a X }", LITERAL_NONE, 0, 0, false},
		{"a X \xc3\xa4 {3}", LITERAL_SYNC, 3, 7, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(rows[i], literal_header);
	}
}

static void nul_is_malformed(void **state)
{
	(void)state;
	struct literal got;
	assert_int_equal(literal_header(span_of("a NOOP\0", 7), &got), LITERAL_MALFORMED);
	assert_int_equal(literal_header(span_of("a X \"\0\"", 7), &got), LITERAL_MALFORMED);
	assert_int_equal(literal_header(span_of("a X \"\\\0\"", 8), &got), LITERAL_MALFORMED);
}

static void server_lines(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"", LITERAL_NONE, 0, 0, false},
		{"* 1 FETCH (BODY[] {20018}", LITERAL_SYNC, 20018, 18, false},
		{"* 1 FETCH (BODY[]{20018}", LITERAL_SYNC, 20018, 17, false},
		{"* 1 FETCH (BINARY[1] ~{4}", LITERAL_SYNC, 4, 21, true},
		{" BODY[1000.10] {0}", LITERAL_SYNC, 0, 15, false},
		{"{3}", LITERAL_SYNC, 3, 0, false},
		{"* LIST () \"/\" \"x{5}\"", LITERAL_NONE, 0, 0, false},
		{"* LIST () \"/\" {18446744073709551616}", LITERAL_MALFORMED, 0, 0, false},
		{"* LIST () \"/\" {5+}", LITERAL_NONE, 0, 0, false},
		{"* X {}", LITERAL_NONE, 0, 0, false},
		{"* X {-1}", LITERAL_NONE, 0, 0, false},
		{"* X 1}", LITERAL_NONE, 0, 0, false},
		{"12}", LITERAL_NONE, 0, 0, false},
		{"}", LITERAL_NONE, 0, 0, false},
		{"* X {1", LITERAL_NONE, 0, 0, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(rows[i], literal_header_server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_lines),
		cmocka_unit_test(nul_is_malformed),
		cmocka_unit_test(server_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
