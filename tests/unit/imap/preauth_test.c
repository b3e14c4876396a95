#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/preauth.h"

enum { OPEN = 1, STARTTLS = 2, ACCEPT = 4 }; /* can_sign_in, can_starttls, say OK (else NO) */

static struct preauth_policy policy_of(int how)
{
	return (struct preauth_policy){
		.can_starttls = (how & STARTTLS) != 0,
		.can_sign_in = (how & OPEN) != 0,
		.mechanisms = MECHANISMS_PASSWORD,
		.max_line = 20000,
		.max_bytes = 65536,
	};
}

static void note_span(struct buf *log, struct span s)
{
	assert_true(buf_add(log, s));
}

/* What a caller does with a verdict, told in the transcript. False: the dialogue has ended. */
static bool act(struct preauth *p, enum preauth_verdict verdict, int how, struct buf *log)
{
	struct credentials *c = preauth_credentials(p);
	switch (verdict) {
	case PREAUTH_MORE:
		return true;
	case PREAUTH_STARTTLS:
		note_span(log, span_str("<tls>"));
		return false;
	case PREAUTH_SIGN_IN:
		note_span(log, span_str("<"));
		note_span(log, preauth_tag(p));
		note_span(log, span_str("|"));
		note_span(log, span_str(mechanism_name(c->mechanism)));
		note_span(log, span_str("|"));
		note_span(log, secret_span(&c->authzid));
		note_span(log, span_str("|"));
		note_span(log, secret_span(&c->user));
		note_span(log, span_str("|"));
		note_span(log, secret_span(&c->password));
		note_span(log, span_str(">\n"));
		if ((how & ACCEPT) != 0) {
			preauth_accept(p, span_str("IMAP4rev1 IDLE"), "Logged in", log);
			return false;
		}
		preauth_refuse(p, span_str("[X] no"), log);
		assert_int_equal(credentials_size(c), 0);
		return true;
	case PREAUTH_RESPONSE:
	case PREAUTH_CANCELLED:
		fail_msg("nobody was challenged");
		return false;
	case PREAUTH_LOGOUT:
		note_span(log, span_str("<logout>"));
		return false;
	case PREAUTH_FAILED:
		note_span(log, span_str("<"));
		note_span(log, span_str(fail_name(preauth_failure(p))));
		note_span(log, span_str(">"));
		return false;
	}
	return false;
}

/* Feeds a piece; false when the dialogue has ended. Adds what was consumed. */
static bool feed(struct preauth *p, struct span piece, int how, struct buf *log, size_t *used)
{
	bool goes_on = true;
	do {
		size_t before = piece.n;
		enum preauth_verdict verdict = preauth_feed(p, &piece, log);
		*used += before - piece.n;
		if (verdict == PREAUTH_MORE) {
			assert_int_equal(piece.n, 0);
		}
		goes_on = act(p, verdict, how, log);
	} while (goes_on && piece.n > 0);
	return goes_on;
}

/* cut: where the input is split in two; 0: not; SIZE_MAX: everywhere */
static struct buf talk(struct span input, int how, size_t cut, size_t *used)
{
	struct preauth_policy policy = policy_of(how);
	struct preauth *p = preauth_create(&policy);
	struct buf log;
	buf_init(&log, 1 << 20);
	*used = 0;
	if (cut == SIZE_MAX) {
		for (size_t i = 0; i < input.n; i++) {
			if (!feed(p, span_slice(input, i, i + 1), how, &log, used)) {
				break;
			}
		}
	} else if (feed(p, span_slice(input, 0, cut), how, &log, used)) {
		feed(p, span_slice(input, cut, input.n), how, &log, used);
	}
	preauth_destroy(&p);
	assert_null(p);
	return log;
}

/* The same words whatever the pieces are that the input comes in. rest: what is not consumed. */
static void check_span(struct span input, int how, const char *wanted, size_t rest)
{
	for (size_t cut = 0; cut <= input.n; cut++) {
		size_t used;
		struct buf log = talk(input, how, cut < input.n ? cut : SIZE_MAX, &used);
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("cut %zu: %.*s, not %s", cut, SPAN_ARG(got), wanted);
		}
		assert_int_equal(used, input.n - rest);
		buf_finish(&log);
	}
}

