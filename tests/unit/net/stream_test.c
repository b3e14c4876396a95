/* Streams in clear: order, coalescing, back-pressure, partial use, end, reset, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/looper.h"

struct pair {
	struct looper looper;
	struct peer a, b;
};

static void begin(struct pair *p, bool is_unix)
{
	int fds[2];
	looper_init(&p->looper);
	is_unix ? looper_unix_pair(fds) : looper_tcp_pair(fds);
	peer_init(&p->a);
	peer_init(&p->b);
	peer_start(&p->a, &p->looper, fds[0], NULL);
	peer_start(&p->b, &p->looper, fds[1], &(struct stream_options){.is_server = true});
	assert_int_equal(p->a.opened, 0); /* not from inside the call */
	looper_wait(&p->looper, &p->a.opened);
	looper_wait(&p->looper, &p->b.opened);
}

static bool has_left(void *stream)
{
	return stream_peer_has_left(stream);
}

/* Also unread, also behind bytes, also without a word. */
static void peer_has_left(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int fds[2];
		struct looper looper;
		struct peer p;
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		looper_init(&looper);
		how == 3 ? looper_unix_pair(fds) : looper_tcp_pair(fds);
		peer_init(&p);
		peer_start(&p, &looper, fds[0], NULL);
		looper_wait(&looper, &p.opened);
		stream_pause(p.stream);
		assert_false(stream_peer_has_left(p.stream));
		if (how != 2) {
			assert_int_equal(write(fds[1], "bytes", 5), 5);
			assert_false(stream_peer_has_left(p.stream));
		} else {
			setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
		}
		how == 0 ? shutdown(fds[1], SHUT_WR) : close(fds[1]);
		looper_until(&looper, has_left, p.stream); /* TCP may take a moment */
		if (how == 0) {
			close(fds[1]);
		}
		peer_finish(&p, &looper);
		looper_finish(&looper);
	}
}

static void end(struct pair *p)
{
	peer_finish(&p->a, &p->looper);
	peer_finish(&p->b, &p->looper);
	looper_finish(&p->looper);
}

static void echo(void **state)
{
	(void)state;
	for (int is_unix = 0; is_unix < 2; is_unix++) {
		struct pair p;
		begin(&p, is_unix);
		peer_say(&p.a, "a NOOP\r\n");
		peer_wait_bytes(&p.b, &p.looper, 8);
		assert_true(peer_heard(&p.b, "a NOOP\r\n"));
		peer_say(&p.b, "a OK\r\n");
		peer_wait_bytes(&p.a, &p.looper, 6);
		assert_true(peer_heard(&p.a, "a OK\r\n"));
		assert_false(stream_is_tls(p.a.stream));
		assert_string_equal(stream_tls_version(p.a.stream), "");
		const char *address = is_unix ? "unix" : "127.0.0.1";
		struct stream_name name = stream_peer_name(p.a.stream);
		struct stream_name own = stream_local_name(p.b.stream);
		assert_string_equal(name.address, address);
		assert_string_equal(name.address, own.address);
		assert_string_equal(name.port, own.port);
		end(&p);
	}
}

/* The writes of one turn arrive as one read. */
static void coalesces(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	peer_say(&p.a, "one ");
	peer_say(&p.a, "two ");
	peer_say(&p.a, "three");
	assert_int_equal(stream_pending(p.a.stream), 13);
	looper_spin(&p.looper, 1);
	assert_int_equal(stream_pending(p.a.stream), 0);
	peer_wait_bytes(&p.b, &p.looper, 13);
	assert_true(peer_heard(&p.b, "one two three"));
	end(&p);
}

static struct span pattern(size_t n)
{
	uint8_t *p = xmalloc(n);
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)(i * 31 + i / 251);
	}
	return span_of(p, n);
}

