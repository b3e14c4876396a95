/* Listening: several workers, both wildcards, unix sockets, batches, shortage of descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/looper.h"
#include "net/listener.h"

static char v4[] = "127.0.0.1";

struct door {
	int count, fds[4096];
	struct listener *listener; /* stopped by the first client when set */
};

static void on_accept(void *owner, int fd)
{
	struct door *d = owner;
	d->fds[d->count++] = fd;
	if (d->listener != NULL) {
		listener_stop(&d->listener);
	}
}

static void close_all(struct door *d)
{
	while (d->count > 0) {
		close(d->fds[--d->count]);
	}
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof a;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	return ntohs(((struct sockaddr_in *)&a)->sin_port); /* at the same place in IPv6 */
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static struct config_listener inet(char *host, uint16_t port)
{
	return (struct config_listener){
		.address = {.kind = ADDRESS_INET, .host = host, .port = port}};
}

struct expected {
	const struct door *doors;
	int doors_count, clients;
};

static bool all_in(void *arg)
{
	const struct expected *e = arg;
	int sum = 0;
	for (int i = 0; i < e->doors_count; i++) {
		sum += e->doors[i].count;
	}
	return sum == e->clients;
}

/* One socket for each worker; the kernel spreads the clients, and each is served by one. */
static void workers(void **state)
{
	(void)state;
	struct looper l;
	struct config_listener where = inet(v4, 0);
	static struct door doors[3];
	struct listener *listeners[3];
	const char *why = NULL;
	int fds[3], clients[60];
	looper_init(&l);
	assert_int_equal(listener_bind(&where, 3, fds, &why), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(port_of(fds[i]), port_of(fds[0]));
		listeners[i] = listener_start(&l.loop, fds[i], on_accept, &doors[i]);
	}
	uint16_t port = port_of(fds[0]);
	for (int i = 0; i < 60; i++) {
		clients[i] = connect_to(port);
	}
	looper_until(&l, all_in, &(struct expected){doors, 3, 60});
	for (int i = 0; i < 3; i++) {
		assert_true(doors[i].count > 0);
		int fd = doors[i].fds[0];
		int value = 0;
		socklen_t size = sizeof value;
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		/* Handed down by the listening socket. */
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
		assert_int_equal(value, 1);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
		assert_int_equal(value, 120);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
		assert_int_equal(value, 1);
		listener_stop(&listeners[i]);
		assert_null(listeners[i]);
		listener_stop(&listeners[i]);
		close_all(&doors[i]);
	}
	for (int i = 0; i < 60; i++) {
		close(clients[i]);
	}
	looper_finish(&l);
}

/* A second imapmux on the same port is an error, also with several workers. */
static void in_use(void **state)
{
	(void)state;
	for (size_t count = 1; count <= 2; count++) {
		struct config_listener where = inet(v4, 0);
		const char *why = NULL;
		int fds[2] = {-1, -1}, more[2] = {7, 7};
		assert_int_equal(listener_bind(&where, count, fds, &why), 0);
		where.address.port = port_of(fds[0]);
		assert_int_equal(listener_bind(&where, count, more, &why), EADDRINUSE);
		assert_non_null(why);
		assert_int_equal(more[0], -1);
		close(fds[0]);
		if (count == 2) {
			close(fds[1]);
		}
	}
}

static void both_wildcards(void **state)
{
	(void)state;
	static char any6[] = "::", any4[] = "0.0.0.0";
	struct config_listener where = inet(any6, 0);
	const char *why = NULL;
	int six[2], four[2];
	int error = listener_bind(&where, 2, six, &why);
	if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL) {
		skip(); /* a machine without IPv6 */
	}
	assert_int_equal(error, 0);
	where = inet(any4, port_of(six[0]));
	error = listener_bind(&where, 2, four, &why);
	/* Somebody else may have the IPv4 port, but it is not our IPv6 socket. */
	if (error == 0) {
		close(four[0]);
		close(four[1]);
	}
	close(six[0]);
	close(six[1]);
}

static void nonsense(void **state)
{
	(void)state;
	static char nowhere[] = "192.0.2.1", name[] = "no such host";
	const char *why = NULL;
	int fds[2];
	struct config_listener where = inet(nowhere, 0);
	assert_int_equal(listener_bind(&where, 2, fds, &why), EADDRNOTAVAIL);
	assert_non_null(why);
	where = inet(name, 0);
	why = NULL;
	assert_int_not_equal(listener_bind(&where, 1, fds, &why), 0);
	assert_non_null(why);
}

