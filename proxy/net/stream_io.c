/*
 * Reading and writing of a stream.
 *
 * In: socket -> loop->scratch -> (TLS -> loop->plain ->) on_data. Only what the owner does not want yet
 * is copied. While he is paused the descriptor is not read, so the kernel's window stops the peer.
 *
 * Out: small writes gather until the end of the turn; a large one goes to the kernel from where it
 * stands, and only what the kernel refuses is copied. What is refused at the end of a turn becomes one
 * uv_write; a further one follows when that has left, so the order is plain to see.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "stream_priv.h"

enum {
	/* From here on a system call of its own costs less than copying. */
	STREAM_LARGE = 16384,
	/* A sign-in arrives in short reads; after these the shared buffers are wiped (law 6). A
	 * password in a longer read stays until the next read, in memory that no core dump shows. */
	STREAM_WIPE = 4096,
};

/* Reading. */

static bool wants_input(const struct stream *s)
{
	switch ((enum stream_state)s->state) {
	case STREAM_HANDSHAKE:
	case STREAM_FLUSHING:
	case STREAM_DRAINING:
		return true;
	case STREAM_OPEN:
		/* Kept bytes are given before anything new is read. */
		return stream_can_give(s) && !(s->owed & EVENT_DATA);
	case STREAM_OPENING:
	case STREAM_FAILED:
	case STREAM_CLOSED:
		break;
	}
	return false;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
	(void)hint;
	struct stream *s = handle->data;
	/* No room: on_read is told so, and nothing is read. */
	*buf = uv_buf_init((char *)s->loop->scratch, wants_input(s) ? NET_READ_SIZE : 0);
}

static void wipe_short(uint8_t *p, size_t n)
{
	if (n <= STREAM_WIPE) {
		secret_wipe(p, n);
	}
}

/* What the owner did not use: his until he resumes. If he has done so already, inside on_data (he
 * handed the stream over, say), a later event gives it. */
static void keep_rest(struct stream *s, struct span rest)
{
	if (!buf_add(&stream_queues(s)->unread, rest)) {
		abort(); /* unread was empty and holds a whole read */
	}
	s->is_paused = !s->is_resumed;
	if (s->is_resumed) {
		stream_owe(s, EVENT_DATA);
	}
}

bool stream_can_give(const struct stream *s)
{
	return s->state == STREAM_OPEN && !s->is_paused && buf_len(&s->queues->unread) == 0;
}

void stream_give(struct stream *s, struct span in)
{
	assert(!s->is_giving);
	assert(stream_can_give(s));
	s->is_giving = true;
	s->is_resumed = false;
	size_t used = s->events->on_data(s->owner, in);
	s->is_giving = false;
	assert(used <= in.n);
	struct span rest = span_slice(in, used, in.n);
	if (s->state == STREAM_HANDSHAKE && rest.n > 0) {
		/* on_data began TLS: what stood behind the command was to be taken for the secure part
		 * (CVE-2011-0411). */
		stream_fail(s, s->is_server ? FAIL_STARTTLS_INJECTED : FAIL_SERVER_INJECTED,
			"bytes behind STARTTLS in clear");
	} else if (s->state == STREAM_OPEN && rest.n > 0) {
		keep_rest(s, rest);
	}
	if (in.p == s->loop->plain || in.p == s->loop->scratch) {
		wipe_short((uint8_t *)(uintptr_t)in.p, in.n);
	}
}

static void give_unread(struct stream *s)
{
	/* Out of the stream while it is shown, so that stream_give may keep the rest. */
	struct buf showing;
	buf_init(&showing, s->queues->unread.cap);
	buf_move(&showing, &stream_queues(s)->unread);
	stream_give(s, buf_peek(&showing));
	buf_finish(&showing);
}

void stream_give_kept(struct stream *s)
{
	if (buf_len(&s->queues->unread) > 0) {
		give_unread(s);
	}
	if (s->tls != NULL && stream_can_give(s)) {
		stream_tls_give_kept(s);
	}
	if (s->reading == READING_ENDED) {
		stream_end_of_input(s);
	}
}

