/*
 * The stream: creation, events, failure, closing.
 *
 * Happy path: stream_create, (handshake,) on_open, on_data ..., stream_close, output leaves, FIN, the
 * peer's FIN, uv_close, on_closed. Failure: stream_fail notes why, on_failed comes at the end of the
 * turn, the owner closes. Nothing is freed before the uv close callback, so no frame below holds a
 * stale stream, and an owner may close from inside any event.
 */
#include "stream_priv.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

#define TO_END (SM_TO(STREAM_FAILED) | SM_TO(STREAM_FLUSHING) | SM_TO(STREAM_CLOSED))

const struct sm_state stream_states[] = {
	[STREAM_OPENING] = {"OPENING", SM_TO(STREAM_OPEN) | SM_TO(STREAM_HANDSHAKE) | TO_END},
	[STREAM_HANDSHAKE] = {"HANDSHAKE", SM_TO(STREAM_OPEN) | TO_END},
	[STREAM_OPEN] = {"OPEN", SM_TO(STREAM_HANDSHAKE) | TO_END},
	[STREAM_FAILED] = {"FAILED", SM_TO(STREAM_CLOSED)},
	[STREAM_FLUSHING] = {"FLUSHING", SM_TO(STREAM_DRAINING) | SM_TO(STREAM_CLOSED)},
	[STREAM_DRAINING] = {"DRAINING", SM_TO(STREAM_CLOSED)},
	[STREAM_CLOSED] = {"CLOSED", 0},
};

/* Room for the records that 1-byte writes become; the real bound is STREAM_OUT_MAX. */
enum { OUT_CAP = 2 * STREAM_OUT_MAX };

bool stream_is_live(const struct stream *s)
{
	return s->state == STREAM_OPENING || s->state == STREAM_HANDSHAKE ||
	       s->state == STREAM_OPEN;
}

void stream_owe(struct stream *s, enum stream_event event)
{
	assert(stream_is_live(s) || event == EVENT_FAILED);
	s->owed |= event;
	net_loop_defer(s->loop, &s->deliver);
}

/* Each event may close the stream, so each asks again whether there is somebody to tell. */
static void deliver(void *stream)
{
	struct stream *s = stream;
	unsigned owed = s->owed;
	s->owed = 0;
	if ((owed & EVENT_OPEN) && s->state == STREAM_OPENING) {
		sm_move(stream_states, &s->state, STREAM_OPEN);
		s->events->on_open(s->owner);
	}
	if ((owed & EVENT_SHAKE) && s->state == STREAM_HANDSHAKE) {
		stream_tls_shake(s);
	}
	if ((owed & EVENT_DATA) && s->state == STREAM_OPEN && !s->is_paused) {
		stream_give_kept(s);
	}
	if ((owed & EVENT_DRAINED) && stream_is_live(s)) {
		s->events->on_drained(s->owner);
	}
	if ((owed & EVENT_FAILED) && s->state == STREAM_FAILED) {
		s->events->on_failed(s->owner, s->why, s->detail);
	}
	stream_update_reading(s);
	stream_trim(s);
}

void stream_fail(struct stream *s, enum fail why, const char *detail)
{
	if (!stream_is_live(s)) {
		if (s->state == STREAM_FLUSHING || s->state == STREAM_DRAINING) {
			stream_shut(s);
		}
		return;
	}
	sm_move(stream_states, &s->state, STREAM_FAILED);
	s->why = why;
	s->detail = xstrdup(detail);
	s->owed = 0;
	net_task_cancel(&s->deliver); /* it may wait in the long queue of handshakes */
	stream_update_reading(s);
	stream_owe(s, EVENT_FAILED);
}

void stream_fail_io(struct stream *s, int uv_error)
{
	stream_fail(s, s->is_server ? FAIL_CLIENT_IO : FAIL_SERVER_IO, uv_strerror(uv_error));
}

/* Queues. */

/* What an idle stream shows. In memory that cannot be written: putting something in needs its own. */
static const struct stream_queues no_queues;

struct stream_queues *stream_queues(struct stream *s)
{
	if (s->queues == &no_queues) {
		struct stream_queues *q = xmalloc(sizeof *q);
		buf_init(&q->unread, NET_READ_SIZE);
		buf_init(&q->undecoded, NET_READ_SIZE);
		buf_init(&q->gathered, STREAM_OUT_MAX);
		buf_init(&q->out, OUT_CAP);
		s->queues = q;
	}
	return (struct stream_queues *)(uintptr_t)s->queues;
}

static void drop_queues(struct stream *s)
{
	if (s->queues != &no_queues) {
		struct stream_queues *q = stream_queues(s);
		buf_finish(&q->unread);
		buf_finish(&q->undecoded);
		buf_finish(&q->gathered);
		buf_finish(&q->out);
		free(q);
		s->queues = &no_queues;
	}
}

void stream_trim(struct stream *s)
{
	const struct stream_queues *q = s->queues;
	if (buf_len(&q->unread) + buf_len(&q->undecoded) + buf_len(&q->gathered) +
			buf_len(&q->out) ==
		0) {
		drop_queues(s);
	}
}

