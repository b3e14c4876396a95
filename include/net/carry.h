/*
 * Carries a stream to another thread's loop: the one move in a client's life, to its home worker.
 *
 * stream_take needs an open, paused stream with no output pending (stream_want_drained) and is not
 * called inside on_data. It duplicates the descriptor, takes TLS state and unread bytes along, and
 * closes the old handle; on_closed of the old stream does come, and it is the only event. The parcel may
 * cross threads; exactly one of stream_unpack and stream_parcel_drop ends it. What the peer does in
 * between is seen by the new stream.
 */
#ifndef IMAPMUX_NET_CARRY_H
#define IMAPMUX_NET_CARRY_H

#include "net/stream.h"

struct stream_parcel;

/* NULL: out of descriptors, or the stream has just died (on_failed is about to come); it is unchanged
 * then. */
struct stream_parcel *stream_take(struct stream *s);

/* On the new loop's thread. The stream is open (no on_open comes) and paused; stream_resume delivers the
 * unread bytes. *parcel is NULL afterwards. NULL: libuv refused, and the connection is closed. */
struct stream *stream_unpack(struct net_loop *loop, struct stream_parcel **parcel,
	const struct stream_events *events, void *owner);

/* Closes the connection. Any thread. */
void stream_parcel_drop(struct stream_parcel **parcel);

#endif
