/*
 * Sign-ins in which the client takes part: SCRAM and tokens. What the pool keeps of them, and for how long.
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "backend/proof.h"
#include "imap/base64.h"
#include "lib/clock.h"
#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

#define SCRAM_FIRST "biwsbj1hbGljZSxyPWFiYw==" /* n,,n=alice,r=abc */
#define WELCOME     "OK [CAPABILITY IMAP4rev1 UNSELECT] Welcome"

/* A server that knows SCRAM in two steps, with the proof "good", and any token; with arg it refuses with
 * these words. */
static bool judge(struct fake_connection *c, struct span line)
{
	bool is_token = span_contains_nocase(line, "AUTHENTICATE XOAUTH2");
	if (span_contains_nocase(line, "AUTHENTICATE SCRAM")) {
		fake_say(c, "+ cj1hYmMx\r\n");
	} else if (is_token && c->fake->arg != NULL) {
		fake_say(c, "+ eyJzIjoiNDAxIn0=\r\n");
	} else if (is_token) {
		fake_reply(c, WELCOME);
	} else if (span_is(line, "Z29vZA==")) {
		fake_say(c, "+ dj14\r\n");
	} else if (span_is(line, "YmFk") || (span_is(line, "") && c->fake->arg != NULL)) {
		fake_reply(c, c->fake->arg != NULL ? c->fake->arg : "NO [AUTHENTICATIONFAILED] x");
	} else if (span_is(line, "")) {
		fake_reply(c, WELCOME);
	} else {
		return false;
	}
	return true;
}

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->fake.on_line = judge;
	r->fake.password = "secret";
	r->fake.capabilities = "IMAP4rev1 SASL-IR UNSELECT AUTH=PLAIN AUTH=SCRAM-SHA-256 "
			       "AUTH=XOAUTH2";
	r->config.pool.purge_on_new_secret = true;
	pool_rig_configure(r);
	return result;
}

static void ask(struct borrower *b, struct pool_rig *r, enum mechanism m, const char *first)
{
	borrower_init(b, r);
	b->mechanism = m;
	b->first = first;
	borrower_ask(b, "");
}

static bool is_answered(void *arg)
{
	const struct borrower *b = arg;
	return b->ready + b->refused + b->failed > 0;
}

static bool is_challenged(void *arg)
{
	const struct borrower *b = arg;
	return b->challenged > 0 || is_answered(arg);
}

static void wait_challenge(struct borrower *b, const char *text)
{
	looper_until(&b->rig->looper, is_challenged, b);
	assert_int_equal(b->challenged, 1);
	assert_string_equal(b->challenge, text);
	b->challenged = 0;
}

static void respond(struct borrower *b, const char *line)
{
	POOL_CALL(b->rig, loan_respond(b->loan, span_str(line)));
}

static void begin_scram(struct borrower *b, struct pool_rig *r)
{
	ask(b, r, MECHANISM_SCRAM_SHA_256, SCRAM_FIRST);
	wait_challenge(b, "cj1hYmMx");
}

static void finish(struct borrower *b)
{
	POOL_CALL(b->rig, loan_cancel(&b->loan));
	pool_rig_settle(b->rig);
	borrower_finish(b);
}

/* Signed in, and given back at once. Returns why it was not kept; NULL: it is parked. */
static const char *give_back(struct borrower *b)
{
	const char *said;
	struct pool_rig *r = b->rig;
	looper_until(&r->looper, is_answered, b);
	assert_int_equal(b->ready, 1);
	POOL_CALL(r, said = loan_give_back(&b->loan, loan_enabled(b->loan)));
	pool_rig_settle(r);
	borrower_finish(b);
	return said;
}

static void test_scram_is_never_kept(void **state)
{
	struct pool_rig *r = *state;
	for (size_t i = 0; i < 2; i++) {
		struct borrower b;
		begin_scram(&b, r);
		respond(&b, "Z29vZA==");
		wait_challenge(&b, "dj14");
		respond(&b, "");
		assert_string_equal(give_back(&b), "unproved");
		assert_int_equal(r->fake.count, i + 1);
		assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 0);
	}
}

/* What a SCRAM session is on is lent to nobody, and answers for nobody's sign-in. */
static void test_scram_proves_nothing(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	struct borrower other;
	begin_scram(&b, r);
	respond(&b, "Z29vZA==");
	wait_challenge(&b, "dj14");
	respond(&b, "");
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.ready, 1);
	ask(&other, r, MECHANISM_SCRAM_SHA_256, SCRAM_FIRST);
	assert_int_equal(other.ready, 0);
	struct credentials c = {.mechanism = MECHANISM_SCRAM_SHA_256};
	secret_set(&c.user, span_str("alice"));
	other.request.credentials = &c;
	assert_null(pool_known(r->pool, &other.request));
	credentials_drop(&c);
	finish(&other);
	assert_string_equal(give_back(&b), "unproved");
}