static void check(const char *input, int how, const char *wanted)
{
	check_span(span_str(input), how, wanted, 0);
}

static void greeting(void **state)
{
	(void)state;
	struct preauth_policy policy = policy_of(OPEN);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, PREAUTH_ROOM);
	preauth_greet(p, &out);
	assert_true(
		span_is(buf_peek(&out), "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN "
					"AUTH=LOGIN] imapmux ready\r\n"));
	assert_int_equal(preauth_failure(p), FAIL_NONE);
	buf_finish(&out);
	buf_init(&out, 20);
	preauth_greet(p, &out);
	assert_int_equal(preauth_failure(p), FAIL_SLOW_READER);
	buf_finish(&out);
	preauth_destroy(&p);
	preauth_destroy(&p);
}

static void plain_commands(void **state)
{
	(void)state;
	check("a capability\r\nb NOOP\nc Logout\r\n", OPEN,
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN\r\n"
		"a OK Capability completed\r\n"
		"b OK NOOP completed\r\n"
		"* BYE Logging out\r\nc OK Logout completed\r\n<logout>");
	check("a CAPABILITY\r\n", STARTTLS,
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED\r\n"
		"a OK Capability completed\r\n");
	check("a NOOP x\r\nb CAPABILITY x\r\nc LOGOUT x\r\nd STARTTLS x\r\n", OPEN | STARTTLS,
		"a BAD No arguments expected\r\nb BAD No arguments expected\r\n"
		"c BAD No arguments expected\r\nd BAD No arguments expected\r\n");
}

static void id(void **state)
{
	(void)state;
	check("a ID NIL\r\nb id (\"name\" \"x\")\r\n", OPEN,
		"* ID (\"name\" \"imapmux\")\r\na OK ID completed\r\n"
		"* ID (\"name\" \"imapmux\")\r\nb OK ID completed\r\n");
	check("a ID ({4}\r\nname {3+}\r\na\r\n)\r\nb NOOP\r\n", OPEN,
		"+ OK\r\n* ID (\"name\" \"imapmux\")\r\na OK ID completed\r\n"
		"b OK NOOP completed\r\n");
	check("a ID\r\nb ID x\r\nc ID (\r\n", OPEN,
		"a BAD Expected a list or NIL\r\nb BAD Expected a list or NIL\r\n"
		"c BAD Expected a list or NIL\r\n");
}

static void login(void **state)
{
	(void)state;
	check("a LOGIN u2 pw2\r\n", OPEN, "<a|LOGIN||u2|pw2>\na NO [X] no\r\n");
	check("a login \"u\\\"2\" \"p\\\\w\"\r\n", OPEN, "<a|LOGIN||u\"2|p\\w>\na NO [X] no\r\n");
	check("a LOGIN {2}\r\nu2 {3}\r\npw2\r\n", OPEN,
		"+ OK\r\n+ OK\r\n<a|LOGIN||u2|pw2>\na NO [X] no\r\n");
	check("a LOGIN {2+}\nu2 {6+}\r\np\r\nb N\nb NOOP\r\n", OPEN,
		"<a|LOGIN||u2|p\r\nb N>\na NO [X] no\r\nb OK NOOP completed\r\n");
	check("a LOGIN \"\xc3\xa4\" {1}\r\n\"\r\n", OPEN,
		"+ OK\r\n<a|LOGIN||\xc3\xa4|\">\na NO [X] no\r\n");
	check("a LOGIN %n%s p\r\nb LOGIN u\r\nc LOGIN u p x\r\nd LOGIN\r\n", OPEN,
		"a BAD Expected a user name and a password\r\n"
		"b BAD Expected a user name and a password\r\n"
		"c BAD Expected a user name and a password\r\n"
		"d BAD Expected a user name and a password\r\n");
}