/* Small and large writes keep their order, also when the kernel is full. */
static void keeps_order(void **state)
{
	(void)state;
	struct pair p;
	struct span bytes = pattern(4 * 1024 * 1024);
	begin(&p, false);
	size_t sent = 0;
	size_t step = 1;
	while (sent < bytes.n) {
		if (stream_pending(p.a.stream) > STREAM_HIGH_WATER) {
			p.a.drained = 0;
			looper_wait(&p.looper, &p.a.drained);
			assert_true(stream_pending(p.a.stream) <= STREAM_LOW_WATER);
		}
		size_t n = step < bytes.n - sent ? step : bytes.n - sent;
		peer_say_bytes(&p.a, span_slice(bytes, sent, sent + n));
		sent += n;
		step = step * 3 % 99991;
	}
	peer_wait_bytes(&p.b, &p.looper, bytes.n);
	assert_true(span_equal(buf_peek(&p.b.in), bytes));
	free((void *)(uintptr_t)bytes.p);
	end(&p);
}

/* A reader that stops costs at most STREAM_OUT_MAX, then its stream fails; bystanders do not. */
static void slow_reader(void **state)
{
	(void)state;
	struct pair p;
	struct span bytes = pattern(STREAM_HIGH_WATER);
	begin(&p, false);
	stream_pause(p.b.stream);
	while (p.a.failed == 0) {
		assert_true(stream_pending(p.a.stream) <= STREAM_OUT_MAX);
		peer_say_bytes(&p.a, bytes);
		looper_spin(&p.looper, 1);
	}
	assert_int_equal(p.a.why, FAIL_SLOW_READER);
	assert_int_equal(p.a.failed, 1);
	free((void *)(uintptr_t)bytes.p);
	end(&p);
}

static void partial_use(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	p.b.bite = 3;
	peer_say(&p.a, "0123456789");
	peer_wait_bytes(&p.b, &p.looper, 3);
	assert_int_equal(stream_unread(p.b.stream), 7);
	looper_spin(&p.looper, 3);
	assert_int_equal(p.b.seen, 3); /* reading stopped */
	peer_say(&p.a, "abc");
	for (size_t seen = 6; seen <= 9; seen += 3) {
		p.b.is_inside = true;
		stream_resume(p.b.stream);
		p.b.is_inside = false;
		peer_wait_bytes(&p.b, &p.looper, seen);
	}
	stream_resume(p.b.stream); /* the last byte is used up, so reading goes on by itself */
	peer_wait_bytes(&p.b, &p.looper, 13);
	assert_true(peer_heard(&p.b, "0123456789abc"));
	end(&p);
}

static void eof_waits_for_resume(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	p.b.bite = 1;
	peer_say(&p.a, "xy");
	peer_wait_bytes(&p.b, &p.looper, 1);
	stream_close(p.a.stream, 1000);
	looper_spin(&p.looper, 3);
	assert_int_equal(p.b.ended, 0);
	stream_resume(p.b.stream);
	looper_wait(&p.looper, &p.b.ended);
	assert_true(peer_heard(&p.b, "xy"));
	assert_int_equal(p.b.ended, 1);
	/* The other direction still works: the closing side waits for our end. */
	assert_int_equal(p.a.closed, 0);
	end(&p);
}

/* A peer that has sent its FIN still gets what is on its way. */
static void half_close(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	char answer[16] = {0};
	looper_init(&l);
	looper_tcp_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], NULL);
	assert_int_equal(write(fds[1], "bye", 3), 3);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	looper_wait(&l, &p.ended);
	assert_true(peer_heard(&p, "bye"));
	peer_say(&p, "OK bye");
	stream_close(p.stream, 1000);
	looper_wait(&l, &p.closed);
	assert_int_equal(poll(&(struct pollfd){fds[1], POLLIN, 0}, 1, LOOPER_PATIENCE_MS), 1);
	assert_int_equal(read(fds[1], answer, sizeof answer), 6);
	assert_string_equal(answer, "OK bye");
	close(fds[1]);
	peer_finish(&p, &l);
	looper_finish(&l);
}