/* FIN or close_notify: told when all data were. */
void stream_end_of_input(struct stream *s)
{
	if (s->reading == READING_ON) {
		uv_read_stop(&s->uv.stream);
	}
	s->reading = s->reading == READING_TOLD ? READING_TOLD : READING_ENDED;
	if (s->state == STREAM_HANDSHAKE) {
		stream_fail(s, s->is_server ? FAIL_CLIENT_TLS : FAIL_SERVER_TLS,
			"closed during the TLS handshake");
	} else if (s->state == STREAM_DRAINING) {
		stream_shut(s);
	} else if (stream_can_give(s) && s->reading == READING_ENDED) {
		s->reading = READING_TOLD;
		s->events->on_eof(s->owner);
	}
}

static void stop_reading(struct stream *s)
{
	if (s->reading == READING_ON) {
		s->reading = READING_OFF;
		uv_read_stop(&s->uv.stream);
	}
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
	struct stream *s = handle->data;
	(void)buf;
	assert(s->state != STREAM_CLOSED);
	if (n == UV_EOF) {
		stream_end_of_input(s);
		return;
	}
	if (n == UV_ENOBUFS) {
		stop_reading(s);
		return;
	}
	if (n < 0) {
		stream_fail_io(s, (int)n);
		return;
	}
	struct span in = span_of(s->loop->scratch, (size_t)n);
	if (n == 0 || !stream_is_live(s)) {
		return; /* closing: read only so that the peer is not reset */
	}
	assert(buf_len(&s->queues->unread) == 0);
	assert(buf_len(&s->queues->undecoded) == 0 || s->state == STREAM_HANDSHAKE);
	if (s->tls != NULL) {
		stream_tls_received(s, in);
	} else {
		stream_give(s, in);
	}
	stream_update_reading(s);
	stream_trim(s);
}

/* Who wants nothing goes on being watched until something comes: most pauses are over before, and then
 * they cost no system call. */
void stream_update_reading(struct stream *s)
{
	if (wants_input(s) && s->reading == READING_OFF) {
		s->reading = READING_ON;
		int error = uv_read_start(&s->uv.stream, on_alloc, on_read);
		if (error != 0) {
			s->reading = READING_ENDED;
			stream_fail_io(s, error);
		}
	} else if (s->state == STREAM_FAILED) {
		stop_reading(s);
	}
}

void stream_pause(struct stream *s)
{
	assert(net_loop_is_mine(s->loop));
	s->is_paused = true;
	s->is_resumed = false;
	stream_update_reading(s);
}

void stream_resume(struct stream *s)
{
	assert(net_loop_is_mine(s->loop));
	s->is_resumed = true;
	if (!s->is_paused) {
		return;
	}
	s->is_paused = false;
	if (stream_is_live(s)) {
		stream_owe(s, EVENT_DATA);
	}
}

size_t stream_unread(const struct stream *s)
{
	size_t in_engine = s->tls != NULL && tls_has_input(s->tls) ? 1 : 0;
	return buf_len(&s->queues->unread) + buf_len(&s->queues->undecoded) + in_engine;
}

/* Writing. */

size_t stream_pending(const struct stream *s)
{
	size_t sending = s->sending != NULL ? uv_stream_get_write_queue_size(&s->uv.stream) : 0;
	return sending + buf_len(&s->queues->out) + buf_len(&s->queues->gathered);
}

void stream_check_output(struct stream *s)
{
	if (!stream_is_live(s)) {
		return;
	}
	size_t pending = stream_pending(s);
	if (pending > STREAM_OUT_MAX) {
		stream_fail(s, FAIL_SLOW_READER, "does not read");
	} else if (pending > STREAM_HIGH_WATER && s->drain == DRAIN_SILENT) {
		s->drain = DRAIN_AT_LOW;
	} else if ((pending <= STREAM_LOW_WATER && s->drain == DRAIN_AT_LOW) ||
		   (pending == 0 && s->drain == DRAIN_AT_ZERO)) {
		s->drain = DRAIN_SILENT;
		stream_owe(s, EVENT_DRAINED);
	}
}

void stream_want_drained(struct stream *s)
{
	assert(net_loop_is_mine(s->loop));
	s->drain = DRAIN_AT_ZERO;
	stream_check_output(s);
}

bool stream_queue(struct stream *s, struct span bytes)
{
	if (bytes.n > 0 && !buf_add(&stream_queues(s)->out, bytes)) {
		stream_fail(s, FAIL_SLOW_READER, "does not read");
		return false;
	}
	return true;
}

/* What the kernel takes at once of both, or the negative of an error; 0: nothing now. Not by uv_try_write:
 * write goes through the file layer, which send knows to leave out. */