static void authenticate(void **state)
{
	(void)state;
	check("a AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n", OPEN, "<a|PLAIN||u2|pw2>\na NO [X] no\r\n");
	check("a authenticate plain\r\nAHUyAHB3Mg==\r\n", OPEN,
		"+ \r\n<a|PLAIN||u2|pw2>\na NO [X] no\r\n");
	check("a AUTHENTICATE PLAIN YzEAY3lydXMAcHdjeXJ1cw==\r\n", OPEN,
		"<a|PLAIN|c1|cyrus|pwcyrus>\na NO [X] no\r\n");
	check("a AUTHENTICATE LOGIN\r\ndTI=\r\ncHcy\r\n", OPEN,
		"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n<a|SASL-LOGIN||u2|pw2>\na NO [X] no\r\n");
	check("a AUTHENTICATE LOGIN dTI=\ncHcy\nb NOOP\n", OPEN,
		"+ UGFzc3dvcmQ6\r\n<a|SASL-LOGIN||u2|pw2>\na NO [X] no\r\nb OK NOOP completed\r\n");
	check("a AUTHENTICATE CRAM-MD5\r\nb AUTHENTICATE\r\n", OPEN,
		"a NO [CANNOT] Unsupported authentication mechanism\r\nb BAD Expected a "
		"mechanism\r\n");
}

/* S10: what one client gets wrong ends its exchange, and nothing else. */
static void authenticate_wrongly(void **state)
{
	(void)state;
	check("a AUTHENTICATE PLAIN\r\n*\r\nb AUTHENTICATE LOGIN\r\n*\r\n"
	      "c AUTHENTICATE LOGIN dTI=\r\n*\r\nd AUTHENTICATE PLAIN *\r\n"
	      "e AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n",
		OPEN,
		"+ \r\na BAD Authentication cancelled\r\n"
		"+ VXNlcm5hbWU6\r\nb BAD Authentication cancelled\r\n"
		"+ UGFzc3dvcmQ6\r\nc BAD Authentication cancelled\r\n"
		"d BAD Authentication cancelled\r\n"
		"<e|PLAIN||u2|pw2>\ne NO [X] no\r\n");
	check("a AUTHENTICATE PLAIN =\r\nb AUTHENTICATE PLAIN AHUyAHB3Mg\r\n"
	      "c AUTHENTICATE PLAIN\r\n{5+}\r\nd AUTHENTICATE LOGIN dQAy\r\n"
	      "e NOOP\r\n",
		OPEN,
		"a BAD Invalid authentication data\r\nb BAD Invalid authentication data\r\n"
		"+ \r\nc BAD Invalid authentication data\r\nd BAD Invalid authentication data\r\n"
		"e OK NOOP completed\r\n");
	/* The user of a broken exchange is not the user of the next. */
	check("a AUTHENTICATE LOGIN dTI=\r\n!\r\nb AUTHENTICATE LOGIN\r\n\r\ncHcy\r\n", OPEN,
		"+ UGFzc3dvcmQ6\r\na BAD Invalid authentication data\r\n"
		"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n"
		"b NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	check("a AUTHENTICATE PLAIN {12+}\r\nAHUyAHB3Mg==\r\nb NOOP\r\n", OPEN,
		"a BAD No literal expected\r\nb OK NOOP completed\r\n");
}

