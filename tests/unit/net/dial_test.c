/* Dialling: literal addresses, names, unix sockets, refusal, the next address, deadline, cancel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/looper.h"
#include "net/dial.h"

struct result {
	int done, fd;
	enum fail why;
	char detail[256];
	bool is_inside;
};

static void on_done(void *owner, int fd, enum fail why, const char *detail)
{
	struct result *r = owner;
	assert_false(r->is_inside);
	r->done++;
	r->fd = fd;
	r->why = why;
	snprintf(r->detail, sizeof r->detail, "%s", detail);
}

static struct dial *start(
	struct looper *l, struct result *r, const struct address *to, uint64_t timeout_ms)
{
	*r = (struct result){.fd = -1, .is_inside = true};
	struct dial *d = dial_start(&l->loop, to, timeout_ms, on_done, r);
	r->is_inside = false;
	assert_non_null(d);
	return d;
}

static void dial(struct looper *l, struct result *r, const struct address *to, uint64_t timeout_ms)
{
	start(l, r, to, timeout_ms);
	looper_wait(l, &r->done);
	looper_spin(l, 2);
	assert_int_equal(r->done, 1);
	assert_int_equal(r->fd >= 0, r->why == FAIL_NONE);
}

static int listen_on(int family, uint16_t *port, int backlog)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
	v4.sin_port = v6.sin6_port = htons(*port);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, a, size) != 0 || listen(fd, backlog) != 0 || getsockname(fd, a, &size) != 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void literal(void **state)
{
	(void)state;
	static char v4[] = "127.0.0.1", v6[] = "::1";
	for (int i = 0; i < 2; i++) {
		struct looper l;
		struct result r;
		struct address to = {.kind = ADDRESS_INET, .host = i == 0 ? v4 : v6};
		looper_init(&l);
		int listening = listen_on(i == 0 ? AF_INET : AF_INET6, &to.port, 5);
		if (listening < 0 && i == 1) {
			looper_finish(&l);
			continue; /* a machine without IPv6 */
		}
		dial(&l, &r, &to, 5000);
		assert_int_equal(r.why, FAIL_NONE);
		assert_true(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(option(r.fd, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_int_equal(option(r.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(option(r.fd, IPPROTO_TCP, TCP_KEEPIDLE), 120);
		assert_int_equal(option(r.fd, IPPROTO_TCP, TCP_KEEPINTVL), 30);
		assert_int_equal(option(r.fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
		assert_int_equal(option(r.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
		/* The descriptor can be used on the same loop at once. */
		struct peer p;
		peer_init(&p);
		peer_start(&p, &l, r.fd, NULL);
		looper_wait(&l, &p.opened);
		peer_finish(&p, &l);
		close(listening);
		looper_finish(&l);
	}
}

static void refused(void **state)
{
	(void)state;
	static char v4[] = "127.0.0.1";
	struct looper l;
	struct result r;
	struct address to = {.kind = ADDRESS_INET, .host = v4};
	looper_init(&l);
	close(listen_on(AF_INET, &to.port, 5));
	dial(&l, &r, &to, 5000);
	assert_int_equal(r.why, FAIL_CONNECT);
	char expected[100];
	snprintf(expected, sizeof expected, "127.0.0.1 port %u: Connection refused", to.port);
	assert_string_equal(r.detail, expected);
	looper_finish(&l);
}

/* "localhost" is ::1 and 127.0.0.1 (in some order): one of them refuses. */
static void next_address(void **state)
{
	(void)state;
	static char name[] = "localhost";
	for (int i = 0; i < 2; i++) {
		struct looper l;
		struct result r;
		struct address to = {.kind = ADDRESS_INET, .host = name};
		looper_init(&l);
		int listening = listen_on(i == 0 ? AF_INET : AF_INET6, &to.port, 5);
		if (listening >= 0) {
			dial(&l, &r, &to, 5000);
			if (i == 0) {
				assert_int_equal(r.why, FAIL_NONE);
			}
			if (r.fd >= 0) {
				close(r.fd);
			}
			close(listening);
		}
		looper_finish(&l);
	}
}

static void unknown_name(void **state)
{
	(void)state;
	static char name[] = "no-such-host.invalid";
	struct looper l;
	struct result r;
	struct address to = {.kind = ADDRESS_INET, .host = name, .port = 143};
	looper_init(&l);
	dial(&l, &r, &to, 15000);
	assert_true(r.why == FAIL_RESOLVE || r.why == FAIL_CONNECT_TIMEOUT);
	assert_true(strlen(r.detail) > 0);
	looper_finish(&l);
}

/* A listener with a full queue swallows connections, as a dead host does. */
static int fill_queue(uint16_t *port, int *fillers, int count)
{
	int listening = listen_on(AF_INET, port, 0);
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (int i = 0; i < count; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(connect(fillers[i], (struct sockaddr *)&a, sizeof a) != 0);
	}
	return listening;
}

static void deadline(void **state)
{
	(void)state;
	static char v4[] = "127.0.0.1";
	struct looper l;
	struct result r;
	struct address to = {.kind = ADDRESS_INET, .host = v4};
	int fillers[8];
	looper_init(&l);
	int listening = fill_queue(&to.port, fillers, 8);
	dial(&l, &r, &to, 50);
	assert_int_equal(r.why, FAIL_CONNECT_TIMEOUT);
	assert_non_null(strstr(r.detail, "timed out"));
	for (int i = 0; i < 8; i++) {
		close(fillers[i]);
	}
	close(listening);
	looper_finish(&l);
}

static void cancel(void **state)
{
	(void)state;
	static char v4[] = "127.0.0.1", name[] = "localhost";
	for (int i = 0; i < 3; i++) {
		struct looper l;
		struct result r;
		struct address to = {.kind = ADDRESS_INET, .host = i == 0 ? v4 : name};
		looper_init(&l);
		int listening = listen_on(AF_INET, &to.port, 5);
		struct dial *d = start(&l, &r, &to, 5000);
		if (i == 2) {
			/* Resolved or not, connecting or not: whatever has come by then. */
			uv_run(&l.loop.uv, UV_RUN_ONCE);
		}
		if (r.done == 0) {
			dial_cancel(&d);
			assert_null(d);
			dial_cancel(&d);
			looper_spin(&l, 20);
			assert_int_equal(r.done, 0);
		} else if (r.fd >= 0) {
			close(r.fd);
		}
		close(listening);
		looper_finish(&l);
	}
}

/* The loop of a worker that ends waits for the resolver's thread, not for its result. */
static void cancel_then_finish(void **state)
{
	(void)state;
	static char name[] = "no-such-host.invalid";
	struct looper l;
	struct result r;
	struct address to = {.kind = ADDRESS_INET, .host = name, .port = 143};
	looper_init(&l);
	struct dial *d = start(&l, &r, &to, 5000);
	dial_cancel(&d);
	looper_finish(&l);
	assert_int_equal(r.done, 0);
}

static void unix_socket(void **state)
{
	(void)state;
	struct looper l;
	struct result r;
	char dir[] = "/tmp/dial-XXXXXX";
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", dir);
	struct address to = {.kind = ADDRESS_UNIX, .path = a.sun_path};
	looper_init(&l);
	dial(&l, &r, &to, 5000);
	assert_int_equal(r.why, FAIL_CONNECT);
	assert_non_null(strstr(r.detail, "/socket: No such file"));
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(listening, 5), 0);
	dial(&l, &r, &to, 5000);
	assert_int_equal(r.why, FAIL_NONE);
	assert_true(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
	close(r.fd);
	close(listening);
	unlink(a.sun_path);
	rmdir(dir);
	looper_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literal),
		cmocka_unit_test(refused),
		cmocka_unit_test(next_address),
		cmocka_unit_test(unknown_name),
		cmocka_unit_test(deadline),
		cmocka_unit_test(cancel),
		cmocka_unit_test(cancel_then_finish),
		cmocka_unit_test(unix_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