static ssize_t send_now(struct stream *s, struct span first, struct span more)
{
	struct iovec parts[2] = {
		{.iov_base = (void *)(uintptr_t)first.p, .iov_len = first.n},
		{.iov_base = (void *)(uintptr_t)more.p, .iov_len = more.n},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	uv_os_fd_t fd = -1;
	if (uv_fileno(&s->uv.handle, &fd) != 0) {
		return -EBADF;
	}
	struct span only = first.n > 0 ? first : more;
	ssize_t n;
	do {
		n = first.n > 0 && more.n > 0 ? sendmsg(fd, &message, MSG_NOSIGNAL)
					      : send(fd, only.p, only.n, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
	}
	return n;
}

bool stream_send(struct stream *s, struct span more)
{
	struct span first = buf_peek(&s->queues->out);
	if (first.n + more.n == 0 || s->sending != NULL) {
		return stream_queue(s, more);
	}
	ssize_t n = send_now(s, first, more);
	if (n < 0) {
		stream_fail_io(s, uv_translate_sys_error((int)-n));
		return false;
	}
	size_t written = (size_t)n;
	size_t of_first = written < first.n ? written : first.n;
	if (of_first > 0) {
		buf_consume(&stream_queues(s)->out, of_first);
	}
	return stream_queue(s, span_slice(more, written - of_first, more.n));
}

void stream_flush_later(struct stream *s)
{
	if (s->sending == NULL) {
		net_loop_at_end(s->loop, &s->flush);
	}
}

static void on_written(uv_write_t *request, int status)
{
	struct stream *s = request->handle->data;
	assert(request == &s->sending->request);
	buf_finish(&s->sending->bytes);
	free(s->sending);
	s->sending = NULL;
	if (s->state == STREAM_CLOSED) {
		return;
	}
	if (status < 0) {
		stream_fail_io(s, status);
	} else if (s->state != STREAM_FAILED) {
		stream_flush(s);
	}
}

/* The kernel is full: libuv waits for it. */
static void send_rest(struct stream *s)
{
	struct stream_sending *sending = xcalloc(1, sizeof *sending);
	buf_init(&sending->bytes, s->queues->out.cap);
	buf_move(&sending->bytes, &stream_queues(s)->out);
	struct span rest = buf_peek(&sending->bytes);
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)rest.p, (unsigned)rest.n);
	s->sending = sending;
	int error = uv_write(&sending->request, &s->uv.stream, &buf, 1, on_written);
	if (error != 0) {
		s->sending = NULL;
		buf_finish(&sending->bytes);
		free(sending);
		stream_fail_io(s, error);
	}
}

static void end_output(struct stream *s)
{
	uv_os_fd_t fd = -1;
	if (s->reading >= READING_ENDED || uv_fileno(&s->uv.handle, &fd) != 0 ||
		shutdown(fd, SHUT_WR) != 0) {
		stream_shut(s);
		return;
	}
	sm_move(stream_states, &s->state, STREAM_DRAINING);
	stream_update_reading(s);
}

void stream_flush(void *stream)
{
	struct stream *s = stream;
	if (s->sending != NULL || s->state == STREAM_FAILED) {
		return;
	}
	if (s->tls != NULL && s->state == STREAM_OPEN) {
		stream_tls_seal(s);
	}
	if (s->state == STREAM_FAILED || !stream_send(s, (struct span){0})) {
		return;
	}
	if (buf_len(&s->queues->out) > 0) {
		send_rest(s);
	}
	if (s->state == STREAM_FLUSHING && stream_pending(s) == 0) {
		end_output(s);
	}
	stream_check_output(s);
	stream_trim(s);
}

void stream_push(struct stream *s)
{
	assert(net_loop_is_mine(s->loop));
	if (s->flush.node.list != NULL) {
		net_task_cancel(&s->flush);
		stream_flush(s);
	}
}

void stream_write(struct stream *s, struct span bytes)
{
	assert(net_loop_is_mine(s->loop));
	if (!stream_is_live(s) || bytes.n == 0) {
		return; /* the owner has been told, or is about to be */
	}
	if (s->tls != NULL) {
		stream_tls_write(s, bytes);
	} else if (bytes.n >= STREAM_LARGE) {
		stream_send(s, bytes);
	} else {
		stream_queue(s, bytes);
	}
	if (buf_len(&s->queues->out) + buf_len(&s->queues->gathered) > 0) {
		stream_flush_later(s);
	}
	stream_check_output(s);
}
