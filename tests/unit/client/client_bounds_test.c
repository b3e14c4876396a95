/* What a client that has not signed in can make us wait, read, write or keep: bounds, each with its code. */
#include "client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/client_rig.h"

/* A client that is to wait for its answer sends on: nothing is lost, and not read without bound. */
static void test_nothing_is_read_while_waiting(void **state)
{
	struct client_rig *r = *state;
	enum { MUCH = 20 * 1024 * 1024 };
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	char *much = malloc(MUCH);
	for (size_t i = 0; i < MUCH; i++) {
		much[i] = (char)('a' + i % 23);
	}
	/* More than the kernel holds for both sides; the peer's stream keeps the rest. */
	size_t said = 0;
	while (said < MUCH && stream_pending(r->peer.stream) < STREAM_HIGH_WATER) {
		size_t n = MUCH - said < 65536 ? MUCH - said : 65536;
		peer_say_bytes(&r->peer, span_of(much + said, n));
		said += n;
		looper_spin(&r->looper, 2);
	}
	assert_true(said < MUCH);
	assert_true(stream_unread(client_stream(r->client)) <= NET_READ_SIZE);
	assert_int_equal(buf_len(&r->data), 0);
	rig_accept(r);
	rig_wait_data(r, said);
	assert_true(span_equal(buf_peek(&r->data), span_of(much, said)));
	free(much);
}

/* Time-outs. */

static void test_timeout_of_the_dialogue(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	peer_say(&r->peer, "a LOG");
	rig_jump(r, 59000);
	assert_int_equal(r->gone, 0);
	rig_jump(r, 1600);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
	rig_hear_the_end(r);
	rig_assert_heard(r, "* BYE Sign-in took too long\r\n");
	CALL(r, stream_close(r->peer.stream, 0));
	rig_wait(r, &r->closed);
	assert_int_equal(r->gone, 1);
}

/* Commands do not put it off: a stranger may not stay by saying NOOP. */
static void test_timeout_in_spite_of_commands(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(r->gone, 0);
		peer_say(&r->peer, "a NOOP\r\n");
		rig_hear(r, "a OK NOOP completed\r\n");
		rig_forget(r);
		rig_jump(r, 10120);
	}
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
}

static void test_timeout_of_the_handshake(void **state)
{
	struct client_rig *r = *state;
	int fds[2];
	r->options.mode = TLS_IMPLICIT;
	r->options.tls = rig_server_tls;
	looper_tcp_pair(fds);
	CALL(r, r->client = client_create(&r->looper.loop, fds[0], &r->options, &rig_events, r));
	peer_start(&r->peer, &r->looper, fds[1], NULL);
	rig_jump(r, 61000);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
	rig_hear_the_end(r);
	assert_int_equal(r->peer.seen, 0); /* there is no way to say anything */
}

static void test_timeout_of_the_handshake_behind_starttls(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_STARTTLS);
	rig_greet(r);
	peer_say(&r->peer, "s STARTTLS\r\n");
	rig_hear(r, "s OK Begin TLS negotiation now\r\n");
	rig_forget(r);
	rig_jump(r, 61000);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
	rig_hear_the_end(r);
	assert_int_equal(buf_len(&r->peer.in), 0);
}

/* The answer may take as long as the server takes; the clock runs again when it was NO. */
static void test_no_timeout_while_waiting(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	rig_jump(r, 600000);
	assert_int_equal(r->gone, 0);
	assert_int_equal(client_state(r->client), CLIENT_WAITING);
	rig_refuse(r);
	rig_jump(r, 59000);
	assert_int_equal(r->gone, 0);
	rig_jump(r, 1600);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
	rig_hear_the_end(r);
	rig_assert_heard(r, REFUSED("a") "* BYE Sign-in took too long\r\n");
}

static void test_no_timeout_when_signed_in(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	rig_sign_in(r, "a LOGIN u p\r\n");
	rig_accept(r);
	rig_jump(r, 600000);
	assert_int_equal(r->gone, 0);
}

/* Bounds. */

static void test_slow_reader(void **state)
{
	struct client_rig *r = *state;
	r->limits.preauth_bytes = 100000000;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	stream_pause(r->peer.stream);
	char command[] = "a CAPABILITY\r\n";
	for (int i = 0; r->gone == 0; i++) {
		assert_true(i < 1000000);
		peer_say(&r->peer, command);
		if (i % 100 == 0) {
			looper_spin(&r->looper, 1);
		}
	}
	assert_int_equal(r->why, FAIL_SLOW_READER);
	assert_int_equal(r->gone, 1);
}

static void test_bounds_of_the_dialogue(void **state)
{
	static const struct {
		const char *text;
		enum fail why;
		const char *end;
	} rows[] = {
		{"a X\r\nb X\r\nc X\r\nd X\r\ne X\r\nf X\r\n", FAIL_PREAUTH_ERRORS,
			"* BYE Too many invalid commands\r\n"},
		{"a X123456789012345678901234567890123456789012345678901234567890",
			FAIL_LINE_TOO_LONG, "* BYE Command line too long\r\n"},
		{"a NOOP\r\nb NOOP\r\nc NOOP\r\nd NOOP\r\ne NOOP\r\nf NOOP\r\ng NOOP\r\nh NOOP\r\n",
			FAIL_PREAUTH_BYTES, "* BYE Too many bytes before sign-in\r\n"},
		{"GET / HTTP/1.1\r\n", FAIL_CLIENT_PROTOCOL, "* BYE Protocol error\r\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct client_rig *r = *state;
		r->limits.line = 50;
		r->limits.preauth_bytes = 60;
		rig_begin(r, TLS_NONE);
		rig_greet(r);
		peer_say(&r->peer, rows[i].text);
		rig_wait(r, &r->gone);
		print_message("%s\n", fail_name(r->why));
		assert_int_equal(r->why, rows[i].why);
		rig_hear(r, rows[i].end);
		rig_hear_the_end(r);
		assert_int_equal(r->gone, 1);
		rig_renew(state);
	}
}

/* A peer that does not read what it was sent before can not be moved, and must not stay for good. */
static void test_not_movable_without_reading(void **state)
{
	struct client_rig *r = *state;
	rig_begin(r, TLS_NONE);
	rig_greet(r);
	stream_pause(r->peer.stream);
	looper_spin(&r->looper, 3);
	/* Fills the kernel's buffers, as replies would that nobody reads. */
	static char much[65536];
	memset(much, '.', sizeof much);
	while (stream_pending(client_stream(r->client)) == 0) {
		stream_write(client_stream(r->client), span_of(much, sizeof much));
		looper_spin(&r->looper, 3);
	}
	rig_sign_in(r, SIGNIN_TEXT);
	CALL(r, client_begin_move(r->client));
	rig_jump(r, 59000);
	assert_int_equal(r->gone, 0);
	rig_jump(r, 1600);
	assert_int_equal(r->gone, 1);
	assert_int_equal(r->movable, 0);
	assert_int_equal(r->why, FAIL_PREAUTH_TIMEOUT);
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, rig_make, rig_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_nothing_is_read_while_waiting),
		STORY(test_timeout_of_the_dialogue),
		STORY(test_timeout_in_spite_of_commands),
		STORY(test_timeout_of_the_handshake),
		STORY(test_timeout_of_the_handshake_behind_starttls),
		STORY(test_no_timeout_while_waiting),
		STORY(test_no_timeout_when_signed_in),
		STORY(test_slow_reader),
		STORY(test_bounds_of_the_dialogue),
		STORY(test_not_movable_without_reading),
	};
	return cmocka_run_group_tests(tests, rig_make_pki, rig_unmake_pki);
}