/* Creation. */

static void on_linger_over(void *stream)
{
	stream_shut(stream);
}

static void destroy(struct stream *s)
{
	net_loop_release(s->loop);
	tls_destroy(&s->tls);
	drop_queues(s);
	assert(s->sending == NULL);
	free(s->linger);
	free(s->detail);
	free(s);
}

static void on_closed_unused(uv_handle_t *handle)
{
	destroy(handle->data);
}

/* libuv would take any descriptor and abort when epoll refuses it. */
static bool is_socket(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

struct stream *stream_make(struct net_loop *loop, int fd, enum stream_state state,
	const struct stream_events *events, void *owner)
{
	assert(net_loop_is_mine(loop));
	assert(events->on_open && events->on_data && events->on_drained);
	assert(events->on_eof && events->on_failed && events->on_closed);
	struct stream *s = xcalloc(1, sizeof *s);
	s->loop = loop;
	s->state = state;
	s->events = events;
	s->owner = owner;
	s->queues = &no_queues;
	net_task_init(&s->deliver, deliver, s);
	net_task_init(&s->flush, stream_flush, s);
	net_loop_hold(loop);
	uv_tcp_init(&loop->uv, &s->uv.tcp);
	s->uv.handle.data = s;
	int error = is_socket(fd) ? uv_tcp_open(&s->uv.tcp, fd) : UV_ENOTSOCK;
	if (error != 0) {
		if (fd >= 0) {
			close(fd);
		}
		uv_close(&s->uv.handle, on_closed_unused);
		return NULL;
	}
	return s;
}

struct stream *stream_create(struct net_loop *loop, int fd, const struct stream_options *options,
	const struct stream_events *events, void *owner)
{
	struct stream *s = stream_make(loop, fd, STREAM_OPENING, events, owner);
	if (s == NULL) {
		return NULL;
	}
	s->is_server = options->is_server;
	if (options->preface.n > 0 && stream_queue(s, options->preface)) {
		stream_flush_later(s);
	}
	if (options->tls != NULL) {
		stream_tls_begin(s, options);
	} else {
		stream_owe(s, EVENT_OPEN);
	}
	return s;
}

void stream_set_owner(struct stream *s, const struct stream_events *events, void *owner)
{
	assert(net_loop_is_mine(s->loop));
	s->events = events;
	s->owner = owner;
}

/* Closing. */

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream *s = handle->data;
	s->events->on_closed(s->owner);
	destroy(s);
}

void stream_shut(struct stream *s)
{
	assert(s->state != STREAM_CLOSED);
	sm_move(stream_states, &s->state, STREAM_CLOSED);
	s->owed = 0;
	net_task_cancel(&s->deliver);
	net_task_cancel(&s->flush);
	if (s->linger != NULL) {
		net_loop_disarm(s->loop, s->linger);
	}
	uv_close(&s->uv.handle, on_handle_closed);
}

/* The last words; the state is FLUSHING afterwards, or CLOSED when they could not be said. */
static void begin_end(struct stream *s)
{
	if (s->state == STREAM_OPEN && s->tls != NULL) {
		stream_tls_end(s);
	}
	if (!stream_is_live(s)) {
		stream_shut(s);
		return;
	}
	if (buf_len(&s->queues->gathered) > 0) {
		buf_clear(&stream_queues(s)->gathered); /* no handshake, no way to say it */
	}
	sm_move(stream_states, &s->state, STREAM_FLUSHING);
	s->owed = 0;
	net_task_cancel(&s->deliver);
	s->linger = xmalloc(sizeof *s->linger);
	wheel_timer_init(s->linger, on_linger_over, s);
	stream_update_reading(s);
	stream_flush_later(s);
}

void stream_close(struct stream *s, uint64_t linger_ms)
{
	assert(net_loop_is_mine(s->loop));
	if (s->state == STREAM_CLOSED) {
		return;
	}
	if (linger_ms == 0 || s->state == STREAM_FAILED) {
		stream_shut(s);
		return;
	}
	if (stream_is_live(s)) {
		begin_end(s);
	} else if (s->linger->due_ms <= net_loop_now(s->loop) + linger_ms) {
		return;
	}
	if (s->state != STREAM_CLOSED) {
		net_loop_arm(s->loop, s->linger, linger_ms);
	}
}

/* Names. */

static int descriptor_of(const struct stream *s)
{
	uv_os_fd_t fd = -1;
	return uv_fileno(&s->uv.handle, &fd) == 0 ? fd : -1;
}

bool stream_peer_has_left(const struct stream *s)
{
	struct pollfd p = {.fd = descriptor_of(s), .events = POLLRDHUP};
	return s->state != STREAM_CLOSED && poll(&p, 1, 0) == 1 &&
	       (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

struct stream_name stream_peer_name(const struct stream *s)
{
	return socket_peer_name(descriptor_of(s));
}

struct stream_name stream_local_name(const struct stream *s)
{
	return socket_local_name(descriptor_of(s));
}