static void reset(void **state)
{
	(void)state;
	for (int is_server = 0; is_server < 2; is_server++) {
		struct looper l;
		struct peer p;
		int fds[2];
		struct linger now = {.l_onoff = 1};
		looper_init(&l);
		looper_tcp_pair(fds);
		peer_init(&p);
		peer_start(&p, &l, fds[0], &(struct stream_options){.is_server = is_server});
		looper_wait(&l, &p.opened);
		setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(fds[1]);
		looper_wait(&l, &p.failed);
		assert_int_equal(p.why, is_server ? FAIL_CLIENT_IO : FAIL_SERVER_IO);
		assert_true(strlen(p.detail) > 0);
		/* Dead, but still somebody's: calls do nothing. */
		stream_write(p.stream, span_str("x"));
		stream_resume(p.stream);
		looper_spin(&l, 2);
		assert_int_equal(p.failed, 1);
		peer_finish(&p, &l);
		looper_finish(&l);
	}
}

/* While we are not reading, only a write notices that the peer is gone. */
static void reset_while_paused(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	struct linger now = {.l_onoff = 1};
	looper_init(&l);
	looper_tcp_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], NULL);
	looper_wait(&l, &p.opened);
	stream_pause(p.stream);
	looper_spin(&l, 1);
	setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fds[1]);
	looper_until(&l, has_left, p.stream);
	assert_int_equal(p.failed, 0);
	peer_say(&p, "anybody there?");
	looper_wait(&l, &p.failed);
	assert_int_equal(p.why, FAIL_SERVER_IO);
	assert_string_equal(stream_peer_name(p.stream).address, "");
	peer_finish(&p, &l);
	looper_finish(&l);
}

/* The peer goes away while our last words are on their way: closed, and nobody is told twice. */
static void reset_while_closing(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	struct linger now = {.l_onoff = 1};
	struct span big = pattern(STREAM_HIGH_WATER);
	looper_init(&l);
	looper_tcp_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], NULL);
	looper_wait(&l, &p.opened);
	while (stream_pending(p.stream) == 0) {
		peer_say_bytes(&p, big);
		looper_spin(&l, 1);
	}
	stream_close(p.stream, 3600000);
	looper_spin(&l, 2);
	assert_int_equal(p.closed, 0);
	setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fds[1]);
	looper_wait(&l, &p.closed);
	assert_int_equal(p.failed + p.ended, 0);
	free((void *)(uintptr_t)big.p);
	peer_finish(&p, &l);
	looper_finish(&l);
}

static void ipv6_names(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t size = sizeof a;
	int listening = socket(AF_INET6, SOCK_STREAM, 0);
	if (listening < 0 || bind(listening, (struct sockaddr *)&a, size) != 0) {
		skip(); /* a machine without IPv6 */
	}
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &size), 0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, size), 0);
	looper_init(&l);
	peer_init(&p);
	peer_start(&p, &l, fd, NULL);
	char port[8];
	snprintf(port, sizeof port, "%u", ntohs(a.sin6_port));
	assert_string_equal(stream_peer_name(p.stream).address, "::1");
	assert_string_equal(stream_peer_name(p.stream).port, port);
	assert_string_equal(stream_local_name(p.stream).address, "::1");
	peer_finish(&p, &l);
	close(listening);
	looper_finish(&l);
}

static void on_data_resumes(struct peer *p, struct span in)
{
	(void)in;
	stream_resume(p->stream);
}

/* Resumed before the rest is known: it comes from a later event, each bite in its turn. */
static void resumes_inside_event(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	p.b.bite = 4;
	p.b.on_data = on_data_resumes;
	peer_say(&p.a, "0123456789");
	stream_close(p.a.stream, LOOPER_PATIENCE_MS);
	looper_wait(&p.looper, &p.b.ended);
	assert_true(peer_heard(&p.b, "0123456789"));
	end(&p);
}

