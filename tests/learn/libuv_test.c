/*
 * Facts about libuv (1.44) that net/ is built on. When one of these fails, a new libuv behaves
 * differently, and the source named in the comment has to be thought over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static char order[32];

static void note(char letter)
{
	size_t n = strlen(order);
	assert_true(n + 1 < sizeof order);
	order[n] = letter;
}

static void on_closed(uv_handle_t *h)
{
	note(*(char *)h->data);
}

/* Close callbacks come last in, first out, and never inside uv_close (stream.c frees in them). */
static void close_order(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_timer_t a, b, c;
	memset(order, 0, sizeof order);
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_timer_init(&loop, &a);
	uv_timer_init(&loop, &b);
	uv_timer_init(&loop, &c);
	a.data = (char[]){'a'};
	b.data = (char[]){'b'};
	c.data = (char[]){'c'};
	uv_close((uv_handle_t *)&a, on_closed);
	uv_close((uv_handle_t *)&b, on_closed);
	uv_close((uv_handle_t *)&c, on_closed);
	assert_string_equal(order, "");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "cba");
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_prepare(uv_prepare_t *h)
{
	(void)h;
	note('p');
}

static void on_check(uv_check_t *h)
{
	(void)h;
	note('c');
}

static void on_idle(uv_idle_t *h)
{
	(void)h;
	note('i');
}

static void on_timer(uv_timer_t *h)
{
	(void)h;
	note('t');
}

/* One turn: timers, idle, prepare, (poll,) check, close callbacks (loop.c ends its turn in prepare and
 * check, so that nothing asked for anywhere waits for a poll). */
static void turn_order(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;
	uv_timer_t timer, closing;
	memset(order, 0, sizeof order);
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_prepare_init(&loop, &prepare);
	uv_check_init(&loop, &check);
	uv_idle_init(&loop, &idle);
	uv_timer_init(&loop, &timer);
	uv_timer_init(&loop, &closing);
	closing.data = (char[]){'x'};
	uv_check_start(&check, on_check);
	uv_idle_start(&idle, on_idle);
	uv_prepare_start(&prepare, on_prepare);
	uv_timer_start(&timer, on_timer, 0, 0);
	uv_close((uv_handle_t *)&closing, on_closed);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_string_equal(order, "tipcx");
	uv_close((uv_handle_t *)&prepare, NULL);
	uv_close((uv_handle_t *)&check, NULL);
	uv_close((uv_handle_t *)&idle, NULL);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void start_idle(uv_prepare_t *h)
{
	uv_idle_start(h->data, on_idle);
}

/* An idle handle that prepare starts keeps this very poll from waiting (loop.c). */
static void idle_from_prepare(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_idle_t idle;
	uv_timer_t hour;
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_prepare_init(&loop, &prepare);
	uv_idle_init(&loop, &idle);
	uv_timer_init(&loop, &hour);
	prepare.data = &idle;
	uv_prepare_start(&prepare, start_idle);
	uv_timer_start(&hour, on_timer, 3600000, 0);
	uint64_t before = uv_hrtime();
	uv_run(&loop, UV_RUN_ONCE);
	assert_true(uv_hrtime() - before < UINT64_C(60000000000));
	uv_close((uv_handle_t *)&prepare, NULL);
	uv_close((uv_handle_t *)&idle, NULL);
	uv_close((uv_handle_t *)&hour, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void count_wakes(uv_async_t *h)
{
	++*(int *)h->data;
}

/* Wake-ups merge: an inbox must be emptied whole each time (inbox.c). */
static void async_merges(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_async_t async;
	int wakes = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_async_init(&loop, &async, count_wakes), 0);
	async.data = &wakes;
	for (int i = 0; i < 100; i++) {
		uv_async_send(&async);
	}
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(wakes, 1);
	uv_close((uv_handle_t *)&async, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

struct reader {
	char bytes[64];
	ssize_t last;
};

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	(void)hint;
	struct reader *r = h->data;
	*buf = uv_buf_init(r->bytes, sizeof r->bytes);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct reader *r = h->data;
	(void)buf;
	r->last = n;
}

static void read_one(uv_loop_t *loop, struct reader *r, const char *text)
{
	r->last = 0;
	for (int i = 0; i < 1000 && r->last == 0; i++) {
		uv_run(loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(r->last, strlen(text));
	assert_memory_equal(r->bytes, text, strlen(text));
}

static void ignore_close(uv_handle_t *h)
{
	(void)h;
}

/* A duplicate lives on another loop while the first handle closes; the epoll set of the first does not
 * keep the shared socket (carry.c). A unix socket may be opened as a uv_tcp_t (stream.c). */
static void dup_close_reopen(void **state)
{
	(void)state;
	uv_loop_t first, second;
	uv_tcp_t a, b;
	struct reader r = {0};
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(uv_loop_init(&first), 0);
	assert_int_equal(uv_loop_init(&second), 0);
	uv_tcp_init(&first, &a);
	uv_tcp_init(&second, &b);
	a.data = b.data = &r;
	assert_int_equal(uv_tcp_open(&a, fds[0]), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&a, on_alloc, on_read), 0);
	assert_int_equal(write(fds[1], "one", 3), 3);
	read_one(&first, &r, "one");
	int copy = dup(fds[0]);
	uv_close((uv_handle_t *)&a, ignore_close);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* closed inside uv_close */
	assert_int_equal(uv_tcp_open(&b, copy), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&b, on_alloc, on_read), 0);
	assert_int_equal(write(fds[1], "two", 3), 3);
	r.last = 0;
	uv_run(&first, UV_RUN_DEFAULT); /* ends: it knows nothing of the socket any more */
	assert_int_equal(r.last, 0);
	read_one(&second, &r, "two");
	uv_close((uv_handle_t *)&b, ignore_close);
	uv_run(&second, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&first), 0);
	assert_int_equal(uv_loop_close(&second), 0);
	close(fds[1]);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	(void)events;
	*(int *)h->data = status;
}

/* uv_poll calls every failed connect EBADF and stops watching: ask the socket (dial.c). */
static void poll_hides_errors(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_poll_t poll;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int status = 1;
	int error = 0;
	socklen_t error_size = sizeof error;
	assert_int_equal(uv_loop_init(&loop), 0);
	int gone = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(gone, (struct sockaddr *)&a, size), 0);
	assert_int_equal(getsockname(gone, (struct sockaddr *)&a, &size), 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, size), -1);
	assert_int_equal(uv_poll_init(&loop, &poll, fd), 0);
	poll.data = &status;
	uv_poll_start(&poll, UV_WRITABLE, on_poll);
	for (int i = 0; i < 1000 && status == 1; i++) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	assert_int_equal(status, UV_EBADF);
	assert_false(uv_is_active((uv_handle_t *)&poll));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size), 0);
	assert_int_equal(error, ECONNREFUSED);
	/* The descriptor is free for another handle of this loop as soon as uv_close returns. */
	uv_close((uv_handle_t *)&poll, ignore_close);
	uv_tcp_t tcp;
	uv_tcp_init(&loop, &tcp);
	assert_int_equal(uv_tcp_open(&tcp, fd), 0);
	uv_close((uv_handle_t *)&tcp, ignore_close);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(gone);
}

