#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "imap/signin.h"

/* How a dialogue is held. */
struct setting {
	bool want_starttls;
	const char *authzid, *login, *password;
	const struct signin_identity *identity;
	size_t room; /* of out; 0: enough */
};

static const struct setting plain = {.authzid = "", .login = "u2", .password = "pw2"};
static const struct setting starttls = {
	.want_starttls = true, .authzid = "", .login = "u2", .password = "pw2"};
static const struct signin_identity identity = {.session_id = "s\"1",
	.client_address = "192.0.2.1",
	.client_port = "4711",
	.proxy_address = "",
	.proxy_port = "9\r\n3"};
static const struct setting with_id = {
	.authzid = "", .login = "u2", .password = "pw2", .identity = &identity};

static void note(struct buf *log, const char *word)
{
	assert_true(buf_add_str(log, word));
}

static enum signin_verdict start(struct signin *s, const struct setting *how, struct buf *out)
{
	struct credentials c = {0};
	secret_set(&c.user, span_str("not this one"));
	secret_set(&c.authzid, span_str(how->authzid));
	secret_set(&c.password, span_str(how->password));
	enum signin_verdict verdict = signin_start(s, span_str(how->login), &c, how->identity, out);
	credentials_drop(&c); /* signin has a copy */
	return verdict;
}

static void note_end(struct signin *s, enum signin_verdict verdict, struct buf *log)
{
	if (verdict == SIGNIN_OK) {
		note(log, "<ok ");
		assert_true(buf_add(log, signin_capabilities(s)));
	} else if (verdict == SIGNIN_NO) {
		note(log, signin_is_wrong_credential(s) ? "<wrong " : "<no ");
		assert_true(buf_add(log, signin_refusal(s)));
	} else {
		note(log, "<");
		note(log, fail_name(signin_failure(s)));
	}
	note(log, ">");
}

/* Feeds a piece and does what a caller does; false: the end. */
static bool feed(struct signin *s, struct span piece, const struct setting *how, struct buf *out,
	struct buf *log)
{
	enum signin_verdict verdict = signin_feed(s, &piece, out);
	if (verdict == SIGNIN_READY) {
		assert_int_equal(piece.n, 0);
		note(log, "<ready>");
		verdict = start(s, how, out);
	}
	assert_true(buf_add(log, buf_peek(out)));
	buf_clear(out);
	if (verdict == SIGNIN_STARTTLS) {
		assert_int_equal(piece.n, 0);
		note(log, "<tls>");
		signin_tls_active(s, out);
		assert_true(buf_add(log, buf_peek(out)));
		buf_clear(out);
		return true;
	}
	if (verdict == SIGNIN_MORE) {
		assert_int_equal(piece.n, 0);
		return true;
	}
	note_end(s, verdict, log);
	return false;
}

static bool feed_bytes(struct signin *s, struct span flight, size_t cut, const struct setting *how,
	struct buf *out, struct buf *log)
{
	if (cut < flight.n) {
		return feed(s, span_slice(flight, 0, cut), how, out, log) &&
		       feed(s, span_slice(flight, cut, flight.n), how, out, log);
	}
	for (size_t i = 0; i < flight.n; i++) {
		if (!feed(s, span_slice(flight, i, i + 1), how, out, log)) {
			return false;
		}
	}
	return true;
}

/*
 * flights: what the server sends, with "|" where it waits for the client. The transcript is the same
 * wherever each flight is cut in two, and byte by byte.
 */
static void check(const struct setting *how, const char *flights, const char *wanted)
{
	size_t longest = strlen(flights);
	for (size_t cut = 0; cut <= longest; cut++) {
		struct signin *s = signin_create(how->want_starttls);
		struct buf out, log;
		buf_init(&out, how->room > 0 ? how->room : SIGNIN_ROOM);
		buf_init(&log, 1 << 20);
		struct span rest = span_str(flights);
		bool goes_on = true;
		while (goes_on && rest.n > 0) {
			struct span flight = span_take_until(&rest, "|");
			span_take(&rest, '|');
			goes_on = feed_bytes(s, flight, cut, how, &out, &log);
		}
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("cut %zu: %.*s, not %s", cut, SPAN_ARG(got), wanted);
		}
		buf_finish(&log);
		buf_finish(&out);
		signin_destroy(&s);
		assert_null(s);
	}
}

#define GREETING "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] hi\r\n"

