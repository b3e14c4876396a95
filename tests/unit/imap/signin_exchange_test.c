/*
 * Sign-ins at a server by the client's own mechanism: tokens and SCRAM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "imap/sasl.h"
#include "imap/signin.h"

struct setting {
	enum mechanism mechanism;
	const char *first; /* base64 */
	const char *login;
	const char *answer; /* to each challenge */
};

#define SCRAM_FIRST "biwsbj11MSxyPWFiYw=="                 /* n,,n=u1,r=abc */
#define TOKEN_FIRST "dXNlcj11MQFhdXRoPUJlYXJlciB0b2sBAQ==" /* user=u1^Aauth=Bearer tok^A^A */
#define OFFERS      "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=XOAUTH2] hi\r\n"
#define OLD         "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=XOAUTH2] hi\r\n"

static const struct setting scram = {
	MECHANISM_SCRAM_SHA_256, SCRAM_FIRST, "u1", "Yz1iaXdzLHA9eA=="};
static const struct setting token = {MECHANISM_XOAUTH2, TOKEN_FIRST, "u1", ""};

static void note(struct buf *log, const char *word)
{
	assert_true(buf_add_str(log, word));
}

static void move_out(struct buf *out, struct buf *log)
{
	assert_true(buf_add(log, buf_peek(out)));
	buf_clear(out);
}

static enum signin_verdict start(struct signin *s, const struct setting *how, struct buf *out)
{
	struct credentials c = {0};
	assert_int_equal(sasl_first_read(how->mechanism, span_str(how->first), &c), SASL_GOOD);
	enum signin_verdict verdict = signin_start(s, span_str(how->login), &c, NULL, out);
	credentials_drop(&c);
	return verdict;
}

/* One verdict, told in the transcript. False: the end. */
static bool act(struct signin *s, enum signin_verdict verdict, const struct setting *how,
	struct buf *out, struct buf *log)
{
	move_out(out, log);
	switch (verdict) {
	case SIGNIN_MORE:
		return true;
	case SIGNIN_READY:
		verdict = start(s, how, out);
		return act(s, verdict, how, out, log);
	case SIGNIN_CHALLENGE:
		note(log, "<?");
		assert_true(buf_add(log, signin_challenge(s)));
		note(log, ">");
		assert_int_equal(signin_state(s), SIGNIN_MORE);
		if (how->answer != NULL) {
			assert_int_equal(
				signin_respond(s, span_str(how->answer), out), SIGNIN_MORE);
			move_out(out, log);
		}
		return true;
	case SIGNIN_OK:
		note(log, "<ok>");
		return false;
	case SIGNIN_NO:
		note(log, signin_is_wrong_credential(s) ? "<wrong>" : "<no>");
		return false;
	default:
		note(log, "<");
		note(log, fail_name(signin_failure(s)));
		note(log, ">");
		return false;
	}
}

static bool feed(struct signin *s, struct span piece, const struct setting *how, struct buf *out,
	struct buf *log)
{
	bool goes_on = true;
	while (goes_on && piece.n > 0) {
		enum signin_verdict verdict = signin_feed(s, &piece, out);
		assert_true(verdict != SIGNIN_MORE || piece.n == 0);
		goes_on = act(s, verdict, how, out, log);
	}
	return goes_on;
}

/* What the server sends behind its greeting; the transcript is the same wherever it is cut in two. */
static void check(
	const struct setting *how, const char *greeting, const char *flight, const char *wanted)
{
	struct span input = span_str(flight);
	for (size_t cut = 0; cut <= input.n; cut++) {
		struct signin *s = signin_create(false);
		struct buf out, log;
		buf_init(&out, SIGNIN_ROOM);
		buf_init(&log, 1 << 16);
		if (feed(s, span_str(greeting), how, &out, &log) &&
			feed(s, span_slice(input, 0, cut), how, &out, &log)) {
			feed(s, span_slice(input, cut, input.n), how, &out, &log);
		}
		struct span got = buf_peek(&log);
		if (!span_is(got, wanted)) {
			fail_msg("cut %zu: %.*s, not %s", cut, SPAN_ARG(got), wanted);
		}
		buf_finish(&out);
		buf_finish(&log);
		signin_destroy(&s);
	}
}

static void scram_passes(void **state)
{
	(void)state;
	check(&scram, OFFERS, "+ cj1hYmMx\r\n+ dj14\r\nmux1 OK [CAPABILITY IMAP4rev1] in\r\n",
		"mux1 AUTHENTICATE SCRAM-SHA-256 " SCRAM_FIRST "\r\n"
		"<?cj1hYmMx>Yz1iaXdzLHA9eA==\r\n<?dj14>Yz1iaXdzLHA9eA==\r\n<ok>");
	/* Without SASL-IR the first "+" is for what the client has said already. */
	check(&scram, OLD, "+ \r\n+ cj1hYmMx\r\nmux1 NO [AUTHENTICATIONFAILED] x\r\n",
		"mux1 AUTHENTICATE SCRAM-SHA-256\r\n" SCRAM_FIRST "\r\n"
		"<?cj1hYmMx>Yz1iaXdzLHA9eA==\r\n<wrong>");
	check(&scram, OLD, "+\r\n+\r\nmux1 NO x\r\n",
		"mux1 AUTHENTICATE SCRAM-SHA-256\r\n" SCRAM_FIRST
		"\r\n<?>Yz1iaXdzLHA9eA==\r\n<wrong>");
}

