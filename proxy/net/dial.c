/*
 * Dialling a server.
 *
 * Happy path: (resolve in libuv's thread pool; a literal address and a unix socket need none,) connect
 * without blocking, wait for writable, hand out the descriptor. Failure: the next address; none left,
 * or the time over: say which address failed last and why. Each address may use an equal share of the
 * time that is left, so that one that swallows packets does not hide the others.
 *
 * A resolution cannot be stopped once a thread runs it, so it lives apart from the dial and finds it
 * gone. The result is always told from the end of a turn.
 */
#include "net/dial.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "socket_priv.h"

struct resolution {
	uv_getaddrinfo_t request;
	struct dial *dial; /* NULL: nobody waits any more */
};

/* One connect that is under way. The handle is freed by its close callback. */
struct attempt {
	uv_poll_t poll;
	struct dial *dial;
};

struct dial {
	struct net_loop *loop;
	dial_done_fn *on_done;
	void *owner;
	uint64_t deadline_ms;
	struct wheel_timer timer;
	struct net_task done; /* tells the result */
	struct resolution *resolution;
	struct attempt *attempt;
	struct addrinfo *found; /* from getaddrinfo; NULL for a unix socket */
	struct addrinfo *next;  /* to be tried */
	struct addrinfo unix_info;
	struct sockaddr_un unix_address;
	int fd; /* of the attempt, then the result */
	enum fail why;
	char detail[256];
};

static void say_address(struct dial *d, const struct addrinfo *a, const char *error)
{
	char host[INET6_ADDRSTRLEN] = "";
	char port[8] = "";
	if (a->ai_family == AF_UNIX) {
		snprintf(d->detail, sizeof d->detail, "%s: %s", d->unix_address.sun_path, error);
		return;
	}
	getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(d->detail, sizeof d->detail, "%s port %s: %s", host, port, error);
}

/* Frees all but what the loop still holds. An unclaimed descriptor is closed. */
static void end_attempt(struct dial *d);

static void destroy(struct dial *d)
{
	net_loop_disarm(d->loop, &d->timer);
	net_task_cancel(&d->done);
	end_attempt(d);
	if (d->resolution != NULL) {
		d->resolution->dial = NULL;
		uv_cancel((uv_req_t *)&d->resolution->request);
	}
	if (d->found != NULL) {
		freeaddrinfo(d->found);
	}
	net_loop_release(d->loop);
	if (d->fd >= 0) {
		close(d->fd);
	}
	free(d);
}

static void tell(void *dial)
{
	struct dial *d = dial;
	int fd = d->fd;
	d->fd = -1;
	d->on_done(d->owner, fd, d->why, d->detail);
	destroy(d);
}

static void finish(struct dial *d, enum fail why)
{
	assert((why == FAIL_NONE) == (d->fd >= 0));
	d->why = why;
	net_loop_disarm(d->loop, &d->timer);
	net_loop_defer(d->loop, &d->done);
}

/* Connecting. */

static void free_attempt(uv_handle_t *handle)
{
	free(LIST_OBJECT(handle, struct attempt, poll));
}

/* Off the loop, so that the descriptor may be opened on it (or closed) right away. */
static void end_attempt(struct dial *d)
{
	if (d->attempt != NULL) {
		uv_close((uv_handle_t *)&d->attempt->poll, free_attempt);
		d->attempt = NULL;
	}
}

static void drop_fd(struct dial *d)
{
	end_attempt(d);
	close(d->fd);
	d->fd = -1;
}

static void try_next(struct dial *d, enum fail last);

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct dial *d = LIST_OBJECT(poll, struct attempt, poll)->dial;
	(void)events;
	int error = 0;
	socklen_t size = sizeof error;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
		error = errno;
	} else if (error == 0 && status < 0) {
		error = -status; /* libuv calls any refusal EBADF: the socket knows better */
	}
	if (error == 0) {
		end_attempt(d);
		finish(d, FAIL_NONE);
		return;
	}
	drop_fd(d);
	say_address(d, d->next, strerrordesc_np(error));
	d->next = d->next->ai_next;
	try_next(d, FAIL_CONNECT);
}

static bool wait_until_writable(struct dial *d)
{
	struct attempt *a = xcalloc(1, sizeof *a);
	a->dial = d;
	if (uv_poll_init(&d->loop->uv, &a->poll, d->fd) != 0) {
		free(a);
		return false;
	}
	d->attempt = a;
	return uv_poll_start(&a->poll, UV_WRITABLE, on_writable) == 0;
}

