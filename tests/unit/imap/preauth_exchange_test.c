/*
 * Mechanisms of more than one message, and what goes wrong in them. The caller of the dialogue is played:
 * he challenges each sign-in so many times before he refuses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "imap/preauth.h"
#include "imap/sasl.h"

#define ALL   ((1u << MECHANISM_COUNT) - 1)
#define FAILS "NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
#define BAD   "BAD Invalid authentication data\r\n"

struct host {
	unsigned mechanisms;
	unsigned challenges; /* of each sign-in */
	bool is_late;        /* refuses behind the last challenge, before its answer */
	bool accepts;        /* instead of refusing */
	unsigned left;
};

static void note(struct buf *log, const char *text)
{
	assert_true(buf_add_str(log, text));
}

static void note_secret(struct buf *log, const struct secret *s)
{
	note(log, "|");
	assert_true(buf_add(log, secret_span(s)));
}

static void go_on(struct host *h, struct preauth *p, struct buf *log)
{
	if (h->left > 0 && preauth_challenge(p, span_str("Y2g="), log)) {
		assert_true(preauth_is_exchanging(p));
		h->left--;
		if (h->left == 0 && h->is_late) {
			preauth_refuse(p, span_str("[X] late"), log);
		}
		return;
	}
	assert_false(preauth_is_exchanging(p));
	if (h->accepts) {
		preauth_accept(p, span_str("IMAP4rev1"), "Logged in", log);
	} else {
		preauth_refuse(p, span_str("[X] no"), log);
	}
	assert_int_equal(credentials_size(preauth_credentials(p)), 0);
}

/* What the caller does with a verdict, told in the transcript. False: the dialogue has ended. */
static bool act(struct host *h, struct preauth *p, enum preauth_verdict verdict, struct buf *log)
{
	struct credentials *c = preauth_credentials(p);
	switch (verdict) {
	case PREAUTH_MORE:
		return true;
	case PREAUTH_SIGN_IN:
		note(log, "<");
		note(log, mechanism_name(c->mechanism));
		note_secret(log, &c->authzid);
		note_secret(log, &c->user);
		note_secret(log, &c->password);
		note_secret(log, &c->message);
		note(log, ">\n");
		h->left = h->challenges;
		go_on(h, p, log);
		return !h->accepts || preauth_is_exchanging(p);
	case PREAUTH_RESPONSE:
		note(log, "<");
		assert_true(buf_add(log, preauth_response(p)));
		note(log, ">\n");
		go_on(h, p, log);
		return !h->accepts || preauth_is_exchanging(p);
	case PREAUTH_CANCELLED:
		assert_int_equal(credentials_size(c), 0);
		note(log, "<cancelled>\n");
		return true;
	default:
		assert_int_equal(verdict, PREAUTH_FAILED);
		note(log, "<");
		note(log, fail_name(preauth_failure(p)));
		note(log, ">");
		return false;
	}
}

static bool feed(struct host *h, struct preauth *p, struct span piece, struct buf *log)
{
	bool goes_on = true;
	while (goes_on && piece.n > 0) {
		enum preauth_verdict verdict = preauth_feed(p, &piece, log);
		assert_true(verdict != PREAUTH_MORE || piece.n == 0);
		goes_on = act(h, p, verdict, log);
	}
	return goes_on;
}

/* cut: where the input is split in two; SIZE_MAX: everywhere */
static void talk(struct host h, struct span input, size_t cut, struct buf *log)
{
	struct preauth_policy policy = {
		.can_sign_in = true,
		.mechanisms = h.mechanisms,
		.max_line = 20000,
		.max_bytes = 65536,
	};
	struct preauth *p = preauth_create(&policy);
	bool goes_on = true;
	for (size_t i = 0; cut == SIZE_MAX && goes_on && i < input.n; i++) {
		goes_on = feed(&h, p, span_slice(input, i, i + 1), log);
	}
	if (cut != SIZE_MAX && feed(&h, p, span_slice(input, 0, cut), log)) {
		feed(&h, p, span_slice(input, cut, input.n), log);
	}
	preauth_destroy(&p);
}