/* S14, and the anonymous bind of directories. */
static void empty_values(void **state)
{
	(void)state;
	check("a LOGIN \"\" p\r\nb LOGIN u \"\"\r\nc LOGIN {0+}\r\n {0+}\r\n\r\n"
	      "d AUTHENTICATE PLAIN AAA=\r\ne AUTHENTICATE LOGIN =\r\n\r\n",
		OPEN,
		"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
		"b NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
		"c NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
		"d NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
		"+ UGFzc3dvcmQ6\r\ne NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
}

/* A server cuts the name at the NUL, a pool would not. */
static void nul_is_refused(void **state)
{
	(void)state;
	static const char line[] = "a LOGIN {3+}\r\nu\0x p\r\nb LOGIN u\0x p\r\nc NOOP\r\n";
	check_span(span_of(line, sizeof(line) - 1), OPEN,
		"a BAD Expected a user name and a password\r\n"
		"b BAD Malformed command\r\nc OK NOOP completed\r\n",
		0);
}

static void sign_in_needs_tls(void **state)
{
	(void)state;
	check("a LOGIN u p\r\nb LOGIN {1}\r\nc LOGIN {4+}\r\nu\r\nx {7+}\r\nd NOOP\n\r\n"
	      "e AUTHENTICATE PLAIN AHUyAHB3Mg==\r\nf AUTHENTICATE PLAIN\r\ng NOOP\r\n",
		STARTTLS,
		"a NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"b NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"c NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"e NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"f NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"g OK NOOP completed\r\n");
}

/* S1: the command behind STARTTLS is not read. */
static void starttls(void **state)
{
	(void)state;
	check_span(span_str("a STARTTLS\r\nb LOGIN u p\r\n"), STARTTLS,
		"a OK Begin TLS negotiation now\r\n<tls>", strlen("b LOGIN u p\r\n"));
	check("a STARTTLS\r\n", OPEN, "a BAD STARTTLS is not possible here\r\n");

	struct preauth_policy policy = policy_of(STARTTLS);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 1 << 16);
	struct span in = span_str("a CAPABILITY\r\nb STARTTLS\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_STARTTLS);
	buf_clear(&out);
	preauth_tls_active(p, MECHANISMS_PASSWORD);
	in = span_str("c STARTTLS\r\nd LOGIN u p\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_SIGN_IN);
	preauth_accept(p, span_str("IDLE"), "Logged in", &out);
	/* CAPABILITY was asked before TLS: that does not count. */
	assert_true(span_is(buf_peek(&out), "c BAD STARTTLS is not possible here\r\n"
					    "d OK [CAPABILITY IDLE] Logged in\r\n"));
	assert_int_equal(preauth_failure(p), FAIL_NONE);
	buf_finish(&out);
	preauth_destroy(&p);
}

static void accepted(void **state)
{
	(void)state;
	check_span(span_str("a LOGIN u p\r\nb NOOP\r\n"), OPEN | ACCEPT,
		"<a|LOGIN||u|p>\na OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n",
		strlen("b NOOP\r\n"));
	check_span(span_str("x CAPABILITY\r\na LOGIN {1+}\r\nu p\r\nb {"), OPEN | ACCEPT,
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN\r\n"
		"x OK Capability completed\r\n<a|LOGIN||u|p>\n"
		"* CAPABILITY IMAP4rev1 IDLE\r\na OK Logged in\r\n",
		strlen("b {"));
}

static void credentials_can_be_moved_out(void **state)
{
	(void)state;
	struct preauth_policy policy = policy_of(OPEN);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 1 << 16);
	struct span in = span_str("a LOGIN u p\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_SIGN_IN);
	struct credentials c = {0};
	credentials_move(&c, preauth_credentials(p));
	preauth_refuse(p, span_str("[UNAVAILABLE] later"), &out);
	assert_true(span_is(secret_span(&c.password), "p"));
	credentials_drop(&c);
	in = span_str("b LOGIN v q\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_SIGN_IN);
	assert_true(span_is(secret_span(&preauth_credentials(p)->user), "v"));
	buf_finish(&out);
	preauth_destroy(&p);
}

static void nothing_stays_of_a_broken_exchange(void **state)
{
	(void)state;
	struct preauth_policy policy = policy_of(OPEN);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 1 << 16);
	static const char *const ends[] = {"*\r\n", "!\r\n", "dQAy\r\n"};
	for (size_t i = 0; i < 3; i++) {
		struct span in = span_str("a AUTHENTICATE LOGIN dTI=\r\n");
		assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_MORE);
		assert_int_equal(credentials_size(preauth_credentials(p)), 2);
		in = span_str(ends[i]);
		assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_MORE);
		assert_int_equal(credentials_size(preauth_credentials(p)), 0);
	}
	buf_finish(&out);
	preauth_destroy(&p);
}

/* S17: talk that is no IMAP ends at once, and nothing of it comes back. */
static void no_imap(void **state)
{
	(void)state;
	static const char *const first[] = {
		"GET / HTTP/1.1\r\n",
		"OPTIONS * HTTP/1.1\r\n",
		"CONNECT evil:443 HTTP/1.1\r\n",
		"\r\n",
		"* NOOP\r\n",
		"a\r\n",
		"x / {9+}\r\n",
		"\x16\x03\x01",
	};
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		for (size_t cut = 1; cut <= strlen(first[i]); cut++) {
			size_t used;
			struct buf log = talk(span_str(first[i]), OPEN, cut, &used);
			assert_true(span_is(
				buf_peek(&log), "* BYE Protocol error\r\n<client-protocol>"));
			buf_finish(&log);
		}
	}
	/* Who speaks inside TLS need not be who spoke before. */
	struct preauth_policy policy = policy_of(STARTTLS);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 1 << 16);
	struct span in = span_str("a STARTTLS\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_STARTTLS);
	preauth_tls_active(p, MECHANISMS_PASSWORD);
	in = span_str("G / x\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_FAILED);
	assert_int_equal(preauth_failure(p), FAIL_CLIENT_PROTOCOL);
	buf_finish(&out);
	preauth_destroy(&p);
	/* Once a command was seen, errors are counted. */
	check("a NOOP\r\nGET / HTTP/1.1\r\n* x\r\n", OPEN,
		"a OK NOOP completed\r\nGET BAD Malformed command\r\n* BAD Invalid tag\r\n");
}

static void too_many_errors(void **state)
{
	(void)state;
	check_span(span_str("a FOO\r\nb SELECT x\r\n + x\r\nd NOOP {-1}\r\ne FETCH 1 {3}\r\nf "
			    "NOOP\r\n"),
		OPEN,
		"a BAD Unknown command, or not possible before sign-in\r\n"
		"b BAD Unknown command, or not possible before sign-in\r\n"
		"* BAD Invalid tag\r\nd BAD Malformed command\r\ne BAD No literal expected\r\n"
		"* BYE Too many invalid commands\r\n<preauth-errors>",
		strlen("f NOOP\r\n"));
}

/* POOLING.md section 7 and S12. */
static void nasty_literals(void **state)
{
	(void)state;
	check("a FOO {20+}\r\nb ENABLE QRESYNC..\r\n\r\nc NOOP\r\n", OPEN,
		"a BAD No literal expected\r\nc OK NOOP completed\r\n");
	check("a LOGIN {4294967296}\r\nb LOGIN {-1}\r\nc LOGIN {+}\r\nd NOOP\r\n", OPEN,
		"a BAD Literal too large, or too many\r\nb BAD Malformed command\r\n"
		"c BAD Malformed command\r\nd OK NOOP completed\r\n");
	check("a LOGIN {99999999999999999999}\r\nb LOGIN ~{1}\r\nc LOGIN u{1+}\r\nd NOOP\r\n", OPEN,
		"a BAD Malformed command\r\nb BAD Malformed command\r\nc BAD Malformed command\r\n"
		"d OK NOOP completed\r\n");
	check("a LOGIN {4294967296+}\r\n", OPEN,
		"* BYE Too many bytes before sign-in\r\n<preauth-bytes>");
	check("a LOGIN {1+}\r\nu {-1}\r\nb LOGIN {1+}\r\nu \"x\r\nc NOOP\r\n", OPEN,
		"a BAD Malformed command\r\nb BAD Malformed command\r\nc OK NOOP completed\r\n");
	/* A drained command may have more literals, and end in what nobody understands. */
	check("a FOO {2+}\r\n\r\n {3}\r\nb FOO {1+}\r\n\n{{{\r\nc NOOP\r\n", OPEN,
		"a BAD No literal expected\r\nb BAD No literal expected\r\nc OK NOOP "
		"completed\r\n");
}

static struct buf repeat(const char *begin, const char *part, size_t times, const char *last)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	assert_true(buf_add_str(&text, begin));
	for (size_t i = 0; i < times; i++) {
		assert_true(buf_add_str(&text, part));
	}
	assert_true(buf_add_str(&text, last));
	return text;
}