static void plain_with_initial_response(void **state)
{
	(void)state;
	check(&plain, GREETING "|mux1 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<ok IMAP4rev1 IDLE>");
	static const struct setting boss = {
		.authzid = "c1", .login = "cyrus", .password = "pwcyrus"};
	check(&boss, GREETING "|mux1 OK [CAPABILITY X] Logged in\n",
		"<ready>mux1 AUTHENTICATE PLAIN YzEAY3lydXMAcHdjeXJ1cw==\r\n<ok X>");
}

static void plain_without_initial_response(void **state)
{
	(void)state;
	check(&plain,
		"* OK hi\r\n|* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nmux1 OK done\r\n|+ \r\n|"
		"mux2 OK [CAPABILITY X] in\r\n",
		"mux1 CAPABILITY\r\n<ready>mux2 AUTHENTICATE PLAIN\r\nAHUyAHB3Mg==\r\n<ok X>");
}

static void login_quoted(void **state)
{
	(void)state;
	static const struct setting odd = {.authzid = "", .login = "u \"2", .password = "p\\w"};
	check(&odd,
		"* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] hi\r\n|mux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 LOGIN \"u \\\"2\" \"p\\\\w\"\r\n<ok X>");
}

/* L7, S5: no byte string becomes a second command. */
static void login_with_literals(void **state)
{
	(void)state;
	static const struct setting evil = {
		.authzid = "", .login = "u\r\nZZ CAPABILITY", .password = "\xc3\xa4"};
	check(&evil,
		"* OK [CAPABILITY IMAP4rev1] hi\r\n|+ OK\r\n|+\r\n|mux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 LOGIN {16}\r\nu\r\nZZ CAPABILITY {2}\r\n\xc3\xa4\r\n<ok X>");
	/* A server that does not take the literal sees no byte of it. */
	check(&evil, "* OK [CAPABILITY IMAP4rev1] hi\r\n|mux1 BAD no {16}\r\n",
		"<ready>mux1 LOGIN {16}\r\n<no [AUTHENTICATIONFAILED] Authentication failed.>");
	/* An OK that did not wait for the password proves nothing. */
	check(&evil, "* OK [CAPABILITY IMAP4rev1] hi\r\n|+ OK\r\n|mux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 LOGIN {16}\r\nu\r\nZZ CAPABILITY {2}\r\n<server-protocol>");
}

static void id_goes_first(void **state)
{
	(void)state;
	check(&with_id,
		GREETING "|* ID (\"name\" {5}\r\nmux2 \"x\" NIL)\r\nmux1 OK ID\r\n"
			 "mux2 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 ID (\"x-session-id\" \"s\\\"1\" \"x-originating-ip\" \"192.0.2.1\" "
		"\"x-originating-port\" \"4711\" \"x-proxy-ttl\" \"7\")\r\n"
		"mux2 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<ok X>");
	/* Its failure does not matter, its absence does: the reply would reach the client. */
	check(&with_id, GREETING "|mux1 BAD ID\r\nmux2 NO no\r\n",
		"<ready>mux1 ID (\"x-session-id\" \"s\\\"1\" \"x-originating-ip\" \"192.0.2.1\" "
		"\"x-originating-port\" \"4711\" \"x-proxy-ttl\" \"7\")\r\n"
		"mux2 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<wrong [AUTHENTICATIONFAILED] Authentication failed.>");
	check(&with_id, GREETING "|mux2 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 ID (\"x-session-id\" \"s\\\"1\" \"x-originating-ip\" \"192.0.2.1\" "
		"\"x-originating-port\" \"4711\" \"x-proxy-ttl\" \"7\")\r\n"
		"mux2 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<server-protocol>");
	/* Not offered: not sent. */
	check(&with_id, "* OK [CAPABILITY IMAP4rev1] hi\r\n|mux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 LOGIN \"u2\" \"pw2\"\r\n<ok X>");
}

