/*
 * A client connection from its first byte to its last: the states held to their drawing, sign-in, the
 * ends of the stream, BYE.
 */
#include "client/client.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/client_rig.h"

/* The drawing in client/client.h, arrow by arrow. */
static void test_states_are_as_drawn(void **state)
{
	(void)state;
	static const enum client_state arrows[][2] = {
		{CLIENT_HANDSHAKE, CLIENT_PREAUTH},
		{CLIENT_PREAUTH, CLIENT_HANDSHAKE}, /* STARTTLS */
		{CLIENT_PREAUTH, CLIENT_WAITING},
		{CLIENT_WAITING, CLIENT_PREAUTH}, /* refused */
		{CLIENT_WAITING, CLIENT_LINKED},
		{CLIENT_WAITING, CLIENT_MOVING},
		{CLIENT_LINKED, CLIENT_DRAINING},
	};
	for (int from = 0; from < CLIENT_STATE_COUNT; from++) {
		assert_non_null(client_state_name((enum client_state)from));
		for (int to = 0; to < CLIENT_STATE_COUNT; to++) {
			bool is_drawn = to == CLIENT_CLOSING && from != CLIENT_CLOSING;
			for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++) {
				is_drawn = is_drawn ||
					   ((int)arrows[i][0] == from && (int)arrows[i][1] == to);
			}
			assert_int_equal(
				client_can_move((enum client_state)from, (enum client_state)to),
				is_drawn);
		}
	}
}

static void test_greeting(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_hear(r, "\r\n");
	assert_memory_equal(buf_peek(&r->peer.in).p, "* OK [CAPABILITY IMAP4rev1", 26);
	rig_forget(r);
	peer_say(&r->peer, "a NOOP\r\n");
	rig_hear(r, "a OK NOOP completed\r\n");
	assert_int_equal(r->gone, 0);
}

/* S21: what is pipelined behind the sign-in goes up once, in order, wherever the reads are cut. */

static void test_pipelined_behind_the_sign_in(void **state)
{
	struct client_rig *r = *state;
	static const char text[] = SIGNIN_TEXT BEHIND_TEXT;
	for (size_t cut = 1; cut < sizeof text; cut++) {
		rig_begin(r, TLS_NONE);
		rig_greet(r);
		peer_say_bytes(&r->peer, span_of(text, cut));
		looper_spin(&r->looper, 3);
		peer_say_bytes(&r->peer, span_of(text + cut, sizeof text - 1 - cut));
		rig_wait(r, &r->credentials);
		assert_string_equal(r->user, "alice");
		assert_string_equal(r->password, "se cret");
		looper_spin(&r->looper, 3);
		assert_int_equal(buf_len(&r->data), 0);
		assert_int_equal(buf_len(&r->peer.in), 0);
		rig_accept(r);
		rig_hear(r, ACCEPTED("a"));
		rig_expect_data(r, BEHIND_TEXT);
		assert_int_equal(r->credentials, 1);
		r = rig_renew(state);
	}
}

static void accept_inside(struct client_rig *r)
{
	rig_accept(r);
}

/* A parked connection answers at once, inside the event: the rest of the read must not get stuck. */
static void test_accepted_inside_the_event(void **state)
{
	struct client_rig *r = *state;
	r->on_credentials = accept_inside;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, SIGNIN_TEXT BEHIND_TEXT);
	rig_expect_data(r, BEHIND_TEXT);
	rig_hear(r, ACCEPTED("a"));
	peer_say(&r->peer, "d NOOP\r\n");
	rig_expect_data(r, "d NOOP\r\n");
}

static void test_accepted_inside_the_event_with_tls(void **state)
{
	struct client_rig *r = *state;
	r->on_credentials = accept_inside;
	rig_begin(r, TLS_IMPLICIT);
	rig_greet(r);
	rig_sign_in(r, SIGNIN_TEXT BEHIND_TEXT);
	rig_expect_data(r, BEHIND_TEXT);
	rig_hear(r, ACCEPTED("a"));
	peer_say(&r->peer, "d NOOP\r\n");
	rig_expect_data(r, "d NOOP\r\n");
}

static void refuse_first_inside(struct client_rig *r)
{
	if (r->credentials < 3) {
		rig_refuse(r);
	} else {
		rig_accept(r);
	}
}