static void check_large(struct buf text, const char *wanted)
{
	for (int i = 0; i < 2; i++) {
		size_t used;
		struct buf log = talk(buf_peek(&text), OPEN, i == 0 ? 0 : SIZE_MAX, &used);
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("%.*s, not %s", SPAN_ARG(got), wanted);
		}
		buf_finish(&log);
	}
	buf_finish(&text);
}

/* S11: everything a stranger can make large has its bound. */
static void bounds(void **state)
{
	(void)state;
	check_large(
		repeat("a ID ", "(", 20100, ""), "* BYE Command line too long\r\n<line-too-long>");
	check_large(repeat("a ID ", "(", 19000, "\r\n"), "a BAD Expected a list or NIL\r\n");
	check_large(repeat("a ID (", "{1+}\r\nx ", 1000, ")\r\nb NOOP\r\n"),
		"a BAD Literal too large, or too many\r\nb OK NOOP completed\r\n");
	check_large(repeat("a NOOP\r\nb LOGIN {65000+}\r\n", "0123456789", 6600, ""),
		"a OK NOOP completed\r\n* BYE Too many bytes before sign-in\r\n<preauth-bytes>");
	check_large(repeat("a LOGIN {12289}\r\n", "b NOOP\r\n", 1, ""),
		"a BAD Literal too large, or too many\r\nb OK NOOP completed\r\n");
	check_large(repeat("a LOGIN {6000+}\r\n", "01234567", 750, " p\r\n"),
		"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	check_large(repeat("a AUTHENTICATE PLAIN\r\n", "AAAAAAAA", 1537, "\r\n"),
		"+ \r\n* BYE Command line too long\r\n<line-too-long>");
}