/* What the server says of itself: asked, in one line, not too long. */
static void server_id(void **state)
{
	(void)state;
	static char much[SIGNIN_MAX_ID + 32];
	snprintf(much, sizeof much, "* ID (\"%0*d\")\r\n", SIGNIN_MAX_ID, 0);
	const struct {
		const char *before, *answer, *id;
	} rows[] = {
		{"", "* ID (\"name\" \"Dovecot\")\r\nmux1 OK\r\n", "(\"name\" \"Dovecot\")"},
		{"", "* id nil\r\nmux1 OK\r\n", "nil"},
		{"", "* ID\r\nmux1 OK\r\n", ""},
		{"", "mux1 BAD\r\n", ""},
		{"* ID (\"un\" \"asked\")\r\n", "mux1 OK\r\n", ""},
		{"", "mux1 OK\r\n* ID (\"too\" \"late\")\r\n", ""},
		{"", "* ID (\"a\" NIL)\r\n* ID (\"b\" NIL)\r\nmux1 OK\r\n", "(\"b\" NIL)"},
		{"", "* OK ID x\r\nmux1 OK\r\n", ""},
		{"", much, ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct signin *s = signin_create(false);
		struct buf out;
		buf_init(&out, SIGNIN_ROOM);
		struct span in = span_str(GREETING);
		assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
		in = span_str(rows[i].before);
		assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
		assert_int_equal(start(s, &with_id, &out), SIGNIN_MORE);
		in = span_str(rows[i].answer);
		while (in.n > 0) {
			struct span one = span_of(in.p, 1);
			assert_int_equal(signin_feed(s, &one, &out), SIGNIN_MORE);
			in = span_slice(in, 1, in.n);
		}
		assert_true(span_is(signin_server_id(s), rows[i].id));
		signin_destroy(&s);
		buf_finish(&out);
	}
}

static void capabilities_after_sign_in(void **state)
{
	(void)state;
	/* Untagged before the tagged OK. */
	check(&plain, GREETING "|* CAPABILITY A B\r\nmux1 OK in\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<ok A B>");
	check(&plain, GREETING "|* OK [CAPABILITY A] x\r\nmux1 OK [CAPABILITY B] in\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<ok B>");
	/* Not volunteered: asked for. Those of before the sign-in do not count. */
	check(&plain, GREETING "|mux1 OK in\r\n|* CAPABILITY A C\r\nmux2 OK done\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\nmux2 CAPABILITY\r\n<ok A C>");
	check(&plain, GREETING "|mux1 OK in\r\n|mux2 OK done\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\nmux2 "
		"CAPABILITY\r\n<server-protocol>");
	check(&plain, GREETING "|mux1 OK in\r\n|* CAPABILITY A\r\nmux2 NO done\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\nmux2 "
		"CAPABILITY\r\n<server-protocol>");
}

static void starttls_first(void **state)
{
	(void)state;
	check(&starttls,
		"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hi\r\n|mux1 OK go\r\n|"
		"* CAPABILITY IMAP4rev1\r\nmux2 OK done\r\n|mux3 OK [CAPABILITY X] in\r\n",
		"mux1 STARTTLS\r\n<tls>mux2 CAPABILITY\r\n<ready>mux3 LOGIN \"u2\" \"pw2\"\r\n<ok "
		"X>");
	check(&starttls,
		"* OK hi\r\n|* CAPABILITY STARTTLS\r\nmux1 OK\r\n|mux2 OK go\r\n|"
		"mux3 OK [CAPABILITY AUTH=PLAIN SASL-IR] done\r\n|mux4 NO no\r\n",
		"mux1 CAPABILITY\r\nmux2 STARTTLS\r\n<tls>mux3 CAPABILITY\r\n<ready>"
		"mux4 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<wrong [AUTHENTICATIONFAILED] Authentication failed.>");
	/* Capabilities of before TLS are forgotten: without new ones there are none. */
	check(&starttls,
		"* OK [CAPABILITY STARTTLS AUTH=PLAIN] hi\r\n|mux1 OK go\r\n|mux2 OK done\r\n",
		"mux1 STARTTLS\r\n<tls>mux2 CAPABILITY\r\n<server-protocol>");
}

/* S4: whatever keeps TLS away, no credential leaves. */
static void starttls_stripped(void **state)
{
	(void)state;
	check(&starttls, GREETING, "<server-starttls-refused>");
	check(&starttls, "* OK hi\r\n|* CAPABILITY AUTH=PLAIN\r\nmux1 OK\r\n",
		"mux1 CAPABILITY\r\n<server-starttls-refused>");
	check(&starttls, "* OK [CAPABILITY STARTTLS] hi\r\n|mux1 NO [REFERRAL imap://evil/] no\r\n",
		"mux1 STARTTLS\r\n<server-starttls-refused>");
	check(&starttls, "* OK [CAPABILITY STARTTLS] hi\r\n|mux1 BAD no\r\n",
		"mux1 STARTTLS\r\n<server-starttls-refused>");
	check(&starttls, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n", "<server-preauth>");
	check(&plain, "* PREAUTH hi\r\n", "<server-preauth>");
}

/* S2: bytes behind the tagged OK. */
static void starttls_injected(void **state)
{
	(void)state;
	struct signin *s = signin_create(true);
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	struct span in = span_str("* OK [CAPABILITY STARTTLS] hi\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_MORE);
	in = span_str("mux1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_INJECTED);
	signin_destroy(&s);

	s = signin_create(true);
	in = span_str("* OK [CAPABILITY STARTTLS] hi\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_MORE);
	in = span_str("mux1 OK go\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_STARTTLS);
	in = span_str("x");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_INJECTED);
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	signin_destroy(&s);
	buf_finish(&out);
}

static void no_way_to_sign_in(void **state)
{
	(void)state;
	check(&plain, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hi\r\n",
		"<ready><server-no-mechanism>");
	check(&plain, "* OK [CAPABILITY LOGINDISABLED AUTH=PLAIN SASL-IR] hi\r\n|mux1 NO x\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<wrong [AUTHENTICATIONFAILED] Authentication failed.>");
	static const struct setting boss = {.authzid = "c1", .login = "cyrus", .password = "x"};
	check(&boss, "* OK [CAPABILITY IMAP4rev1] hi\r\n", "<ready><server-no-mechanism>");
}

static void refusals(void **state)
{
	(void)state;
	check(&plain, GREETING "|mux1 NO [UNAVAILABLE] bob\r\n* BYE\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<no [UNAVAILABLE] Sign-in is not possible at the moment>");
	check(&plain, GREETING "|mux1 BAD what\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<no [AUTHENTICATIONFAILED] Authentication failed.>");
	check(&plain, GREETING "|mux1 NO [REFERRAL imap://evil/] x\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"<no [AUTHENTICATIONFAILED] Authentication failed.>");
}

/* A second question to PLAIN is a failure that wants to be told: it is told nothing. */
static void more_questions(void **state)
{
	(void)state;
	check(&plain,
		GREETING "|+ eyJzdGF0dXMiOiI0MDEifQ==\r\n|mux1 NO [AUTHENTICATIONFAILED] x\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n*\r\n"
		"<wrong [AUTHENTICATIONFAILED] Authentication failed.>");
	check(&plain, GREETING "|+ \r\n|mux1 BAD cancelled\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n*\r\n<server-protocol>");
	check(&plain, GREETING "|+ \r\n|mux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n*\r\n<server-protocol>");
	check(&plain, GREETING "|+ \r\n|+ \r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n*\r\n<server-protocol>");
}

static void untagged_lines_pass(void **state)
{
	(void)state;
	check(&plain,
		GREETING
		"|\r\n* OK still here\r\n* NO [ALERT] disk\r\n* LIST () \"/\" {6}\r\nmux1 O\r\n"
		"* 3 EXISTS\r\n* BAD x {9}\r\nmux1 OK [CAPABILITY X] in\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<ok X>");
}

static void servers_that_are_none(void **state)
{
	(void)state;
	check(&plain, "* BYE too many\r\n", "<server-bye>");
	check(&plain, "220 mail ESMTP\r\n", "<server-protocol>");
	check(&plain, "+OK POP3\r\n", "<server-protocol>");
	check(&plain, "\r\n", "<server-protocol>");
	check(&plain, "* NO hi\r\n", "<server-protocol>");
	check(&plain, "* CAPABILITY AUTH=PLAIN\r\n", "<server-protocol>");
	check(&plain, "* OK hi\r\n|mux2 OK x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, "* OK hi\r\n|mux1 WHAT x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, "* OK hi\r\n|mux1 BYE x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, "* OK hi\r\n|mux1 BAD x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, "* OK hi\r\n|+ x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, "* OK hi\r\n|* PREAUTH x\r\n", "mux1 CAPABILITY\r\n<server-protocol>");
	check(&plain, GREETING "|* BYE x\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<server-bye>");
	check(&plain, GREETING "| OK x\r\n",
		"<ready>mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n<server-protocol>");
}

/* A connection that waits, ready, for somebody to sign in. */
static void spare(void **state)
{
	(void)state;
	struct signin *s = signin_create(false);
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	struct span in = span_str("* OK [CAPABILITY A] hi\r\n* OK [CAPABILITY B");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	in = span_str("] still here\r\n\r\n* 1 EXISTS\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	assert_true(span_is(signin_capabilities(s), "B"));
	assert_int_equal(buf_len(&out), 0);
	in = span_str(" OK a tag that nobody sent\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_PROTOCOL);
	signin_destroy(&s);

	s = signin_create(false);
	in = span_str("* OK [CAPABILITY A] hi\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	in = span_str("* BYE idle\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_BYE);
	signin_destroy(&s);
	signin_destroy(&s);
	buf_finish(&out);
}

static void rest_is_for_the_relay(void **state)
{
	(void)state;
	struct signin *s = signin_create(false);
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	struct span in = span_str(GREETING);
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	assert_int_equal(start(s, &plain, &out), SIGNIN_MORE);
	in = span_str("mux1 OK [CAPABILITY X] in\r\n* 1 EXISTS\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_OK);
	assert_true(span_is(in, "* 1 EXISTS\r\n"));
	assert_int_equal(signin_failure(s), FAIL_NONE);
	signin_destroy(&s);
	buf_finish(&out);
}

static void bounds(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	static char junk[SIGNIN_MAX_INPUT];
	memset(junk, 'x', sizeof(junk));
	struct signin *s = signin_create(false);
	struct span in = span_of(junk, SIGNIN_MAX_LINE + 1);
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_PROTOCOL);
	signin_destroy(&s);

	/* Short lines without an end, and a literal without an end. */
	for (int i = 0; i < 2; i++) {
		s = signin_create(false);
		in = span_str(i == 0 ? "* OK hi\r\n" : "* OK hi\r\n* X {99999999}\r\n");
		assert_int_equal(signin_feed(s, &in, &out), SIGNIN_MORE);
		memset(junk, '\n', sizeof(junk));
		in = span_of(junk, sizeof(junk));
		assert_int_equal(signin_feed(s, &in, &out), SIGNIN_FAILED);
		assert_int_equal(signin_failure(s), FAIL_SERVER_PROTOCOL);
		signin_destroy(&s);
	}
	buf_finish(&out);
	struct setting narrow = plain;
	narrow.room = 20;
	check(&narrow, GREETING, "<ready><server-io>");
	narrow.room = 10;
	check(&narrow, "* OK hi\r\n", "<server-io>");
	narrow = with_id;
	narrow.room = 60;
	check(&narrow, "* OK hi\r\n|mux1 OK [CAPABILITY X]\r\n",
		"mux1 CAPABILITY\r\n<ready>mux2 LOGIN \"u2\" \"pw2\"\r\n");
}

static void nul_signs_nobody_in(void **state)
{
	(void)state;
	struct signin *s = signin_create(false);
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	struct span in = span_str(GREETING);
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	struct credentials c = {0};
	secret_set(&c.password, span_str("p"));
	assert_int_equal(signin_start(s, span_of("u\0x", 3), &c, NULL, &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_AUTH);
	assert_int_equal(buf_len(&out), 0);
	credentials_drop(&c);
	signin_destroy(&s);
	buf_finish(&out);
}

/* Behind UNAUTHENTICATE: with a list, and with one to be asked for. */
static void once_more(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, SIGNIN_ROOM);
	struct signin *s = signin_create_again(span_str("IMAP4rev1 SASL-IR AUTH=PLAIN"), &out);
	assert_int_equal(signin_state(s), SIGNIN_READY);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(start(s, &plain, &out), SIGNIN_MORE);
	assert_true(span_is(buf_peek(&out), "mux1 AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"));
	struct span in = span_str("mux1 OK [CAPABILITY IMAP4rev1] in\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_OK);
	signin_destroy(&s);
	buf_clear(&out);

	s = signin_create_again(span_str(""), &out);
	assert_int_equal(signin_state(s), SIGNIN_MORE);
	assert_true(span_is(buf_peek(&out), "mux1 CAPABILITY\r\n"));
	in = span_str("* CAPABILITY IMAP4rev1\r\nmux1 OK done\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	signin_destroy(&s);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_with_initial_response),
		cmocka_unit_test(plain_without_initial_response),
		cmocka_unit_test(login_quoted),
		cmocka_unit_test(login_with_literals),
		cmocka_unit_test(id_goes_first),
		cmocka_unit_test(server_id),
		cmocka_unit_test(capabilities_after_sign_in),
		cmocka_unit_test(starttls_first),
		cmocka_unit_test(starttls_stripped),
		cmocka_unit_test(starttls_injected),
		cmocka_unit_test(no_way_to_sign_in),
		cmocka_unit_test(refusals),
		cmocka_unit_test(more_questions),
		cmocka_unit_test(untagged_lines_pass),
		cmocka_unit_test(servers_that_are_none),
		cmocka_unit_test(spare),
		cmocka_unit_test(rest_is_for_the_relay),
		cmocka_unit_test(bounds),
		cmocka_unit_test(nul_signs_nobody_in),
		cmocka_unit_test(once_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