static void test_refused_inside_the_event(void **state)
{
	struct client_rig *r = *state;
	r->on_credentials = refuse_first_inside;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	peer_say(&r->peer, "a LOGIN u 1\r\nb LOGIN u 2\r\nc LOGIN u 3\r\nd NOOP\r\n");
	rig_expect_data(r, "d NOOP\r\n");
	rig_assert_heard(r, REFUSED("a") REFUSED("b") ACCEPTED("c"));
	assert_string_equal(r->password, "3");
}

static void test_refused_and_again(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN alice wrong\r\nb NOOP\r\nc LOGIN alice right\r\nd NOOP\r\n");
	assert_string_equal(r->password, "wrong");
	r->credentials = 0;
	rig_refuse(r);
	rig_wait(r, &r->credentials);
	assert_string_equal(r->password, "right");
	rig_assert_heard(r, REFUSED("a") "b OK NOOP completed\r\n");
	rig_accept(r);
	rig_expect_data(r, "d NOOP\r\n");
	rig_assert_heard(r, ACCEPTED("c"));
}

/* What comes up is used in bites, as when the server has to say its word on a literal first. */
static void test_bites(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	rig_accept(r);
	rig_hear(r, ACCEPTED("a"));
	r->bite = 3;
	peer_say(&r->peer, "0123456789");
	for (int i = 3; i < 10; i += 3) {
		rig_wait_data(r, (size_t)i);
		looper_spin(&r->looper, 5);
		assert_int_equal(buf_len(&r->data), i); /* waits to be resumed */
		CALL(r, stream_resume(client_stream(r->client)));
	}
	rig_expect_data(r, "0123456789");
}

static void test_stream_events_go_up(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	rig_accept(r);
	CALL(r, stream_want_drained(client_stream(r->client)));
	rig_wait(r, &r->drained);
	r->drained = 0;
	CALL(r, client_drain(r->client));
	assert_int_equal(client_state(r->client), CLIENT_DRAINING);
	peer_say(&r->peer, "b NOOP\r\n");
	rig_expect_data(r, "b NOOP\r\n");
	CALL(r, stream_want_drained(client_stream(r->client)));
	rig_wait(r, &r->drained);
}

static void test_logout(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	peer_say(&r->peer, "a LOGOUT\r\nb LOGIN u p\r\n");
	rig_wait(r, &r->gone);
	assert_int_equal(r->why, FAIL_LOGOUT);
	rig_hear_the_end(r);
	rig_assert_heard(r, "* BYE Logging out\r\na OK Logout completed\r\n");
	assert_int_equal(r->credentials, 0);
}

/* The end of the stream in each state. */

static void test_eof_in_the_handshake(void **state)
{
	struct client_rig *r = *state;
	int fds[2];
	r->options.mode = TLS_IMPLICIT;
	r->options.tls = rig_server_tls;
	looper_tcp_pair(fds);
	CALL(r, r->client = client_create(&r->looper.loop, fds[0], &r->options, &rig_events, r));
	assert_int_equal(write(fds[1], "\x16\x03\x01", 3), 3);
	shutdown(fds[1], SHUT_WR);
	rig_wait(r, &r->gone);
	assert_int_equal(r->why, FAIL_CLIENT_TLS);
	close(fds[1]);
	rig_wait(r, &r->closed);
}

static void test_eof_in_the_dialogue(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	peer_say(&r->peer, "a LOGIN {5}\r\nal");
	rig_hang_up(r);
	rig_wait(r, &r->closed);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_CLIENT_LEFT);
}

/* Not seen while nothing is read; what was said before still goes up. */
static void test_eof_while_waiting(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	peer_say(&r->peer, "b LOGOUT\r\n");
	rig_hang_up(r);
	looper_spin(&r->looper, 20);
	assert_int_equal(r->gone, 0);
	rig_accept(r);
	rig_wait(r, &r->closed);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_CLIENT_LEFT);
	assert_true(span_is(buf_peek(&r->data), "b LOGOUT\r\n"));
}

