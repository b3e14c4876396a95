/*
 * Waiting for the PROXY header: in pieces, with more behind it, late, cut off, broken, given up. What is behind
 * the header stays in the socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/looper.h"
#include "net/proxy_wait.h"

#define HEADER "PROXY TCP4 192.0.2.7 198.51.100.9 55012 993\r\n"

struct rig {
	struct looper l;
	struct proxy_wait *wait;
	int far; /* the sender's end */
	int done, fd;
	char address[64];
	char why[100];
};

static void on_done(void *owner, int fd, const struct proxy_header *header, const char *why)
{
	struct rig *r = owner;
	r->done++;
	r->fd = fd;
	if (fd >= 0) {
		snprintf(r->address, sizeof r->address, "%s", header->source.address);
	} else {
		snprintf(r->why, sizeof r->why, "%s", why);
	}
}

static void begin(struct rig *r, bool is_unix)
{
	int fds[2];
	*r = (struct rig){.fd = -1};
	looper_init(&r->l);
	if (is_unix) {
		looper_unix_pair(fds);
	} else {
		looper_tcp_pair(fds);
	}
	r->far = fds[1];
	r->wait = proxy_wait_start(&r->l.loop, fds[0], on_done, r);
	assert_non_null(r->wait);
}

static void say(const struct rig *r, const char *text, size_t n)
{
	assert_int_equal(send(r->far, text, n, 0), n);
}

/* All that waits in the socket is the text. */
static void expect_rest(const struct rig *r, const char *text)
{
	char got[100] = "";
	ssize_t n = 0;
	if (text[0] != '\0') {
		n = recv(r->fd, got, sizeof got, 0);
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
	assert_int_equal(recv(r->fd, got, sizeof got, 0), -1);
}

static void finish(struct rig *r)
{
	looper_spin(&r->l, 3);
	assert_int_equal(r->done, 1);
	if (r->fd >= 0) {
		close(r->fd);
	}
	if (r->far >= 0) {
		close(r->far);
	}
	looper_finish(&r->l);
}

static void test_at_once(void **state)
{
	(void)state;
	for (int is_unix = 0; is_unix < 2; is_unix++) {
		struct rig r;
		begin(&r, is_unix);
		say(&r, HEADER "\x16\x03\x01 hello", sizeof HEADER - 1 + 9);
		looper_wait(&r.l, &r.done);
		assert_string_equal(r.address, "192.0.2.7");
		expect_rest(&r, "\x16\x03\x01 hello");
		finish(&r);
	}
}

static void test_split_everywhere(void **state)
{
	(void)state;
	static const char text[] = HEADER "a NOOP\r\n";
	size_t whole = sizeof HEADER - 1;
	for (size_t at = 1; at < whole; at++) {
		struct rig r;
		begin(&r, false);
		say(&r, text, at);
		looper_spin(&r.l, 2);
		assert_int_equal(r.done, 0);
		say(&r, text + at, sizeof text - 1 - at);
		looper_wait(&r.l, &r.done);
		expect_rest(&r, "a NOOP\r\n");
		finish(&r);
	}
}

/* The descriptor serves a stream from within the event. */
static void test_goes_on_as_a_stream(void **state)
{
	(void)state;
	struct rig r;
	struct peer p;
	begin(&r, false);
	say(&r, HEADER "a NOOP\r\n", sizeof HEADER - 1 + 8);
	looper_wait(&r.l, &r.done);
	peer_init(&p);
	peer_start(&p, &r.l, r.fd, &(struct stream_options){.is_server = true});
	peer_wait_bytes(&p, &r.l, 8);
	assert_true(peer_heard(&p, "a NOOP\r\n"));
	r.fd = -1;
	peer_finish(&p, &r.l);
	finish(&r);
}

static void expect_failure(const char *text, bool hangs_up, const char *why)
{
	struct rig r;
	char byte;
	begin(&r, false);
	say(&r, text, strlen(text));
	if (hangs_up) {
		shutdown(r.far, SHUT_WR);
	}
	looper_wait(&r.l, &r.done);
	assert_int_equal(r.fd, -1);
	assert_string_equal(r.why, why);
	looper_spin(&r.l, 3);
	/* Closed, with or without a reset; nothing was said. */
	assert_true(recv(r.far, &byte, 1, 0) <= 0);
	finish(&r);
}

static void test_failures(void **state)
{
	(void)state;
	expect_failure("a LOGIN u p\r\n", false, "does not begin as one");
	expect_failure("PROXY TCP4 1\r\n", false, "incomplete");
	expect_failure("PROXY TCP4 1", true, "cut off");
	expect_failure("", true, "");
}

static void test_late(void **state)
{
	(void)state;
	struct rig r;
	begin(&r, false);
	say(&r, HEADER, 20);
	looper_spin(&r.l, 3);
	clock_jump(PROXY_WAIT_MS - 1000);
	looper_spin(&r.l, 3);
	assert_int_equal(r.done, 0);
	clock_jump(2000);
	looper_wait(&r.l, &r.done);
	assert_int_equal(r.fd, -1);
	assert_string_equal(r.why, "did not come in time");
	finish(&r);
}

static void test_stopped(void **state)
{
	(void)state;
	for (int with_header = 0; with_header < 2; with_header++) {
		struct rig r;
		begin(&r, false);
		if (with_header) {
			say(&r, HEADER, sizeof HEADER - 1);
		}
		proxy_wait_stop(&r.wait);
		assert_null(r.wait);
		proxy_wait_stop(&r.wait);
		looper_spin(&r.l, 3);
		assert_int_equal(r.done, 0);
		r.done = 1;
		finish(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_split_everywhere),
		cmocka_unit_test(test_goes_on_as_a_stream),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