/* The same words whatever the pieces are that the input comes in. */
static void check(struct host h, const char *text, const char *wanted)
{
	struct span input = span_str(text);
	for (size_t cut = 0; cut <= input.n; cut++) {
		struct buf log;
		buf_init(&log, 1 << 20);
		talk(h, input, cut < input.n ? cut : SIZE_MAX, &log);
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("cut %zu: %.*s, not %s", cut, SPAN_ARG(got), wanted);
		}
		buf_finish(&log);
	}
}

static const struct host refuses = {.mechanisms = ALL};
static const struct host asks_once = {.mechanisms = ALL, .challenges = 1};

/* printf 'n,,n=u1,r=abc' | base64 and so on */
#define SCRAM_FIRST   "biwsbj11MSxyPWFiYw=="
#define XOAUTH2_FIRST "dXNlcj11MQFhdXRoPUJlYXJlciB0b2sBAQ=="
#define BEARER_FIRST  "bixhPXUxLAFhdXRoPUJlYXJlciB0b2sBAQ=="

static void first_messages(void **state)
{
	(void)state;
	check(refuses, "a AUTHENTICATE SCRAM-SHA-256 " SCRAM_FIRST "\r\n",
		"<SCRAM-SHA-256||u1||n,,n=u1,r=abc>\na NO [X] no\r\n");
	check(refuses, "a authenticate scram-sha-1\r\n" SCRAM_FIRST "\r\nb NOOP\r\n",
		"+ \r\n<SCRAM-SHA-1||u1||n,,n=u1,r=abc>\na NO [X] no\r\nb OK NOOP completed\r\n");
	check(refuses, "a AUTHENTICATE XOAUTH2 " XOAUTH2_FIRST "\r\n",
		"<XOAUTH2||u1|tok|user=u1\x01"
		"auth=Bearer tok\x01\x01>\na NO [X] no\r\n");
	check(refuses, "a AUTHENTICATE OAUTHBEARER\r\n" BEARER_FIRST "\r\n",
		"+ \r\n<OAUTHBEARER||u1|tok|n,a=u1,\x01"
		"auth=Bearer tok\x01\x01>\na NO [X] no\r\n");
	/* Who names himself twice is no master user: u2 NUL u2 NUL pw2. */
	check(refuses, "a AUTHENTICATE PLAIN dTIAdTIAcHcy\r\n",
		"<PLAIN||u2|pw2|>\na NO [X] no\r\n");
	/* No user yet: he is in a certificate, in a ticket, or behind the challenge. */
	check(refuses, "a AUTHENTICATE EXTERNAL =\r\nb AUTHENTICATE EXTERNAL\r\ndTE=\r\n",
		"<EXTERNAL||||>\na NO [X] no\r\n+ \r\n<EXTERNAL|u1|||>\nb NO [X] no\r\n");
	check(refuses, "a AUTHENTICATE GSSAPI AQI=\r\n", "<GSSAPI||||\x01\x02>\na NO [X] no\r\n");
	check(refuses, "a AUTHENTICATE CRAM-MD5\r\nb AUTHENTICATE CRAM-MD5 dTE=\r\n",
		"<CRAM-MD5||||>\na NO [X] no\r\nb " BAD);
}

static void challenges(void **state)
{
	(void)state;
	check(asks_once, "a AUTHENTICATE CRAM-MD5\r\ndTE=\r\nb NOOP\r\n",
		"<CRAM-MD5||||>\n+ Y2g=\r\n<dTE=>\na NO [X] no\r\nb OK NOOP completed\r\n");
	struct host h = {.mechanisms = ALL, .challenges = 2, .accepts = true};
	/* An empty answer is one; what stands behind the last is for the session. */
	check(h, "a AUTHENTICATE SCRAM-SHA-256 " SCRAM_FIRST "\r\ncHJvb2Y=\n\r\nb SELECT x\r\n",
		"<SCRAM-SHA-256||u1||n,,n=u1,r=abc>\n+ Y2g=\r\n<cHJvb2Y=>\n+ Y2g=\r\n<>\n"
		"a OK [CAPABILITY IMAP4rev1] Logged in\r\n");
	h = (struct host){.mechanisms = ALL, .challenges = SASL_STEPS_MAX + 1};
	check(h, "a AUTHENTICATE CRAM-MD5\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nb NOOP\r\n",
		"<CRAM-MD5||||>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n"
		"+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n+ Y2g=\r\n<>\n"
		"+ Y2g=\r\n<>\na NO [X] no\r\nb OK NOOP completed\r\n");
}