static void tokens_pass(void **state)
{
	(void)state;
	check(&token, OFFERS, "mux1 OK [CAPABILITY IMAP4rev1] in\r\n",
		"mux1 AUTHENTICATE XOAUTH2 " TOKEN_FIRST "\r\n<ok>");
	check(&token, OFFERS, "mux1 OK in\r\n* CAPABILITY IMAP4rev1\r\nmux2 OK x\r\n",
		"mux1 AUTHENTICATE XOAUTH2 " TOKEN_FIRST "\r\nmux2 CAPABILITY\r\n<ok>");
	check(&token, OFFERS, "+ eyJzIjoiNDAxIn0=\r\nmux1 NO x\r\n",
		"mux1 AUTHENTICATE XOAUTH2 " TOKEN_FIRST "\r\n<?eyJzIjoiNDAxIn0=>\r\n<wrong>");
	struct setting renamed = token;
	renamed.login = "v";
	check(&renamed, OFFERS, "mux1 NO x\r\n",
		"mux1 AUTHENTICATE XOAUTH2 dXNlcj12AWF1dGg9QmVhcmVyIHRvawEB\r\n<wrong>");
}

/* What a server must not do. */
static void wrong_servers(void **state)
{
	(void)state;
	struct setting silent = scram;
	silent.answer = NULL;
#define SENT "mux1 AUTHENTICATE SCRAM-SHA-256 " SCRAM_FIRST "\r\n"
	/* An OK before the client has shown that it knows the password is none. */
	check(&scram, OFFERS, "mux1 OK in\r\n", SENT "<server-protocol>");
	check(&silent, OFFERS, "+ cj1hYmMx\r\nmux1 OK in\r\n", SENT "<?cj1hYmMx><server-protocol>");
	check(&silent, OFFERS, "+ cj1hYmMx\r\n+ cj1hYmMx\r\n", SENT "<?cj1hYmMx><server-protocol>");
	check(&silent, OFFERS, "+ cj1hYmMx\r\n* OK soon\r\nmux1 NO x\r\n",
		SENT "<?cj1hYmMx><wrong>");
	check(&silent, OFFERS, "+ cj1hYmMx\r\n* BYE x\r\n", SENT "<?cj1hYmMx><server-bye>");
	/* It is to be a line to the client. */
	check(&scram, OFFERS, "+ go ahead\r\n", SENT "<server-protocol>");
	check(&scram, OFFERS, "+ cj1\r\n", SENT "<server-protocol>");
	check(&scram, OFFERS, "+ *\r\n", SENT "<server-protocol>");
	struct buf flights, wanted;
	buf_init(&flights, 1 << 16);
	buf_init(&wanted, 1 << 16);
	note(&wanted, SENT);
	for (int i = 0; i < SASL_STEPS_MAX; i++) {
		note(&flights, "+ YQ==\r\n");
		note(&wanted, "<?YQ==>Yz1iaXdzLHA9eA==\r\n");
	}
	note(&flights, "+ YQ==\r\n");
	note(&wanted, "<server-protocol>");
	assert_true(buf_add(&flights, span_of("", 1)) && buf_add(&wanted, span_of("", 1)));
	check(&scram, OFFERS, (const char *)buf_peek(&flights).p,
		(const char *)buf_peek(&wanted).p);
	buf_finish(&flights);
	buf_finish(&wanted);
}

/* Nothing is sent: not even a password in another way. */
static void not_possible(void **state)
{
	(void)state;
	check(&scram, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-1] hi\r\n", "",
		"<mechanism-not-offered>");
	check(&token, "* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH AUTH=OAUTHBEARER] hi\r\n", "",
		"<mechanism-not-offered>");
	struct setting renamed = scram;
	renamed.login = "u2";
	check(&renamed, OFFERS, "", "<auth-failed>");
}

static void no_room(void **state)
{
	(void)state;
	struct signin *s = signin_create(false);
	struct buf out;
	struct span in = span_str(OFFERS);
	buf_init(&out, SIGNIN_ROOM);
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_READY);
	assert_int_equal(start(s, &scram, &out), SIGNIN_MORE);
	in = span_str("+ YQ==\r\n");
	assert_int_equal(signin_feed(s, &in, &out), SIGNIN_CHALLENGE);
	buf_finish(&out);
	buf_init(&out, 5);
	assert_int_equal(signin_respond(s, span_str("YWFh"), &out), SIGNIN_FAILED);
	assert_int_equal(signin_failure(s), FAIL_SERVER_IO);
	buf_finish(&out);
	signin_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_passes),
		cmocka_unit_test(tokens_pass),
		cmocka_unit_test(wrong_servers),
		cmocka_unit_test(not_possible),
		cmocka_unit_test(no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
