/*
 * The socket is looked at (MSG_PEEK) before it is read, and then exactly what was of the header is taken out
 * of it. All that is seen of an incomplete header is taken, so that poll does not wake for the same
 * bytes again.
 */
#include "net/proxy_wait.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"

_Static_assert(PROXY_HEADER_MAX <= NET_READ_SIZE, "the loop's memory holds a header");

struct proxy_wait {
	struct net_loop *loop;
	uv_poll_t poll;
	int fd; /* -1: closed */
	struct proxy_reader reader;
	struct proxy_header header;
	const char *why; /* NULL: the header is whole */
	proxy_wait_fn *on_done;
	void *owner;
	struct wheel_timer deadline;
	bool has_begun;
	bool is_ending;  /* uv_close was called */
	bool is_stopped; /* nobody wants to know */
};

static void on_closed(uv_handle_t *handle)
{
	struct proxy_wait *w = handle->data;
	if (!w->is_stopped) {
		w->on_done(w->owner, w->fd, &w->header, w->why);
	}
	net_loop_release(w->loop);
	free(w);
}

/* libuv lets go of the descriptor before another of its handles gets it: on_done comes after that. */
static void end(struct proxy_wait *w, const char *why)
{
	assert(!w->is_ending);
	w->is_ending = true;
	w->why = why;
	net_loop_disarm(w->loop, &w->deadline);
	proxy_reader_finish(&w->reader);
	uv_close((uv_handle_t *)&w->poll, on_closed);
	if (why != NULL) {
		close(w->fd);
		w->fd = -1;
	}
}

static void on_deadline(void *owner)
{
	end(owner, "did not come in time");
}

/* Takes what was seen out of the socket. */
static bool take(struct proxy_wait *w, size_t n)
{
	return n == 0 || recv(w->fd, w->loop->scratch, n, 0) == (ssize_t)n;
}

static void read_header(struct proxy_wait *w, struct span seen)
{
	size_t before = seen.n;
	enum proxy_read result = proxy_reader_feed(&w->reader, &seen, &w->header);
	/* A password may have been seen behind the header. */
	secret_wipe(w->loop->scratch, before);
	w->has_begun = true;
	if (result == PROXY_READ_BAD) {
		end(w, proxy_reader_why(&w->reader));
	} else if (!take(w, before - seen.n)) {
		end(w, "cannot be read");
	} else if (result == PROXY_READ_DONE) {
		end(w, NULL);
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct proxy_wait *w = poll->data;
	(void)events;
	if (status < 0) {
		end(w, uv_strerror(status));
		return;
	}
	ssize_t n = recv(w->fd, w->loop->scratch, PROXY_HEADER_MAX, MSG_PEEK);
	if (n > 0) {
		read_header(w, span_of(w->loop->scratch, (size_t)n));
	} else if (n == 0) {
		end(w, w->has_begun ? "cut off" : "");
	} else if (errno != EAGAIN && errno != EINTR) {
		end(w, w->has_begun ? strerrordesc_np(errno) : "");
	}
}

struct proxy_wait *proxy_wait_start(
	struct net_loop *loop, int fd, proxy_wait_fn *on_done, void *owner)
{
	assert(net_loop_is_mine(loop));
	struct proxy_wait *w = xcalloc(1, sizeof *w);
	*w = (struct proxy_wait){.loop = loop, .fd = fd, .on_done = on_done, .owner = owner};
	if (uv_poll_init(&loop->uv, &w->poll, fd) != 0) {
		close(fd);
		free(w);
		return NULL;
	}
	w->poll.data = w;
	proxy_reader_init(&w->reader);
	wheel_timer_init(&w->deadline, on_deadline, w);
	net_loop_hold(loop);
	net_loop_arm(loop, &w->deadline, PROXY_WAIT_MS);
	uv_poll_start(&w->poll, UV_READABLE, on_readable);
	return w;
}

void proxy_wait_stop(struct proxy_wait **wait)
{
	struct proxy_wait *w = *wait;
	*wait = NULL;
	if (w == NULL) {
		return;
	}
	assert(net_loop_is_mine(w->loop));
	w->is_stopped = true;
	if (!w->is_ending) {
		end(w, "");
	} else if (w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
}
