#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/looper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Events may come from before a poll; a loop that only waits would not look at the flag then. */
enum { LOOPER_GLANCE_MS = 2 };

static void on_glance(uv_timer_t *timer)
{
	(void)timer;
}

void looper_init(struct looper *l)
{
	*l = (struct looper){0};
	/* As the program does: a write to a peer that has gone is an error, not the end. */
	signal(SIGPIPE, SIG_IGN);
	assert_true(net_loop_init(&l->loop));
	uv_timer_init(&l->loop.uv, &l->glance);
	uv_timer_start(&l->glance, on_glance, LOOPER_GLANCE_MS, LOOPER_GLANCE_MS);
}

void looper_finish(struct looper *l)
{
	uv_close((uv_handle_t *)&l->glance, NULL);
	net_loop_finish(&l->loop);
}

void looper_until(struct looper *l, bool (*is_so)(void *arg), void *arg)
{
	uint64_t deadline = uv_hrtime() + LOOPER_PATIENCE_MS * UINT64_C(1000000);
	while (!is_so(arg)) {
		uv_run(&l->loop.uv, UV_RUN_ONCE);
		if (uv_hrtime() > deadline) {
			fail_msg("waited in vain");
		}
	}
}

static bool is_set(void *flag)
{
	return *(const int *)flag != 0;
}

void looper_wait(struct looper *l, const int *flag)
{
	looper_until(l, is_set, (void *)(uintptr_t)flag);
}

void looper_spin(struct looper *l, int turns)
{
	for (int i = 0; i < turns; i++) {
		uv_run(&l->loop.uv, UV_RUN_NOWAIT);
	}
}

static void make_nonblocking(int fds[2])
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ioctl(fds[i], FIONBIO, &(int){1}), 0);
	}
}

void looper_tcp_pair(int fds[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &size), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&a, size), 0);
	fds[1] = accept(listening, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listening);
	make_nonblocking(fds);
}

void looper_unix_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	make_nonblocking(fds);
}

static void peer_open(void *owner)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	p->opened++;
	if (p->on_open != NULL) {
		p->on_open(p);
	}
}

static size_t peer_data(void *owner, struct span in)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	assert_true(in.n > 0);
	assert_int_equal(p->opened, 1);
	assert_int_equal(p->ended, 0);
	size_t use = p->bite > 0 && p->bite < in.n ? p->bite : in.n;
	assert_true(buf_add(&p->in, span_slice(in, 0, use)));
	p->seen += use;
	if (p->on_data != NULL) {
		p->on_data(p, span_slice(in, 0, use));
	}
	return use;
}

static void peer_drained(void *owner)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	p->drained++;
}

static void peer_eof(void *owner)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	p->ended++;
}

static void peer_failed(void *owner, enum fail why, const char *detail)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	assert_non_null(detail);
	p->failed++;
	p->why = why;
	snprintf(p->detail, sizeof p->detail, "%s", detail);
}

static void peer_closed(void *owner)
{
	struct peer *p = owner;
	assert_false(p->is_inside);
	p->closed++;
	p->stream = NULL;
}

const struct stream_events peer_events = {
	.on_open = peer_open,
	.on_data = peer_data,
	.on_drained = peer_drained,
	.on_eof = peer_eof,
	.on_failed = peer_failed,
	.on_closed = peer_closed,
};

void peer_init(struct peer *p)
{
	*p = (struct peer){0};
	buf_init(&p->in, 64 * 1024 * 1024);
}

void peer_start(struct peer *p, struct looper *l, int fd, const struct stream_options *options)
{
	static const struct stream_options plain = {0};
	p->is_inside = true;
	p->stream =
		stream_create(&l->loop, fd, options != NULL ? options : &plain, &peer_events, p);
	p->is_inside = false;
	assert_non_null(p->stream);
}

void peer_say_bytes(struct peer *p, struct span bytes)
{
	bool was_inside = p->is_inside;
	p->is_inside = true;
	stream_write(p->stream, bytes);
	p->is_inside = was_inside;
}

void peer_say(struct peer *p, const char *text)
{
	peer_say_bytes(p, span_str(text));
}

struct expected {
	const struct peer *peer;
	size_t n;
};

static bool has_bytes(void *arg)
{
	const struct expected *e = arg;
	return e->peer->seen >= e->n;
}

void peer_wait_bytes(struct peer *p, struct looper *l, size_t n)
{
	looper_until(l, has_bytes, &(struct expected){p, n});
	assert_int_equal(p->seen, n);
}

bool peer_heard(const struct peer *p, const char *text)
{
	return span_is(buf_peek(&p->in), text);
}

void peer_finish(struct peer *p, struct looper *l)
{
	if (p->stream != NULL) {
		p->is_inside = true;
		stream_close(p->stream, 0);
		p->is_inside = false;
	}
	looper_wait(l, &p->closed);
	assert_int_equal(p->closed, 1);
	buf_finish(&p->in);
}
