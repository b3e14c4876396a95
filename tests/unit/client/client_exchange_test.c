/*
 * A sign-in of several messages: the client is challenged, and answers, or does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/client_rig.h"

#define STORY(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_unmake)

static void begin(struct client_rig *r)
{
	r->mechanisms = MECHANISM_BIT(MECHANISM_CRAM_MD5);
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a AUTHENTICATE CRAM-MD5\r\n");
}

static void challenge(struct client_rig *r)
{
	CALL(r, assert_true(client_challenge(r->client, span_str("Y2g="))));
}

/* An exchange of two challenges; between them the client is spoken to, not waited for. */
static void exchange(void **state)
{
	struct client_rig *r = *state;
	begin(r);
	for (int i = 0; i < 2; i++) {
		r->responses = 0;
		challenge(r);
		assert_int_equal(client_state(r->client), CLIENT_PREAUTH);
		rig_assert_heard(r, "+ Y2g=\r\n");
		peer_say(&r->peer, i == 0 ? "dTE=\r\n" : "\r\nb NOOP\r\n");
		rig_wait(r, &r->responses);
		assert_string_equal(r->response, i == 0 ? "dTE=" : "");
	}
	rig_accept(r);
	rig_assert_heard(r, ACCEPTED("a"));
	rig_expect_data(r, "b NOOP\r\n");
	assert_int_equal(r->cancelled, 0);
}

static void exchange_cancelled(void **state)
{
	struct client_rig *r = *state;
	begin(r);
	challenge(r);
	peer_say(&r->peer, "*\r\nb NOOP\r\n");
	rig_wait(r, &r->cancelled);
	rig_assert_heard(r, "+ Y2g=\r\na BAD Authentication cancelled\r\nb OK NOOP completed\r\n");
	assert_int_equal(r->responses, 0);
	rig_sign_in(r, "c AUTHENTICATE CRAM-MD5\r\n");
	rig_refuse(r);
	rig_assert_heard(r, REFUSED("c"));
}

/* The server has refused while the client was to speak. */
static void refused_in_exchange(void **state)
{
	struct client_rig *r = *state;
	begin(r);
	challenge(r);
	rig_refuse(r);
	rig_assert_heard(r, "+ Y2g=\r\n");
	peer_say(&r->peer, "dTE=\r\nb NOOP\r\n");
	rig_assert_heard(r, REFUSED("a") "b OK NOOP completed\r\n");
	assert_int_equal(r->responses + r->cancelled, 0);
}

/* A client that owes an answer has as long for it as for anything else. */
static void exchange_times_out(void **state)
{
	struct client_rig *r = *state;
	begin(r);
	challenge(r);
	rig_jump(r, r->limits.preauth_timeout + 1000);
	rig_wait(r, &r->gone);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(exchange),
		STORY(exchange_cancelled),
		STORY(refused_in_exchange),
		STORY(exchange_times_out),
	};
	return cmocka_run_group_tests(tests, rig_make_pki, rig_unmake_pki);
}