static void unix_socket(void **state)
{
	(void)state;
	struct looper l;
	char dir[] = "/tmp/listener-XXXXXX";
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof a.sun_path, "%s/imap.sock", dir);
	struct config_listener where = {
		.address = {.kind = ADDRESS_UNIX, .path = a.sun_path}, .mode = 0666};
	static struct door doors[2];
	const char *why = NULL;
	int fds[2];
	looper_init(&l);
	mode_t old = umask(077);
	assert_int_equal(listener_bind(&where, 2, fds, &why), 0);
	umask(old);
	struct stat st;
	assert_int_equal(stat(a.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	/* In use. */
	int more[2];
	assert_int_equal(listener_bind(&where, 2, more, &why), EADDRINUSE);
	struct listener *one = listener_start(&l.loop, fds[0], on_accept, &doors[0]);
	struct listener *two = listener_start(&l.loop, fds[1], on_accept, &doors[1]);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof a), 0);
	/* The question whether somebody listens was a client, too. */
	looper_until(&l, all_in, &(struct expected){doors, 2, 2});
	listener_stop(&one);
	listener_stop(&two);
	close_all(&doors[0]);
	close_all(&doors[1]);
	close(client);
	/* Stale: replaced. Something else: left alone. */
	assert_int_equal(listener_bind(&where, 1, fds, &why), 0);
	close(fds[0]);
	unlink(a.sun_path);
	close(open(a.sun_path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(listener_bind(&where, 1, fds, &why), EEXIST);
	unlink(a.sun_path);
	rmdir(dir);
	assert_int_not_equal(listener_bind(&where, 1, fds, &why), 0);
	looper_finish(&l);
}

/* More clients than a batch: all come in, none needs another event. */
static void batches(void **state)
{
	(void)state;
	struct looper l;
	struct config_listener where = inet(v4, 0);
	static struct door door;
	enum { CLIENTS = 3 * LISTENER_BATCH + 1 };
	const char *why = NULL;
	int fd, clients[CLIENTS];
	looper_init(&l);
	assert_int_equal(listener_bind(&where, 1, &fd, &why), 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = connect_to(port_of(fd));
	}
	struct listener *listener = listener_start(&l.loop, fd, on_accept, &door);
	assert_int_equal(door.count, 0);
	uv_run(&l.loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(door.count, LISTENER_BATCH);
	looper_until(&l, all_in, &(struct expected){&door, 1, CLIENTS});
	listener_stop(&listener);
	for (int i = 0; i < CLIENTS; i++) {
		close(clients[i]);
	}
	close_all(&door);
	looper_finish(&l);
}

static void do_nothing(void *owner)
{
	(void)owner;
}

/* While many handshakes wait, clients wait in the backlog; they come in when there is time for them. */
static void busy(void **state)
{
	(void)state;
	struct looper l;
	struct config_listener where = inet(v4, 0);
	static struct door door;
	static struct net_task tasks[LISTENER_BUSY + 1];
	const char *why = NULL;
	int fd;
	looper_init(&l);
	assert_int_equal(listener_bind(&where, 1, &fd, &why), 0);
	struct listener *listener = listener_start(&l.loop, fd, on_accept, &door);
	int client = connect_to(port_of(fd));
	assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, LOOPER_PATIENCE_MS), 1);
	for (int i = 0; i <= LISTENER_BUSY; i++) {
		net_task_init(&tasks[i], do_nothing, NULL);
		net_loop_heavy(&l.loop, &tasks[i]);
	}
	looper_spin(&l, 2);
	assert_int_equal(door.count, 0);
	uv_run(&l.loop.uv, UV_RUN_ONCE); /* no further event is needed */
	assert_int_equal(door.count, 1);
	listener_stop(&listener);
	close(client);
	close_all(&door);
	for (int i = 0; i <= LISTENER_BUSY; i++) {
		net_task_cancel(&tasks[i]);
	}
	looper_finish(&l);
}

static void stops_inside_event(void **state)
{
	(void)state;
	struct looper l;
	struct config_listener where = inet(v4, 0);
	static struct door door;
	const char *why = NULL;
	int fd;
	looper_init(&l);
	assert_int_equal(listener_bind(&where, 1, &fd, &why), 0);
	int a = connect_to(port_of(fd));
	int b = connect_to(port_of(fd));
	door.listener = listener_start(&l.loop, fd, on_accept, &door);
	looper_wait(&l, &door.count);
	looper_spin(&l, 3);
	assert_int_equal(door.count, 1);
	close(a);
	close(b);
	close_all(&door);
	looper_finish(&l);
}

/* Out of descriptors: no spinning, and the client comes in once there is one again. */
static void shortage(void **state)
{
	(void)state;
	struct looper l;
	struct config_listener where = inet(v4, 0);
	static struct door door;
	struct rlimit all, few;
	const char *why = NULL;
	int fd;
	looper_init(&l);
	assert_int_equal(listener_bind(&where, 1, &fd, &why), 0);
	struct listener *listener = listener_start(&l.loop, fd, on_accept, &door);
	int client = connect_to(port_of(fd));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = all;
	few.rlim_cur = (rlim_t)dup(0); /* the lowest number that is free */
	close((int)few.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int turns = 0;
	uint64_t end = uv_hrtime() + 100 * UINT64_C(1000000);
	while (uv_hrtime() < end) {
		uv_run(&l.loop.uv, UV_RUN_ONCE);
		turns++;
	}
	assert_true(turns < 200); /* the fixture's own timer, not the socket */
	assert_int_equal(door.count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	looper_wait(&l, &door.count);
	listener_stop(&listener);
	close(client);
	close_all(&door);
	looper_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers),
		cmocka_unit_test(in_use),
		cmocka_unit_test(both_wildcards),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(unix_socket),
		cmocka_unit_test(batches),
		cmocka_unit_test(busy),
		cmocka_unit_test(stops_inside_event),
		cmocka_unit_test(shortage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