/* 0: connected or on the way; else an errno value. */
static int begin_attempt(struct dial *d, const struct addrinfo *a)
{
	d->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		return errno;
	}
	socket_tune(d->fd);
	int error = connect(d->fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (error == 0) {
		finish(d, FAIL_NONE);
		return 0;
	}
	if (error == EINPROGRESS) {
		error = wait_until_writable(d) ? 0 : EMFILE;
	}
	if (error != 0) {
		drop_fd(d);
	}
	return error;
}

static void arm_share(struct dial *d)
{
	uint64_t now = net_loop_now(d->loop);
	uint64_t left = d->deadline_ms > now ? d->deadline_ms - now : 0;
	uint64_t count = 0;
	for (const struct addrinfo *a = d->next; a != NULL; a = a->ai_next) {
		count++;
	}
	assert(count > 0);
	net_loop_arm(d->loop, &d->timer, left / count);
}

/* Tries what is left of the addresses; last says how the one before failed. */
static void try_next(struct dial *d, enum fail last)
{
	for (; d->next != NULL; d->next = d->next->ai_next) {
		int error = begin_attempt(d, d->next);
		if (error == 0) {
			if (d->attempt != NULL) {
				arm_share(d);
			}
			return;
		}
		say_address(d, d->next, strerrordesc_np(error));
		last = FAIL_CONNECT;
	}
	finish(d, last);
}

static void on_time_over(void *dial)
{
	struct dial *d = dial;
	if (d->resolution != NULL) {
		snprintf(d->detail, sizeof d->detail, "resolving took too long");
		finish(d, FAIL_CONNECT_TIMEOUT);
		return;
	}
	drop_fd(d);
	say_address(d, d->next, "timed out");
	d->next = d->next->ai_next;
	try_next(d, FAIL_CONNECT_TIMEOUT);
}

/* Resolving. */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct resolution *r = LIST_OBJECT(request, struct resolution, request);
	struct dial *d = r->dial;
	free(r);
	if (d == NULL) {
		uv_freeaddrinfo(found);
		return;
	}
	d->resolution = NULL;
	if (d->done.node.list != NULL) {
		uv_freeaddrinfo(found); /* too late: time was over in this very turn */
		return;
	}
	if (status != 0) {
		snprintf(d->detail, sizeof d->detail, "%s", uv_strerror(status));
		finish(d, FAIL_RESOLVE);
		return;
	}
	d->found = d->next = found;
	try_next(d, FAIL_RESOLVE);
}

static const struct addrinfo hints_name = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

static void resolve(struct dial *d, const char *host, const char *port)
{
	struct addrinfo hints = hints_name;
	hints.ai_flags |= AI_NUMERICHOST;
	if (getaddrinfo(host, port, &hints, &d->found) == 0) {
		d->next = d->found;
		try_next(d, FAIL_RESOLVE);
		return;
	}
	d->found = NULL;
	struct resolution *r = xcalloc(1, sizeof *r);
	int error = uv_getaddrinfo(&d->loop->uv, &r->request, on_resolved, host, port, &hints_name);
	if (error != 0) {
		free(r);
		snprintf(d->detail, sizeof d->detail, "%s", uv_strerror(error));
		finish(d, FAIL_RESOLVE);
		return;
	}
	r->dial = d;
	d->resolution = r;
	net_loop_arm(d->loop, &d->timer, d->deadline_ms - net_loop_now(d->loop));
}

static void use_unix(struct dial *d, const char *path)
{
	d->unix_address.sun_family = AF_UNIX;
	/* config/address has refused longer paths. */
	snprintf(d->unix_address.sun_path, sizeof d->unix_address.sun_path, "%s", path);
	d->unix_info = (struct addrinfo){
		.ai_family = AF_UNIX,
		.ai_addr = (struct sockaddr *)&d->unix_address,
		.ai_addrlen = sizeof d->unix_address,
	};
	d->next = &d->unix_info;
	try_next(d, FAIL_CONNECT);
}

struct dial *dial_start(struct net_loop *loop, const struct address *to, uint64_t timeout_ms,
	dial_done_fn *on_done, void *owner)
{
	assert(net_loop_is_mine(loop));
	struct dial *d = xcalloc(1, sizeof *d);
	d->loop = loop;
	d->on_done = on_done;
	d->owner = owner;
	d->fd = -1;
	d->deadline_ms = net_loop_now(loop) + timeout_ms;
	wheel_timer_init(&d->timer, on_time_over, d);
	net_task_init(&d->done, tell, d);
	net_loop_hold(loop);
	if (to->kind == ADDRESS_UNIX) {
		use_unix(d, to->path);
	} else {
		char port[8];
		snprintf(port, sizeof port, "%u", to->port);
		resolve(d, to->host, port);
	}
	return d;
}

void dial_cancel(struct dial **d)
{
	struct dial *old = *d;
	*d = NULL;
	if (old != NULL) {
		assert(net_loop_is_mine(old->loop));
		destroy(old);
	}
}