static void test_eof_when_signed_in(void **state)
{
	struct client_rig *r = *state;
	for (int is_draining = 0; is_draining < 2; is_draining++) {
		rig_begin(r, TLS_NONE);
		rig_greet(r);
		rig_sign_in(r, "a LOGIN u p\r\n");
		rig_accept(r);
		if (is_draining) {
			CALL(r, client_drain(r->client));
		}
		peer_say(&r->peer, "b NO");
		rig_hang_up(r);
		rig_wait(r, &r->closed);
		assert_int_equal(r->gone, 1);
		assert_int_equal(r->why, FAIL_CLIENT_LEFT);
		assert_true(span_is(buf_peek(&r->data), "b NO"));
		r = rig_renew(state);
	}
}

static void test_reset(void **state)
{
	struct client_rig *r = *state;
	int fds[2];
	looper_tcp_pair(fds);
	CALL(r, r->client = client_create(&r->looper.loop, fds[0], &r->options, &rig_events, r));
	looper_spin(&r->looper, 5);
	setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(fds[1]);
	rig_wait(r, &r->closed);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_CLIENT_IO);
}

static void test_unusable_descriptor(void **state)
{
	struct client_rig *r = *state;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_null(client_create(&r->looper.loop, fd, &r->options, &rig_events, r));
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed, as promised */
	looper_spin(&r->looper, 3);
}

/* BYE. */

/* A client above a limit is told before it has been greeted. */
static void test_bye_before_the_greeting(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	CALL(r, client_say_bye(r->client, FAIL_LIMIT_CLIENTS));
	CALL(r, client_close(r->client, CLIENT_LINGER_MS));
	assert_int_equal(client_state(r->client), CLIENT_CLOSING);
	rig_hear_the_end(r);
	rig_assert_heard(r, "* BYE [UNAVAILABLE] Too many connections\r\n");
	assert_int_equal(r->gone, 0);
}

static void test_no_bye_in_a_handshake(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_IMPLICIT);
	CALL(r, client_say_bye(r->client, FAIL_LIMIT_CLIENTS));
	CALL(r, client_close(r->client, CLIENT_LINGER_MS));
	rig_hear_the_end(r);
	assert_int_equal(r->peer.seen, 0);
}

static void test_bye_texts(void **state)
{
	static const struct {
		enum fail why;
		const char *text;
	} rows[] = {
		{FAIL_SHUTDOWN, "* BYE [UNAVAILABLE] Server is shutting down\r\n"},
		{FAIL_IDLE_TIMEOUT, "* BYE Idle for too long\r\n"},
		{FAIL_CLIENT_LEFT, ""},
		{FAIL_LOGOUT, ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int is_tls = 0; is_tls < 2; is_tls++) {
			struct client_rig *r = *state;
			rig_begin(r, is_tls ? TLS_IMPLICIT : TLS_NONE);
			rig_greet(r);
			CALL(r, client_say_bye(r->client, rows[i].why));
			CALL(r, client_close(r->client, CLIENT_LINGER_MS));
			CALL(r, client_say_bye(r->client, FAIL_KICKED)); /* too late */
			rig_hear_the_end(r);
			assert_int_equal(r->peer.failed, 0);
			rig_assert_heard(r, rows[i].text);
			rig_renew(state);
		}
	}
}

/* In any state, and again; the linger is a bound. */
static void test_closed_again(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	CALL(r, client_close(r->client, 100000));
	CALL(r, client_close(r->client, 100000));
	CALL(r, client_close(r->client, 20));
	rig_wait(r, &r->closed); /* the peer does not close */
	assert_int_equal(r->gone, 0);
	assert_int_equal(r->closed, 1);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, rig_make, rig_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_are_as_drawn),
		STORY(test_greeting),
		STORY(test_pipelined_behind_the_sign_in),
		STORY(test_accepted_inside_the_event),
		STORY(test_accepted_inside_the_event_with_tls),
		STORY(test_refused_inside_the_event),
		STORY(test_refused_and_again),
		STORY(test_bites),
		STORY(test_stream_events_go_up),
		STORY(test_logout),
		STORY(test_eof_in_the_handshake),
		STORY(test_eof_in_the_dialogue),
		STORY(test_eof_while_waiting),
		STORY(test_eof_when_signed_in),
		STORY(test_reset),
		STORY(test_unusable_descriptor),
		STORY(test_bye_before_the_greeting),
		STORY(test_no_bye_in_a_handshake),
		STORY(test_bye_texts),
		STORY(test_closed_again),
	};
	return cmocka_run_group_tests(tests, rig_make_pki, rig_unmake_pki);
}