/* What was written leaves before the end, whatever the peer still sends (no reset). */
static void close_with_linger(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	size_t total = 0;
	static char bytes[65536];
	struct span big = pattern(STREAM_HIGH_WATER);
	looper_init(&l);
	looper_tcp_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], NULL);
	looper_wait(&l, &p.opened);
	assert_true(write(fds[1], bytes, sizeof bytes) > 0);
	peer_say_bytes(&p, big);
	stream_close(p.stream, LOOPER_PATIENCE_MS);
	assert_int_equal(p.closed, 0);
	for (;;) {
		uv_run(&l.loop.uv, UV_RUN_NOWAIT);
		ssize_t n = read(fds[1], bytes, sizeof bytes);
		if (n == 0) {
			break;
		}
		assert_true(n > 0 || errno == EAGAIN);
		total += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(total, big.n);
	assert_int_equal(p.closed, 0); /* waits for our end */
	close(fds[1]);
	looper_wait(&l, &p.closed);
	free((void *)(uintptr_t)big.p);
	peer_finish(&p, &l);
	looper_finish(&l);
}

static void linger_ends(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	stream_pause(p.b.stream);
	stream_close(p.a.stream, 3600000);
	looper_spin(&p.looper, 5);
	assert_int_equal(p.a.closed, 0);
	stream_close(p.a.stream, 10); /* a shorter one wins */
	stream_close(p.a.stream, 3600000);
	looper_wait(&p.looper, &p.a.closed);
	end(&p);
}

static void on_data_closes(struct peer *p, struct span in)
{
	(void)in;
	stream_close(p->stream, 0);
	stream_close(p->stream, 5);
}

static void closes_inside_event(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	p.b.on_data = on_data_closes;
	p.b.bite = 1;
	peer_say(&p.a, "some bytes");
	looper_wait(&p.looper, &p.b.closed);
	assert_int_equal(p.b.seen, 1);
	end(&p);
}

static void want_drained(void **state)
{
	(void)state;
	struct pair p;
	begin(&p, false);
	p.a.is_inside = true;
	stream_want_drained(p.a.stream);
	p.a.is_inside = false;
	looper_wait(&p.looper, &p.a.drained); /* at once, but not from inside */
	peer_say(&p.a, "x");
	p.a.drained = 0;
	stream_want_drained(p.a.stream);
	looper_wait(&p.looper, &p.a.drained);
	assert_int_equal(stream_pending(p.a.stream), 0);
	end(&p);
}

static void new_owner(void **state)
{
	(void)state;
	struct pair p;
	struct peer heir;
	begin(&p, false);
	peer_init(&heir);
	heir.opened = 1;
	peer_say(&p.a, "x");
	stream_set_owner(p.b.stream, &peer_events, &heir);
	heir.stream = p.b.stream;
	peer_wait_bytes(&heir, &p.looper, 1);
	assert_int_equal(p.b.seen, 0);
	peer_finish(&heir, &p.looper);
	p.b.stream = NULL;
	p.b.closed = 1;
	end(&p);
}

static void bad_descriptor(void **state)
{
	(void)state;
	struct looper l;
	struct stream_options plain = {0};
	struct peer p;
	looper_init(&l);
	peer_init(&p);
	assert_null(stream_create(&l.loop, -1, &plain, &peer_events, &p));
	int fd = open("/dev/null", O_RDWR);
	assert_null(stream_create(&l.loop, fd, &plain, &peer_events, &p));
	assert_int_equal(close(fd), -1); /* it was closed */
	looper_spin(&l, 2);
	assert_int_equal(p.closed, 0);
	looper_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(peer_has_left),
		cmocka_unit_test(coalesces),
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(partial_use),
		cmocka_unit_test(eof_waits_for_resume),
		cmocka_unit_test(half_close),
		cmocka_unit_test(reset),
		cmocka_unit_test(reset_while_paused),
		cmocka_unit_test(reset_while_closing),
		cmocka_unit_test(ipv6_names),
		cmocka_unit_test(resumes_inside_event),
		cmocka_unit_test(close_with_linger),
		cmocka_unit_test(linger_ends),
		cmocka_unit_test(closes_inside_event),
		cmocka_unit_test(want_drained),
		cmocka_unit_test(new_owner),
		cmocka_unit_test(bad_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