/* Whatever the client sends instead of an answer: one line back, and nothing is handed up. */
static void broken_answers(void **state)
{
	(void)state;
	static const struct {
		const char *line, *reply;
	} rows[] = {
		{"*", "a BAD Authentication cancelled\r\n"},
		{"**", "a " BAD},
		{"=", "a " BAD},
		{"dTE", "a " BAD},
		{"!!!!", "a " BAD},
		{"b NOOP", "a " BAD},
		{"{4}", "a " BAD},
		{"{4+}", "a " BAD},
		{" ", "a " BAD},
		{"dTF=", "a " BAD}, /* bits behind the last byte */
		{"\xff\xfe", "a " BAD},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200], wanted[200];
		snprintf(text, sizeof(text), "a AUTHENTICATE CRAM-MD5\r\n%s\r\nz NOOP\r\n",
			rows[i].line);
		snprintf(wanted, sizeof(wanted),
			"<CRAM-MD5||||>\n+ Y2g=\r\n%s<cancelled>\nz OK NOOP completed\r\n",
			rows[i].reply);
		check(asks_once, text, wanted);
	}
	/* The last error that is allowed ends the connection; nobody is told twice. */
	check(asks_once, "a x\r\na x\r\na x\r\na x\r\na AUTHENTICATE CRAM-MD5\r\n!\r\n",
		"a BAD Unknown command, or not possible before sign-in\r\n"
		"a BAD Unknown command, or not possible before sign-in\r\n"
		"a BAD Unknown command, or not possible before sign-in\r\n"
		"a BAD Unknown command, or not possible before sign-in\r\n"
		"<CRAM-MD5||||>\n+ Y2g=\r\na " BAD
		"* BYE Too many invalid commands\r\n<preauth-errors>");
}

/* The server has refused while the client was to speak: what he says is no command. */
static void late_refusal(void **state)
{
	(void)state;
	struct host h = {.mechanisms = ALL, .challenges = 1, .is_late = true};
	static const char *const lines[] = {"dTE=", "", "*", "!!!", "b NOOP"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[200];
		snprintf(text, sizeof(text), "a AUTHENTICATE CRAM-MD5\r\n%s\r\nz NOOP\r\n",
			lines[i]);
		check(h, text,
			"<CRAM-MD5||||>\n+ Y2g=\r\na NO [X] late\r\nz OK NOOP completed\r\n");
	}
	/* The client leaves without a word: nothing is left behind (ASan). */
	check(h, "a AUTHENTICATE CRAM-MD5\r\n", "<CRAM-MD5||||>\n+ Y2g=\r\n");
}

static void a_line_without_end(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 65536);
	note(&text, "a AUTHENTICATE CRAM-MD5\r\n");
	for (size_t i = 0; i <= SASL_LINE_MAX / 4; i++) {
		note(&text, "QUFB");
	}
	note(&text, "\r\n");
	for (int i = 0; i < 2; i++) {
		struct buf log;
		buf_init(&log, 65536);
		talk(asks_once, buf_peek(&text), i == 0 ? 0 : SIZE_MAX, &log);
		assert_true(
			span_is(buf_peek(&log), "<CRAM-MD5||||>\n+ Y2g=\r\n"
						"* BYE Command line too long\r\n<line-too-long>"));
		buf_finish(&log);
	}
	buf_finish(&text);
}

