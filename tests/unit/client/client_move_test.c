/* STARTTLS and the carry to another worker: what moves along, and what must not. */
#include "client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/client_rig.h"

/* STARTTLS. */

static void test_starttls(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_STARTTLS);
	rig_greet(r);
	peer_say(&r->peer, "a LOGIN u p\r\n");
	rig_hear(r, "\r\n");
	assert_memory_equal(buf_peek(&r->peer.in).p, "a NO [PRIVACYREQUIRED]", 22);
	rig_forget(r);
	assert_int_equal(r->credentials, 0);
	rig_start_tls(r);
	/* No second greeting: the first that is heard is an answer. */
	peer_say(&r->peer, "b CAPABILITY\r\n");
	rig_hear(r, "b OK Capability completed\r\n");
	struct span heard = buf_peek(&r->peer.in);
	assert_memory_equal(heard.p, "* CAPABILITY ", 13);
	assert_false(span_contains_nocase(heard, "STARTTLS"));
	assert_false(span_contains_nocase(heard, "LOGINDISABLED"));
	rig_forget(r);
	rig_sign_in(r, "c LOGIN u p\r\nd NOOP\r\n");
	rig_accept(r);
	rig_expect_data(r, "d NOOP\r\n");
	assert_true(stream_is_tls(client_stream(r->client)));
}

/* S1, law 5: what comes behind STARTTLS in clear is never answered, in clear or inside TLS. */
static void test_injected_behind_starttls(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_STARTTLS);
	rig_greet(r);
	peer_say(&r->peer, "s STARTTLS\r\nb LOGIN u p\r\n");
	rig_wait(r, &r->gone);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_STARTTLS_INJECTED);
	assert_int_equal(r->credentials, 0);
	rig_wait(r, &r->peer.ended);
	rig_assert_heard(r, "s OK Begin TLS negotiation now\r\n");
}

/* The same in a segment of its own: it is taken for the handshake, which it is not. */
static void test_injected_in_another_segment(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_STARTTLS);
	rig_greet(r);
	peer_say(&r->peer, "s STARTTLS\r\n");
	rig_hear(r, "s OK Begin TLS negotiation now\r\n");
	rig_forget(r);
	peer_say(&r->peer, "b LOGIN u p\r\n");
	rig_wait(r, &r->gone);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_CLIENT_TLS);
	assert_int_equal(r->credentials, 0);
	rig_wait(r, &r->peer.ended);
	assert_false(span_contains_nocase(buf_peek(&r->peer.in), "b "));
}

static void test_no_starttls_twice(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_STARTTLS);
	rig_greet(r);
	rig_start_tls(r);
	peer_say(&r->peer, "b STARTTLS\r\n");
	rig_hear(r, "b BAD STARTTLS is not possible here\r\n");
	assert_int_equal(client_state(r->client), CLIENT_PREAUTH);
}

/* Carrying. */

static void carry(struct client_rig *r)
{
	CALL(r, client_begin_move(r->client));
	assert_int_equal(client_state(r->client), CLIENT_MOVING);
	rig_wait(r, &r->movable);
	struct client_parcel *parcel;
	CALL(r, parcel = client_take(r->client));
	assert_non_null(parcel);
	assert_int_equal(client_state(r->client), CLIENT_CLOSING);
	CALL(r, client_close(r->client, 0)); /* the shell: nothing happens */
	rig_wait(r, &r->closed);
	r->closed = 0;
	CALL(r, r->client = client_unpack(&r->other.loop, &parcel, &rig_events, r));
	assert_null(parcel);
	assert_non_null(r->client);
	assert_int_equal(client_state(r->client), CLIENT_WAITING);
	struct credentials *c = client_credentials(r->client);
	assert_true(span_is(secret_span(&c->user), "alice"));
	assert_true(span_is(secret_span(&c->password), "se cret"));
}

static void test_carried(void **state)
{
	for (int mode = TLS_NONE; mode <= TLS_IMPLICIT; mode++) {
		struct client_rig *r = *state;
		rig_begin(r, (enum tls_mode)mode);
		rig_greet(r);
		if (mode == TLS_STARTTLS) {
			rig_start_tls(r);
		}
		rig_sign_in(r, SIGNIN_TEXT BEHIND_TEXT);
		carry(r);
		looper_spin(&r->looper, 3);
		looper_spin(&r->other, 3);
		assert_int_equal(buf_len(&r->data), 0);
		rig_accept(r);
		peer_say(&r->peer, "z NOOP\r\n");
		rig_expect_data(r, BEHIND_TEXT "z NOOP\r\n");
		rig_assert_heard(r, ACCEPTED("a"));
		rig_hang_up(r);
		rig_wait(r, &r->closed);
		assert_int_equal(r->gone, 1);
		assert_int_equal(r->why, FAIL_CLIENT_LEFT);
		rig_renew(state);
	}
}

static void test_carried_then_refused(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_IMPLICIT);
	rig_greet(r);
	rig_sign_in(r, SIGNIN_TEXT "b NOOP\r\n");
	carry(r);
	rig_refuse(r);
	rig_assert_heard(r, REFUSED("a") "b OK NOOP completed\r\n");
	CALL(r, client_close(r->client, 0));
	rig_wait(r, &r->closed);
}

static void test_parcel_that_is_dropped(void **state)
{
	struct client_rig *r = *state;
	struct client_parcel *none = NULL;
	client_parcel_drop(&none);
	rig_begin(r, TLS_IMPLICIT);
	rig_greet(r);
	rig_sign_in(r, SIGNIN_TEXT BEHIND_TEXT);
	CALL(r, client_begin_move(r->client));
	rig_wait(r, &r->movable);
	struct client_parcel *parcel = client_take(r->client);
	client_parcel_drop(&parcel);
	assert_null(parcel);
	rig_wait(r, &r->closed);
	assert_int_equal(r->gone, 0);
	rig_hear_the_end(r);
}

static void test_gone_while_moving(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, SIGNIN_TEXT);
	CALL(r, client_begin_move(r->client));
	CALL(r, client_close(r->client, 0));
	rig_wait(r, &r->closed);
	assert_int_equal(r->movable, 0);
	assert_int_equal(r->gone, 0);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, rig_make, rig_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_starttls),
		STORY(test_injected_behind_starttls),
		STORY(test_injected_in_another_segment),
		STORY(test_no_starttls_twice),
		STORY(test_carried),
		STORY(test_carried_then_refused),
		STORY(test_parcel_that_is_dropped),
		STORY(test_gone_while_moving),
	};
	return cmocka_run_group_tests(tests, rig_make_pki, rig_unmake_pki);
}
