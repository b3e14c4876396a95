/*
 * Listening sockets: bound on the main thread, accepted from on the workers.
 *
 * With several workers each has a socket of its own on the same address (SO_REUSEPORT) and the kernel
 * spreads the clients. That option would also let a second imapmux share the port unnoticed, so the
 * address is first bound without it: "address already in use" stays an error.
 */
#include "net/listener.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "socket_priv.h"

enum {
	LISTENER_BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
	LISTENER_PAUSE_MS = 200, /* out of descriptors: one is likely to be free by then */
};

struct listener {
	struct net_loop *loop;
	uv_poll_t poll;
	int fd;
	listener_accept_fn *on_accept;
	void *owner;
	struct wheel_timer pause;
	bool is_short; /* out of descriptors: said once, until an accept succeeds again */
	bool is_stopped;
};

/* Binding. */

static int refuse(const char **why, const char *what)
{
	int error = errno;
	*why = what;
	return error != 0 ? error : EINVAL;
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A bound TCP socket, or -1 with errno and *why. */
static int bind_inet(const struct addrinfo *a, bool is_shared, bool takes_ipv4, const char **why)
{
	int fd = new_socket(a->ai_family);
	if (fd < 0) {
		*why = "no socket of this kind";
		return -1;
	}
	/* Said in both cases: the default of the machine (bindv6only) counts for neither. */
	bool ok = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
		  (a->ai_family != AF_INET6 ||
			  socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !takes_ipv4)) &&
		  (!is_shared || socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1));
	*why = ok ? "cannot be bound" : "socket option refused";
	if (!ok || bind(fd, a->ai_addr, a->ai_addrlen) != 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	socket_tune(fd);
	return fd;
}

/* Port 0 (tests): the kernel's choice for the first socket is the port of all. */
static bool keep_port(int fd, struct addrinfo *a)
{
	socklen_t size = a->ai_addrlen;
	return getsockname(fd, a->ai_addr, &size) == 0;
}

static int bind_all(struct addrinfo *a, size_t count, bool takes_ipv4, int *fds, const char **why)
{
	if (count > 1) {
		int probe = bind_inet(a, false, takes_ipv4, why);
		if (probe < 0) {
			return refuse(why, *why);
		}
		close(probe);
	}
	for (size_t i = 0; i < count; i++) {
		fds[i] = bind_inet(a, count > 1, takes_ipv4, why);
		if (fds[i] < 0 || !keep_port(fds[i], a)) {
			return refuse(why, *why);
		}
		if (listen(fds[i], LISTENER_BACKLOG) != 0) {
			return refuse(why, "cannot listen");
		}
	}
	return 0;
}

static int open_inet(const struct config_listener *l, size_t count, int *fds, const char **why)
{
	const struct address *to = &l->address;
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[8];
	snprintf(port, sizeof port, "%u", to->port);
	int error = getaddrinfo(to->host, port, &hints, &found);
	if (error != 0) {
		*why = gai_strerror(error);
		return EADDRNOTAVAIL;
	}
	error = bind_all(found, count, l->takes_ipv4, fds, why);
	freeaddrinfo(found);
	return error;
}

/* A socket file on which nobody listens is left over from a crash; anything else is not ours. */
static int remove_stale(const struct sockaddr_un *a, const char **why)
{
	struct stat st;
	if (lstat(a->sun_path, &st) != 0) {
		return errno == ENOENT ? 0 : refuse(why, "cannot be looked at");
	}
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return refuse(why, "is no socket");
	}
	int fd = new_socket(AF_UNIX);
	if (fd < 0) {
		return refuse(why, "no socket of this kind");
	}
	bool is_alive = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN;
	close(fd);
	if (is_alive) {
		errno = EADDRINUSE;
		return refuse(why, "somebody listens there");
	}
	return unlink(a->sun_path) == 0 ? 0 : refuse(why, "cannot be replaced");
}

static int open_unix(const struct config_listener *l, size_t count, int *fds, const char **why)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof a.sun_path, "%s", l->address.path);
	if (n < 0 || (size_t)n >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return refuse(why, "path too long");
	}
	int error = remove_stale(&a, why);
	if (error != 0) {
		return error;
	}
	fds[0] = new_socket(AF_UNIX);
	/* The mode of the descriptor bounds that of the file: never more open than asked, not even
	 * between bind and chmod. */
	if (fds[0] < 0 || fchmod(fds[0], l->mode) != 0 ||
		bind(fds[0], (struct sockaddr *)&a, sizeof a) != 0) {
		return refuse(why, "cannot be bound");
	}
	if (chmod(a.sun_path, l->mode) != 0 || listen(fds[0], LISTENER_BACKLOG) != 0) {
		return refuse(why, "cannot listen");
	}
	for (size_t i = 1; i < count; i++) {
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (fds[i] < 0) {
			return refuse(why, "out of descriptors");
		}
	}
	return 0;
}

int listener_bind(const struct config_listener *l, size_t count, int *fds, const char **why)
{
	assert(count > 0);
	for (size_t i = 0; i < count; i++) {
		fds[i] = -1;
	}
	int error = l->address.kind == ADDRESS_UNIX ? open_unix(l, count, fds, why)
						    : open_inet(l, count, fds, why);
	for (size_t i = 0; error != 0 && i < count; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
		fds[i] = -1;
	}
	return error;
}

/* Accepting. */

static void on_readable(uv_poll_t *poll, int status, int events);

static void go_on(void *listener)
{
	struct listener *l = listener;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* The kernel keeps saying "readable" while it cannot be accepted: looking away saves the CPU. */
static void pause_accepting(struct listener *l, int error)
{
	if (!l->is_short) {
		log_say(LOG_ERROR, "accepting pauses", "%s", strerrordesc_np(error));
		l->is_short = true;
	}
	uv_poll_stop(&l->poll);
	net_loop_arm(l->loop, &l->pause, LISTENER_PAUSE_MS);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;
	(void)events;
	if (status < 0) {
		pause_accepting(l, -status); /* libuv has stopped watching */
		return;
	}
	if (net_loop_heavy_waiting(l->loop) >= LISTENER_BUSY) {
		return; /* the loop does not sleep, so this is asked again in a moment */
	}
	for (int i = 0; i < LISTENER_BATCH && !l->is_stopped; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->is_short = false;
			l->on_accept(l->owner, fd);
		} else if (is_shortage(errno)) {
			pause_accepting(l, errno);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
		/* Others (ECONNABORTED, EPERM of a firewall) concern one client: the next, please. */
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	net_loop_release(l->loop);
	free(l);
}

struct listener *listener_start(
	struct net_loop *loop, int fd, listener_accept_fn *on_accept, void *owner)
{
	assert(net_loop_is_mine(loop));
	struct listener *l = xcalloc(1, sizeof *l);
	*l = (struct listener){.loop = loop, .fd = fd, .on_accept = on_accept, .owner = owner};
	if (uv_poll_init(&loop->uv, &l->poll, fd) != 0) {
		close(fd);
		free(l);
		return NULL;
	}
	l->poll.data = l;
	wheel_timer_init(&l->pause, go_on, l);
	net_loop_hold(loop);
	go_on(l);
	return l;
}

void listener_stop(struct listener **listener)
{
	struct listener *l = *listener;
	*listener = NULL;
	if (l == NULL) {
		return;
	}
	assert(net_loop_is_mine(l->loop));
	l->is_stopped = true;
	net_loop_disarm(l->loop, &l->pause);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	close(l->fd);
}