static void limit_of_all_bytes(void **state)
{
	(void)state;
	struct buf text = repeat("", "a NOOP\r\n", 8192, ""); /* 65536 bytes */
	size_t used;
	struct buf log = talk(buf_peek(&text), OPEN, 0, &used);
	assert_int_equal(used, 65536);
	assert_int_equal(buf_len(&log), 8192 * strlen("a OK NOOP completed\r\n"));
	buf_finish(&log);
	assert_true(buf_add_str(&text, "b"));
	for (int i = 0; i < 2; i++) {
		log = talk(buf_peek(&text), OPEN, i == 0 ? 0 : SIZE_MAX, &used);
		assert_int_equal(used, 65536);
		assert_true(span_contains_nocase(buf_peek(&log), "<preauth-bytes>"));
		buf_finish(&log);
	}
	buf_finish(&text);
}

static void nobody_reads_the_replies(void **state)
{
	(void)state;
	struct preauth_policy policy = policy_of(OPEN);
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 300);
	struct span in =
		span_str("a CAPABILITY\r\nb CAPABILITY\r\nc CAPABILITY\r\nd CAPABILITY\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_FAILED);
	assert_int_equal(preauth_failure(p), FAIL_SLOW_READER);
	assert_true(buf_len(&out) <= 300);
	buf_finish(&out);
	preauth_destroy(&p);

	p = preauth_create(&policy);
	buf_init(&out, 10);
	in = span_str("a LOGIN u p\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_SIGN_IN);
	preauth_refuse(p, span_str("[X] no"), &out);
	assert_int_equal(preauth_failure(p), FAIL_SLOW_READER);
	buf_finish(&out);
	preauth_destroy(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greeting),
		cmocka_unit_test(plain_commands),
		cmocka_unit_test(id),
		cmocka_unit_test(login),
		cmocka_unit_test(authenticate),
		cmocka_unit_test(authenticate_wrongly),
		cmocka_unit_test(empty_values),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(sign_in_needs_tls),
		cmocka_unit_test(starttls),
		cmocka_unit_test(accepted),
		cmocka_unit_test(credentials_can_be_moved_out),
		cmocka_unit_test(nothing_stays_of_a_broken_exchange),
		cmocka_unit_test(no_imap),
		cmocka_unit_test(too_many_errors),
		cmocka_unit_test(nasty_literals),
		cmocka_unit_test(bounds),
		cmocka_unit_test(limit_of_all_bytes),
		cmocka_unit_test(nobody_reads_the_replies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