/* A password that was proved answers on, whatever others fail to prove by SCRAM. */
static void test_scram_ends_nothing(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "secret");
	begin_scram(&b, r);
	respond(&b, "YmFk");
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.refused, 1);
	assert_true(b.is_wrong_credential);
	borrower_finish(&b);
	begin_scram(&b, r);
	respond(&b, "Z29vZA==");
	wait_challenge(&b, "dj14");
	respond(&b, "");
	assert_string_equal(give_back(&b), "unproved");
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
	borrower_init(&b, r);
	borrower_ask(&b, "secret");
	assert_int_equal(b.ready, 1); /* at once */
	assert_null(give_back(&b));
}

static void test_cancelled(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	begin_scram(&b, r);
	finish(&b);
	assert_int_equal(pool_rig_alive(r), 0);
	assert_true(r->fake.connections[0].has_left);
	assert_int_equal(r->fake.signed_in, 0);
}

/* Nobody begins an exchange anew of which the client has seen a part: also not on what was a spare. */
static void test_the_server_leaves(void **state)
{
	struct pool_rig *r = *state;
	for (unsigned spares = 0; spares <= 1; spares++) {
		struct borrower b;
		r->config.pool.spares = spares;
		pool_rig_configure(r);
		if (spares > 0) {
			pool_rig_wait(r, BACKEND_SPARE, 1);
		}
		size_t last = r->fake.count - (spares > 0 ? 1 : 0);
		begin_scram(&b, r);
		fake_hang_up(&r->fake.connections[last]);
		looper_until(&r->looper, is_answered, &b);
		assert_int_equal(b.failed, 1);
		assert_int_equal(b.why, FAIL_SERVER_LEFT);
		/* Perhaps because of what the client has said. */
		assert_int_equal(counter_get(&r->counters, COUNTER_BACKEND_DIAL_FAILURES), 0);
		borrower_finish(&b);
		assert_int_equal(counter_get(&r->counters, COUNTER_POOL_SPARES_USED), spares);
	}
}

/* The client's time is not the server's. */
static void test_time_outs(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	begin_scram(&b, r);
	pool_rig_jump(r, r->config.limits.signin_timeout + 1000);
	assert_int_equal(b.failed, 0);
	r->fake.is_deaf = true;
	respond(&b, "Z29vZA==");
	pool_rig_settle(r);
	pool_rig_jump(r, r->config.limits.signin_timeout + 1000);
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.why, FAIL_SIGNIN_TIMEOUT);
	borrower_finish(&b);
}

/* A refusal for want of room is not tried again with words that were good for the first time only. */
static void test_limit_in_the_exchange(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "secret");
	r->fake.arg = "NO [LIMIT] x";
	begin_scram(&b, r);
	respond(&b, "Z29vZA==");
	wait_challenge(&b, "dj14");
	respond(&b, "");
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.refused, 1);
	assert_false(b.is_wrong_credential);
	assert_int_equal(r->fake.count, 2);
	borrower_finish(&b);
}

static void test_not_offered(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	ask(&b, r, MECHANISM_SCRAM_SHA_1, SCRAM_FIRST);
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_MECHANISM);
	borrower_finish(&b);
	pool_rig_settle(r);
	/* Nothing was said, and the server is as well as before. */
	assert_true(fake_has_heard(&r->fake.connections[0], ""));
	assert_int_equal(counter_get(&r->counters, COUNTER_BACKEND_DIAL_FAILURES), 0);
	assert_int_equal(pool_rig_alive(r), 0);
}

/* Tokens. */

/* The first message of XOAUTH2 with this token, in base64; valid until the next. */
static const char *token_first(const char *token)
{
	static char line[2048];
	struct buf text, base64;
	buf_init(&text, 1024);
	buf_init(&base64, sizeof line - 1);
	assert_true(buf_addf(&text, "user=alice%cauth=Bearer %s%c%c", 1, token, 1, 1));
	assert_true(base64_encode(&base64, buf_peek(&text)));
	snprintf(line, sizeof line, "%.*s", SPAN_ARG(buf_peek(&base64)));
	buf_finish(&text);
	buf_finish(&base64);
	return line;
}

/* A token that says when it ends, so many seconds from now. */
static const char *jwt(int64_t seconds)
{
	static char token[512];
	char payload[64];
	struct buf base64;
	/* Its length is one that base64 needs no padding for. */
	int n = snprintf(
		payload, sizeof payload, "{\"exp\":%lld}", (long long)time(NULL) + seconds);
	while (n % 3 != 0) {
		payload[n++] = ' ';
	}
	buf_init(&base64, 256);
	assert_true(base64_encode(&base64, span_of(payload, (size_t)n)));
	snprintf(token, sizeof token, "aGVhZA.%.*s.c2ln", SPAN_ARG(buf_peek(&base64)));
	buf_finish(&base64);
	return token;
}

