/* ID of clients and of proxies: what is kept of it, from whom, and what cannot be understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imap/client_id.h"

/* All that is kept, as text; "-" is nothing. */
static void expect_from(bool is_trusted, const char *args, const char *wanted)
{
	char got[8192] = "-";
	struct client_id *id = client_id_read(span_str(args), is_trusted);
	if (id != NULL) {
		snprintf(got, sizeof got, "%s|%s|%s|%s|%s|%u|%.*s", id->session_id,
			id->originating_ip, id->originating_port, id->connected_ip,
			id->connected_port, id->proxy_ttl, SPAN_ARG(buf_peek(&id->pairs)));
	}
	if (strcmp(got, wanted) != 0) {
		fail_msg("%s\n gave %s\n not %s", args, got, wanted);
	}
	client_id_destroy(&id);
	assert_null(id);
	client_id_destroy(&id);
}

static void expect(const char *args, const char *wanted)
{
	expect_from(false, args, wanted);
	expect_from(true, args, wanted);
}

static void test_own_words(void **state)
{
	(void)state;
	expect("(\"name\" \"x\")", "|||||0|\"name\" \"x\" ");
	expect("(\"name\" \"x\" \"version\" \"1\")", "|||||0|\"name\" \"x\" \"version\" \"1\" ");
	expect("({4}\r\nname {3+}\r\na\"b)", "|||||0|\"name\" \"a\\\"b\" ");
	expect("(\"name\" NIL \"os\" \"NIL\")", "|||||0|\"os\" \"NIL\" ");
	expect("(\"name\" \"\")", "|||||0|\"name\" \"\" ");
}

static void test_nothing(void **state)
{
	(void)state;
	static const char *const texts[] = {"NIL", "nil", "()", "", "(", "(\"name\" NIL)",
		"(name x)", "(\"name\" x)", "(NIL \"x\")", "(\"name\")", "(\"name\"  \"x\")",
		"(\"\" \"x\")", "(\"na\xc3\xa4me\" \"x\")", "(\"name\" \"\xc3\xa4\")",
		"(\"name\" {9}\r\nx)", "(\"name\" {2}\r\na\n)"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		expect(texts[i], "-");
	}
}

/* What comes before something that cannot be read is kept. */
static void test_rest_is_odd(void **state)
{
	(void)state;
	expect("(\"name\" \"x\" \"version\")", "|||||0|\"name\" \"x\" ");
	expect("(\"name\" \"x\" foo \"1\")", "|||||0|\"name\" \"x\" ");
	expect("(\"name\" \"\xff\" \"version\" \"1\")", "|||||0|\"version\" \"1\" ");
}

#define SAID                                                                                       \
	"\"x-session-id\" \"s1\" \"x-originating-ip\" \"192.0.2.7\" \"X-Originating-Port\" "       \
	"\"99\" "                                                                                  \
	"\"x-connected-ip\" \"::1\" \"x-connected-port\" \"993\" \"x-forward-A\" \"b c\" "         \
	"\"x-multiplex\" \"0\""

static void test_only_the_trusted_speak_for_others(void **state)
{
	(void)state;
	expect_from(true, "(" SAID ")", "s1|192.0.2.7|99|::1|993|0|\"x-forward-A\" \"b c\" ");
	expect_from(false, "(" SAID ")", "-");
	expect_from(false, "(" SAID " \"name\" \"x\")", "|||||0|\"name\" \"x\" ");
	expect_from(false, "(\"X-FORWARD-A\" \"b\" {16}\r\nx-originating-ip \"6.6.6.6\")", "-");
}

static void test_texts(void **state)
{
	(void)state;
	/* The first one counts; what is too long, empty or has a blank is not said. */
	expect_from(true, "(\"x-session-id\" \"a\" \"x-session-id\" \"b\")", "a|||||0|");
	expect_from(true, "(\"x-session-id\" \"a b\" \"x-session-id\" \"\")", "-");
	char text[200];
	snprintf(text, sizeof text, "(\"x-session-id\" \"%064d\")", 0);
	char wanted[200];
	snprintf(wanted, sizeof wanted, "%064d|||||0|", 0);
	expect_from(true, text, wanted);
	snprintf(text, sizeof text, "(\"x-session-id\" \"%065d\")", 0);
	expect_from(true, text, "-");
}

static void test_ttl(void **state)
{
	(void)state;
	expect("(\"x-proxy-ttl\" \"5\")", "|||||5|");
	expect("(\"x-proxy-ttl\" \"1\")", "|||||1|");
	expect("(\"x-proxy-ttl\" \"0\")", "|||||1|");
	expect("(\"x-proxy-ttl\" \"7\" \"X-PROXY-TTL\" \"3\" \"x-proxy-ttl\" \"9\")", "|||||3|");
	expect("(\"x-proxy-ttl\" \"4294967297\")", "|||||1000|");
	expect("(\"x-proxy-ttl\" \"-1\")", "-");
	expect("(\"x-proxy-ttl\" \"5 \")", "-");
	expect("(\"x-proxy-ttl\" \"99999999999999999999999\")", "-");
}

static void test_bounds(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 20);
	assert_true(buf_add_str(&text, "(\"a\" \"b\""));
	for (int i = 0; i < 100; i++) {
		assert_true(buf_addf(&text, " \"key%d\" \"%d\"", i, i));
	}
	assert_true(buf_add_str(&text, ")"));
	struct client_id *id = client_id_read(buf_peek(&text), false);
	assert_non_null(id);
	assert_int_equal(id->pair_count, CLIENT_ID_PAIRS_MAX);
	client_id_destroy(&id);
	buf_clear(&text);
	/* Too long ones are left out, those behind them are not. */
	assert_true(buf_addf(
		&text, "(\"a\" \"%01024d\" \"b\" \"%01024d\" \"c\" \"%01024d\" ", 1, 2, 3));
	assert_true(buf_addf(&text, "\"d\" \"%01025d\" \"%031d\" \"e\" \"f\" \"g\")", 4, 5));
	id = client_id_read(buf_peek(&text), false);
	assert_int_equal(id->pair_count, 2);
	assert_true(buf_len(&id->pairs) <= CLIENT_ID_BYTES_MAX);
	struct span pairs = buf_peek(&id->pairs);
	assert_true(span_is(span_slice(pairs, pairs.n - 8, pairs.n), "\"f\" \"g\" "));
	client_id_destroy(&id);
	buf_finish(&text);
}

static void test_add(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 16);
	assert_false(client_id_add(&out, span_str("a\r"), span_str("b")));
	assert_false(client_id_add(&out, span_str("a"), span_str("b\n")));
	assert_true(client_id_add(&out, span_str("a"), span_str("b")));
	assert_false(client_id_add(&out, span_str("c"), span_str("d")));
	assert_true(span_is(buf_peek(&out), "\"a\" \"b\" "));
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_words),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_rest_is_odd),
		cmocka_unit_test(test_only_the_trusted_speak_for_others),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_add),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
