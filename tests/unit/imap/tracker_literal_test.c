/* LITERAL- in place of LITERAL+: what a client may send without waiting. */
#include "imap/tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct buf to_server, to_client;

static void on_to_server(void *owner, struct span bytes)
{
	(void)owner;
	assert_true(buf_add(&to_server, bytes));
}

static void on_to_client(void *owner, struct span bytes)
{
	(void)owner;
	assert_true(buf_add(&to_client, bytes));
}

static const struct tracker_sink sink = {.to_server = on_to_server, .to_client = on_to_client};

static int make(void **state)
{
	static const char *const hide[] = {"LITERAL+"};
	struct tracker_options options = {
		.capabilities = {.hide = hide, .hide_count = 1},
		.server_capabilities = span_str("IMAP4rev1"),
		.max_line = 1000,
		.proxy_tag = "P.",
		.is_attached = true,
	};
	buf_init(&to_server, 100000);
	buf_init(&to_client, 100000);
	*state = tracker_create(&options);
	return 0;
}

static int unmake(void **state)
{
	struct tracker *t = *state;
	tracker_destroy(&t);
	buf_finish(&to_server);
	buf_finish(&to_client);
	return 0;
}

static enum tracker_verdict say(struct tracker *t, const char *text)
{
	struct span in = span_str(text);
	return tracker_client(t, &in, &sink);
}

static void hear(struct tracker *t, const char *text)
{
	struct span in = span_str(text);
	tracker_server(t, &in, &sink);
}

/* n octets, as the client sends them behind the header. */
static void say_octets(struct tracker *t, size_t n)
{
	static uint8_t octets[8192];
	struct span in = span_of(octets, n);
	memset(octets, 'x', sizeof octets);
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_MORE);
}

static void test_up_to_4096_octets(void **state)
{
	assert_int_equal(say(*state, "a APPEND x {4096+}\r\n"), TRACKER_MORE);
	assert_true(span_is(buf_peek(&to_server), "a APPEND x {4096}\r\n"));
	assert_int_equal(say(*state, "x"), TRACKER_BLOCKED);
	hear(*state, "+ go\r\n");
	assert_int_equal(buf_len(&to_client), 0);
	say_octets(*state, 4096);
	say(*state, "\r\n");
	hear(*state, "a OK\r\n");
	assert_true(span_is(buf_peek(&to_client), "a OK\r\n"));
}

static void test_more_is_dropped_and_refused(void **state)
{
	assert_int_equal(say(*state, "a APPEND x {4097+}\r\n"), TRACKER_MORE);
	say_octets(*state, 4097);
	say(*state, "\r\nb NOOP\r\n");
	assert_true(span_is(buf_peek(&to_server), "b NOOP\r\n"));
	/* RFC 7888 section 5: BAD, for APPEND with TOOBIG. */
	assert_true(span_starts_nocase(buf_peek(&to_client), "a BAD [TOOBIG] "));
	/* Who asks before may send more. */
	say(*state, "c APPEND x {4097}\r\n");
	assert_true(span_is(buf_peek(&to_server), "b NOOP\r\nc APPEND x {4097}\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_up_to_4096_octets, make, unmake),
		cmocka_unit_test_setup_teardown(test_more_is_dropped_and_refused, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