static void park_token(struct pool_rig *r, const char *token)
{
	struct borrower b;
	ask(&b, r, MECHANISM_XOAUTH2, token_first(token));
	assert_null(give_back(&b));
}

/* Answered without asking the server. */
static bool is_hit(struct pool_rig *r, const char *token)
{
	struct borrower b;
	size_t before = r->fake.count;
	ask(&b, r, MECHANISM_XOAUTH2, token_first(token));
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.ready, 1);
	bool is_same = r->fake.count == before;
	assert_int_equal(loan_is_reused(b.loan), is_same);
	POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	pool_rig_settle(r);
	borrower_finish(&b);
	return is_same;
}

static void test_a_token_answers_for_a_minute(void **state)
{
	struct pool_rig *r = *state;
	park_token(r, "opaque");
	assert_false(is_hit(r, "another"));
	assert_true(is_hit(r, "opaque"));
	park_token(r, "opaque");
	pool_rig_jump(r, PROOF_TOKEN_MS - 10000);
	assert_true(is_hit(r, "opaque"));
	park_token(r, "opaque");
	pool_rig_jump(r, PROOF_TOKEN_MS);
	assert_false(is_hit(r, "opaque"));
	/* A password does longer. */
	struct borrower b;
	borrower_park(r, "secret");
	pool_rig_jump(r, PROOF_TOKEN_MS + 10000);
	borrower_init(&b, r);
	borrower_ask(&b, "secret");
	looper_until(&r->looper, is_answered, &b);
	assert_true(loan_is_reused(b.loan));
	assert_null(give_back(&b));
}

static void test_a_shorter_time_holds_for_tokens_too(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.credential_ttl = 5000;
	pool_rig_configure(r);
	park_token(r, "opaque");
	pool_rig_jump(r, 6000);
	assert_false(is_hit(r, "opaque"));
}

static void test_no_token_answers_beyond_its_end(void **state)
{
	struct pool_rig *r = *state;
	/* The server may take it yet: its clock, its leeway. */
	static const int64_t past[] = {-3600, -1, 0};
	for (size_t i = 0; i < 3; i++) {
		park_token(r, jwt(past[i]));
		assert_false(is_hit(r, jwt(past[i])));
	}
	char token[512];
	snprintf(token, sizeof token, "%s", jwt(3600));
	park_token(r, token);
	assert_true(is_hit(r, token));
	/* So far away that no clock counts it. */
	snprintf(token, sizeof token, "%s", jwt(INT64_C(9000000000000)));
	park_token(r, token);
	assert_true(is_hit(r, token));
}

/* Several devices have several tokens, and one may have a password. */
static void test_tokens_do_not_end_each_other(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.max_idle_per_user = 5;
	pool_rig_configure(r);
	borrower_park(r, "secret");
	park_token(r, "one");
	park_token(r, "two");
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 3);
	assert_true(is_hit(r, "one"));
	assert_true(is_hit(r, "two"));
	park_token(r, "one");
	/* A new password ends the old one only. */
	r->fake.password = "changed";
	struct borrower b;
	borrower_init(&b, r);
	borrower_ask(&b, "changed");
	assert_null(give_back(&b));
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	assert_true(is_hit(r, "one"));
}

/* The server takes it no more: what it had opened is closed, the error is for the client. */
static void test_a_revoked_token(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_token(r, "bad");
	park_token(r, "good");
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	r->fake.arg = "NO [AUTHENTICATIONFAILED] x";
	pool_rig_jump(r, PROOF_TOKEN_MS); /* it is asked again */
	ask(&b, r, MECHANISM_XOAUTH2, token_first("bad"));
	wait_challenge(&b, "eyJzIjoiNDAxIn0=");
	respond(&b, "");
	looper_until(&r->looper, is_answered, &b);
	assert_int_equal(b.refused, 1);
	assert_true(b.is_wrong_credential);
	borrower_finish(&b);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_scram_is_never_kept),
		STORY(test_scram_proves_nothing),
		STORY(test_scram_ends_nothing),
		STORY(test_cancelled),
		STORY(test_the_server_leaves),
		STORY(test_time_outs),
		STORY(test_limit_in_the_exchange),
		STORY(test_not_offered),
		STORY(test_a_token_answers_for_a_minute),
		STORY(test_a_shorter_time_holds_for_tokens_too),
		STORY(test_no_token_answers_beyond_its_end),
		STORY(test_tokens_do_not_end_each_other),
		STORY(test_a_revoked_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
