/*
 * libuv refuses: each call that net/ makes and that can fail is made to fail once. This program's own
 * uv_* functions stand before the library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/looper.h"
#include "net/carry.h"
#include "net/dial.h"
#include "net/inbox.h"
#include "net/listener.h"

/* The call that fails next; NULL: none. */
static const char *broken;

static bool breaks(const char *name)
{
	if (broken == NULL || strcmp(broken, name) != 0) {
		return false;
	}
	broken = NULL;
	return true;
}

static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);
	assert_non_null(f);
	return f;
}

#define FAULT(name, parameters, arguments)                                                         \
	int name parameters                                                                        \
	{                                                                                          \
		int(*call) parameters = real(#name);                                               \
		return breaks(#name) ? UV_EMFILE : call arguments;                                 \
	}

FAULT(uv_loop_init, (uv_loop_t * l), (l))
FAULT(uv_async_init, (uv_loop_t * l, uv_async_t *a, uv_async_cb cb), (l, a, cb))
FAULT(uv_poll_init, (uv_loop_t * l, uv_poll_t *p, int fd), (l, p, fd))
FAULT(uv_poll_start, (uv_poll_t * p, int events, uv_poll_cb cb), (p, events, cb))
FAULT(uv_tcp_open, (uv_tcp_t * t, uv_os_sock_t fd), (t, fd))
FAULT(uv_read_start, (uv_stream_t * s, uv_alloc_cb alloc, uv_read_cb read), (s, alloc, read))
FAULT(uv_write, (uv_write_t * r, uv_stream_t *s, const uv_buf_t *b, unsigned n, uv_write_cb cb),
	(r, s, b, n, cb))
FAULT(uv_getaddrinfo,
	(uv_loop_t * l, uv_getaddrinfo_t *r, uv_getaddrinfo_cb cb, const char *node,
		const char *service, const struct addrinfo *hints),
	(l, r, cb, node, service, hints))

static bool is_closed(int fd)
{
	return fcntl(fd, F_GETFD) == -1;
}

static void loop_and_inbox(void **state)
{
	(void)state;
	struct net_loop l;
	broken = "uv_loop_init";
	assert_false(net_loop_init(&l));
	struct looper looper;
	looper_init(&looper);
	struct inbox i;
	broken = "uv_async_init";
	assert_false(
		inbox_init(&i, &looper.loop, (void (*)(void *, struct list_node *))abort, NULL));
	looper_finish(&looper);
}

static void on_accept(void *owner, int fd)
{
	(void)owner;
	close(fd);
}

static void listening(void **state)
{
	(void)state;
	struct looper l;
	int fds[2];
	looper_init(&l);
	looper_unix_pair(fds);
	broken = "uv_poll_init";
	assert_null(listener_start(&l.loop, fds[0], on_accept, NULL));
	assert_true(is_closed(fds[0]));
	close(fds[1]);
	looper_finish(&l);
}

struct result {
	int done, fd;
	enum fail why;
};

static void on_done(void *owner, int fd, enum fail why, const char *detail)
{
	struct result *r = owner;
	assert_true(strlen(detail) > 0);
	r->done++;
	r->fd = fd;
	r->why = why;
}

static void dialling(void **state)
{
	(void)state;
	static char literal[] = "127.0.0.1", name[] = "localhost";
	static const struct {
		const char *call;
		char *host;
		enum fail why;
	} rows[] = {
		{"uv_poll_init", literal, FAIL_CONNECT},
		{"uv_poll_start", literal, FAIL_CONNECT},
		{"uv_getaddrinfo", name, FAIL_RESOLVE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct looper l;
		struct result r = {0};
		looper_init(&l);
		broken = rows[i].call;
		dial_start(&l.loop,
			&(struct address){.kind = ADDRESS_INET, .host = rows[i].host, .port = 9},
			5000, on_done, &r);
		assert_int_equal(r.done, 0);
		looper_wait(&l, &r.done);
		assert_null(broken);
		assert_int_equal(r.why, rows[i].why);
		assert_int_equal(r.fd, -1);
		looper_finish(&l);
	}
}

/* A resolver that does not answer before it is allowed to. */
static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;

int getaddrinfo(const char *restrict node, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
	int (*call)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		real("getaddrinfo");
	if (node != NULL && strcmp(node, "stuck.example") == 0 &&
		(hints->ai_flags & AI_NUMERICHOST) == 0) {
		pthread_mutex_lock(&resolver_lock);
		pthread_mutex_unlock(&resolver_lock);
		node = "127.0.0.1";
	}
	return call(node, service, hints, found);
}

/* Nobody can stop a resolver's thread: the dial ends without it, in time or when it is cancelled. */
static void stuck_resolver(void **state)
{
	(void)state;
	static char name[] = "stuck.example";
	struct address to = {.kind = ADDRESS_INET, .host = name, .port = 9};
	for (int is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
		struct looper l;
		struct result r = {0};
		looper_init(&l);
		pthread_mutex_lock(&resolver_lock);
		struct dial *d = dial_start(&l.loop, &to, 30, on_done, &r);
		if (is_cancelled) {
			looper_spin(&l, 3);
			dial_cancel(&d);
		} else {
			looper_wait(&l, &r.done);
			assert_int_equal(r.why, FAIL_CONNECT_TIMEOUT);
		}
		pthread_mutex_unlock(&resolver_lock);
		looper_finish(&l);
		assert_int_equal(r.done, !is_cancelled);
	}
}

static void stream_creation(void **state)
{
	(void)state;
	struct looper l;
	struct stream_options options = {0};
	int fds[2];
	looper_init(&l);
	looper_unix_pair(fds);
	broken = "uv_tcp_open";
	assert_null(stream_create(&l.loop, fds[0], &options, &peer_events, NULL));
	assert_true(is_closed(fds[0]));
	close(fds[1]);
	looper_finish(&l);
}

static void reading(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	looper_init(&l);
	looper_unix_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], NULL);
	broken = "uv_read_start";
	looper_wait(&l, &p.failed);
	assert_int_equal(p.opened, 1);
	assert_int_equal(p.why, FAIL_SERVER_IO);
	peer_finish(&p, &l);
	close(fds[1]);
	looper_finish(&l);
}

/* The kernel takes no more, and libuv not either. */
static void writing(void **state)
{
	(void)state;
	struct looper l;
	struct peer p;
	int fds[2];
	char *bytes = xcalloc(1, STREAM_HIGH_WATER);
	looper_init(&l);
	looper_unix_pair(fds);
	peer_init(&p);
	peer_start(&p, &l, fds[0], &(struct stream_options){.is_server = true});
	looper_wait(&l, &p.opened);
	broken = "uv_write";
	while (p.failed == 0) {
		peer_say_bytes(&p, span_of(bytes, STREAM_HIGH_WATER));
		looper_spin(&l, 1);
	}
	assert_null(broken);
	assert_int_equal(p.why, FAIL_CLIENT_IO);
	peer_finish(&p, &l);
	close(fds[1]);
	free(bytes);
	looper_finish(&l);
}

/* The parcel is gone and so is its connection, but the old stream ends in order. */
static void unpacking(void **state)
{
	(void)state;
	struct looper l;
	struct peer a, b;
	int fds[2];
	looper_init(&l);
	looper_unix_pair(fds);
	peer_init(&a);
	peer_init(&b);
	peer_start(&a, &l, fds[0], NULL);
	peer_start(&b, &l, fds[1], NULL);
	looper_wait(&l, &a.opened);
	looper_wait(&l, &b.opened);
	stream_pause(b.stream);
	struct stream_parcel *parcel = stream_take(b.stream);
	assert_non_null(parcel);
	looper_wait(&l, &b.closed);
	broken = "uv_tcp_open";
	assert_null(stream_unpack(&l.loop, &parcel, &peer_events, &b));
	assert_null(parcel);
	looper_wait(&l, &a.ended);
	peer_finish(&a, &l);
	peer_finish(&b, &l);
	looper_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_and_inbox),
		cmocka_unit_test(listening),
		cmocka_unit_test(dialling),
		cmocka_unit_test(stuck_resolver),
		cmocka_unit_test(stream_creation),
		cmocka_unit_test(reading),
		cmocka_unit_test(writing),
		cmocka_unit_test(unpacking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