/* A handle that neither reads nor writes does not keep uv_run going (net_loop_hold does). */
static void paused_is_inactive(void **state)
{
	(void)state;
	uv_loop_t loop;
	uv_tcp_t tcp;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_tcp_init(&loop, &tcp);
	assert_int_equal(uv_tcp_open(&tcp, fds[0]), 0);
	assert_false(uv_loop_alive(&loop));
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	uv_close((uv_handle_t *)&tcp, ignore_close);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(fds[1]);
}

static void on_write(uv_write_t *request, int status)
{
	(void)request;
	note(status == 0 ? 'w' : 'W');
}

/* Closing calls back each unfinished write, before the close callback (stream_io.c frees there). */
static void writes_end_before_close(void **state)
{
	(void)state;
	static char bytes[4 * 1024 * 1024];
	uv_loop_t loop;
	uv_tcp_t tcp;
	uv_write_t request;
	uv_buf_t buf = uv_buf_init(bytes, sizeof bytes);
	int fds[2];
	memset(order, 0, sizeof order);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	uv_tcp_init(&loop, &tcp);
	tcp.data = (char[]){'x'};
	assert_int_equal(uv_tcp_open(&tcp, fds[0]), 0);
	assert_int_equal(uv_write(&request, (uv_stream_t *)&tcp, &buf, 1, on_write), 0);
	assert_true(uv_stream_get_write_queue_size((uv_stream_t *)&tcp) > 0);
	assert_int_equal(uv_try_write((uv_stream_t *)&tcp, &buf, 1), UV_EAGAIN);
	uv_close((uv_handle_t *)&tcp, on_closed);
	assert_string_equal(order, "");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(order, "Wx");
	assert_int_equal(uv_loop_close(&loop), 0);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_order),
		cmocka_unit_test(turn_order),
		cmocka_unit_test(idle_from_prepare),
		cmocka_unit_test(async_merges),
		cmocka_unit_test(dup_close_reopen),
		cmocka_unit_test(poll_hides_errors),
		cmocka_unit_test(paused_is_inactive),
		cmocka_unit_test(writes_end_before_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
