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
		{"* LIST () \"/\" {00000000000000000005}", LITERAL_SYNC, 5, 14, false},
		{"* LIST () \"/\" {000000000000000000005}", LITERAL_MALFORMED, 0, 0, false},
		{"00000000000000000000000005}", LITERAL_MALFORMED, 0, 0, false},
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

static void astrings(void **state)
{
	(void)state;
	static const struct {
		const char *text, *value, *rest; /* value NULL: refused */
	} rows[] = {
		{"u p", "u", " p"},
		{"u@x]+~&!", "u@x]+~&!", ""},
		{"\"\" x", "", " x"},
		{"\"p\\\"w\"", "p\"w", ""},
		{"\"a\\\\b\"c", "a\\b", "c"},
		{"\"{5}\"", "{5}", ""},
		{"\"\xc3\xa4\"", "\xc3\xa4", ""},
		{"{2}\r\nu2 {3}", "u2", " {3}"},
		{"{2+}\r\nu2", "u2", ""},
		{"{0}\r\n", "", ""},
		{"{4}\r\na\r\nb", "a\r\nb", ""},
		{"", NULL, ""},
		{" u", NULL, ""},
		{"(", NULL, ""},
		{"\xc3\xa4", NULL, ""},
		{"*", NULL, ""},
		{"%s", NULL, ""},
		{"\\", NULL, ""},
		{"\"a", NULL, ""},
		{"\"a\\", NULL, ""},
		{"\"a\\\"", NULL, ""},
		{"\"\\n\"", NULL, ""},
		{"\"a\r\nb\"", NULL, ""},
		{"{3}\r\nu2", NULL, ""},
		{"{18446744073709551615}\r\nu2", NULL, ""},
		{"{2}\nu2", NULL, ""},
		{"{2}u2", NULL, ""},
		{"~{2}\r\nu2", "~", "{2}\r\nu2"}, /* an atom, and a rest to refuse */
		{"{-1}\r\nu2", NULL, ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret value = {0};
		struct span rest = span_str(rows[i].text);
		bool is_good = lexer_take_astring(&rest, &value);
		if (is_good != (rows[i].value != NULL)) {
			fail_msg("%s", rows[i].text);
		}
		if (is_good) {
			assert_true(span_is(secret_span(&value), rows[i].value));
			assert_true(span_is(rest, rows[i].rest));
		} else {
			assert_null(value.data);
			assert_int_equal(rest.n, strlen(rows[i].text));
		}
		secret_drop(&value);
	}
}

static void unescaping_leaves_nothing_behind(void **state)
{
	(void)state;
	struct secret value = {0};
	struct span rest = span_str("\"\\\"\\\"\\\"abc\"");
	assert_true(lexer_take_astring(&rest, &value));
	assert_true(span_is(secret_span(&value), "\"\"\"abc"));
	static const uint8_t zeroes[3];
	assert_memory_equal(value.data + value.len, zeroes, 3);
	secret_drop(&value);
}

static void astring_without_nul(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {{"\"a\0b\"", 5}, {"{3}\r\na\0b", 8}, {"\0", 1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret value = {0};
		struct span rest = span_of(rows[i].text, rows[i].n);
		assert_false(lexer_take_astring(&rest, &value));
		assert_null(value.data);
	}
	/* An atom ends before it; what follows is for the caller to refuse. */
	struct secret value = {0};
	struct span rest = span_of("a\0b", 3);
	assert_true(lexer_take_astring(&rest, &value));
	assert_int_equal(value.len, 1);
	assert_int_equal(rest.n, 2);
	secret_drop(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_lines),
		cmocka_unit_test(nul_is_malformed),
		cmocka_unit_test(server_lines),
		cmocka_unit_test(astrings),
		cmocka_unit_test(unescaping_leaves_nothing_behind),
		cmocka_unit_test(astring_without_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