static void only_what_is_allowed(void **state)
{
	(void)state;
	struct host h = {.mechanisms = MECHANISMS_TOKEN | MECHANISM_BIT(MECHANISM_GSSAPI)};
	check(h,
		"a CAPABILITY\r\nb LOGIN u p\r\nc AUTHENTICATE PLAIN AHUyAHB3Mg==\r\n"
		"d AUTHENTICATE SCRAM-SHA-256-PLUS =\r\ne AUTHENTICATE LOGIN\r\n",
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID LOGINDISABLED AUTH=XOAUTH2 "
		"AUTH=OAUTHBEARER AUTH=GSSAPI\r\na OK Capability completed\r\n"
		"b NO [CANNOT] LOGIN is disabled, use AUTHENTICATE\r\n"
		"c NO [CANNOT] Unsupported authentication mechanism\r\n"
		"d NO [CANNOT] Unsupported authentication mechanism\r\n"
		"e NO [CANNOT] Unsupported authentication mechanism\r\n");
	/* Inside TLS it may be other ones. */
	struct preauth_policy policy = {
		.can_starttls = true, .mechanisms = ALL, .max_line = 1000, .max_bytes = 1000};
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 1 << 16);
	struct span in = span_str("a AUTHENTICATE GSSAPI\r\nb STARTTLS\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_STARTTLS);
	preauth_tls_active(p, MECHANISM_BIT(MECHANISM_EXTERNAL));
	in = span_str("a CAPABILITY\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_MORE);
	assert_true(span_is(buf_peek(&out),
		"a NO [PRIVACYREQUIRED] Sign-in is not possible without TLS\r\n"
		"b OK Begin TLS negotiation now\r\n"
		"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID LOGINDISABLED AUTH=EXTERNAL\r\n"
		"a OK Capability completed\r\n"));
	buf_finish(&out);
	preauth_destroy(&p);
}

/* What no server should see is refused here, as a wrong password is. */
static void empty_and_large(void **state)
{
	(void)state;
	/* user=, no a=, n= empty; no token */
	check(refuses,
		"a AUTHENTICATE XOAUTH2 dXNlcj0BYXV0aD1CZWFyZXIgdG9rAQE=\r\n"
		"b AUTHENTICATE OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHRvawEB\r\n"
		"c AUTHENTICATE SCRAM-SHA-1 biwsbj0scj1hYmM=\r\n"
		"d AUTHENTICATE OAUTHBEARER bixhPXUxLAFhdXRoPQEB\r\n",
		"a " FAILS "b " FAILS "c " FAILS "d " FAILS);
	check(refuses,
		"a AUTHENTICATE XOAUTH2 =\r\nb AUTHENTICATE OAUTHBEARER AQ==\r\n"
		"c AUTHENTICATE SCRAM-SHA-1 !\r\nd AUTHENTICATE XOAUTH2 *\r\n",
		"a " BAD "b " BAD "c " BAD "d BAD Authentication cancelled\r\n");
	check(refuses, "a AUTHENTICATE SCRAM-SHA-256 cD10bHMtdW5pcXVlLCxuPXUscj1h\r\n",
		"a NO [CANNOT] Channel binding is not possible here\r\n");
	check(refuses,
		"a LOGIN {1+}\r\n\xff p\r\nb AUTHENTICATE PLAIN AHUA/w==\r\n"
		"c AUTHENTICATE LOGIN dTE=\r\n/w==\r\n",
		"a " FAILS "b " BAD "+ UGFzc3dvcmQ6\r\nc " BAD);
	check(refuses, "a LOGIN u {1+}\r\n\xff\r\n", "<LOGIN||u|\xff|>\na NO [X] no\r\n");
}

static void no_room_for_a_challenge(void **state)
{
	(void)state;
	struct preauth_policy policy = {
		.can_sign_in = true, .mechanisms = ALL, .max_line = 1000, .max_bytes = 1000};
	struct preauth *p = preauth_create(&policy);
	struct buf out;
	buf_init(&out, 5);
	struct span in = span_str("a AUTHENTICATE CRAM-MD5\r\n");
	assert_int_equal(preauth_feed(p, &in, &out), PREAUTH_SIGN_IN);
	assert_true(preauth_challenge(p, span_str("Y2g="), &out));
	assert_int_equal(preauth_failure(p), FAIL_SLOW_READER);
	buf_finish(&out);
	preauth_destroy(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_messages),
		cmocka_unit_test(challenges),
		cmocka_unit_test(broken_answers),
		cmocka_unit_test(late_refusal),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(only_what_is_allowed),
		cmocka_unit_test(empty_and_large),
		cmocka_unit_test(no_room_for_a_challenge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
