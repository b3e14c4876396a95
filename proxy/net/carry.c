/*
 * Carrying: the descriptor is duplicated, so that the old handle can be closed on the old loop (libuv
 * takes the old number out of its epoll set at once) while the new one opens on the other thread.
 */
#include "net/carry.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "stream_priv.h"

struct stream_parcel {
	int fd;
	bool is_server;
	bool is_told; /* on_eof was called on the old loop */
	bool has_ended;
	struct tls *tls;
	struct buf unread;
	struct buf undecoded;
};

struct stream_parcel *stream_take(struct stream *s)
{
	assert(net_loop_is_mine(s->loop));
	assert(!s->is_giving);
	uv_os_fd_t old = -1;
	if (s->state != STREAM_OPEN || uv_fileno(&s->uv.handle, &old) != 0) {
		return NULL;
	}
	assert(s->is_paused);
	assert(stream_pending(s) == 0);
	int fd = fcntl(old, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		return NULL;
	}
	struct stream_parcel *p = xcalloc(1, sizeof *p);
	p->fd = fd;
	p->is_server = s->is_server;
	p->has_ended = s->reading >= READING_ENDED;
	p->is_told = s->reading == READING_TOLD;
	p->tls = s->tls;
	s->tls = NULL;
	struct stream_queues *q = stream_queues(s);
	buf_init(&p->unread, q->unread.cap);
	buf_move(&p->unread, &q->unread);
	buf_init(&p->undecoded, q->undecoded.cap);
	buf_move(&p->undecoded, &q->undecoded);
	stream_shut(s);
	return p;
}

struct stream *stream_unpack(struct net_loop *loop, struct stream_parcel **parcel,
	const struct stream_events *events, void *owner)
{
	struct stream_parcel *p = *parcel;
	struct stream *s = stream_make(loop, p->fd, STREAM_OPEN, events, owner);
	p->fd = -1;
	if (s != NULL) {
		s->is_server = p->is_server;
		s->is_paused = true;
		if (p->has_ended) {
			s->reading = p->is_told ? READING_TOLD : READING_ENDED;
		}
		s->tls = p->tls;
		p->tls = NULL;
		buf_move(&stream_queues(s)->unread, &p->unread);
		buf_move(&stream_queues(s)->undecoded, &p->undecoded);
		stream_trim(s);
	}
	stream_parcel_drop(parcel);
	return s;
}

void stream_parcel_drop(struct stream_parcel **parcel)
{
	struct stream_parcel *p = *parcel;
	*parcel = NULL;
	if (p == NULL) {
		return;
	}
	if (p->fd >= 0) {
		close(p->fd);
	}
	tls_destroy(&p->tls);
	buf_finish(&p->unread);
	buf_finish(&p->undecoded);
	free(p);
}
