/*
 * A byte stream to a peer: TCP or unix socket, plain or TLS; which of them is not visible above.
 *
 * Owned by its creator, used only on its loop's thread. Events come from the loop, never from inside a
 * call to the stream. After stream_close only on_closed comes, in which the memory goes away.
 *
 * Reading: on_data is given what has arrived and returns how much of it was used. If it used less, or
 * called stream_pause, the rest is kept, reading stops, and it is given again (first, and from a later
 * turn) after stream_resume, which may also be called inside on_data. Writing: stream_write copies or
 * sends at once; all small writes of a turn leave together at its end (TCP_NODELAY is set). TLS encrypts
 * straight into the outgoing buffer.
 */
#ifndef IMAPMUX_NET_STREAM_H
#define IMAPMUX_NET_STREAM_H

#include <sys/socket.h>

#include "base/fail.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/tls_context.h"

/* Owners stop reading the other side above the high mark and go on below the low one. */
#define STREAM_HIGH_WATER 262144
#define STREAM_LOW_WATER  65536
/* Output beyond this fails the stream (FAIL_SLOW_READER): its owner ignored the high mark. */
#define STREAM_OUT_MAX ((size_t)STREAM_HIGH_WATER + (size_t)4 * NET_READ_SIZE)

struct stream;

struct stream_events {
	void (*on_open)(
		void *owner); /* the TLS handshake (or start_tls) is done; for plain: next turn */
	size_t (*on_data)(void *owner, struct span in); /* returns how many bytes were used */
	void (*on_drained)(void *owner); /* output fell to the low mark after it had passed the high
					    one, or to zero after stream_want_drained */
	void (*on_eof)(void *owner); /* the peer will send no more; all data was delivered before */
	/* The stream is dead; close it. detail is for the log. Reset, TLS alert, verification ... */
	void (*on_failed)(void *owner, enum fail why, const char *detail);
	void (*on_closed)(void *owner); /* last event; the stream is freed when it returns */
};

/* What the stream is to be. tls NULL: plain. */
struct stream_options {
	struct tls_context *tls;
	bool is_server;          /* we are the TLS server */
	const char *server_name; /* client role: SNI and the name to verify; "" or NULL: none */
};

/* Takes over a connected, non-blocking descriptor (closed by the stream, also on failure: NULL). */
struct stream *stream_create(struct net_loop *loop, int fd, const struct stream_options *options,
	const struct stream_events *events, void *owner);

/*
 * Begins TLS on a plain stream; what was written before leaves in clear, then the handshake runs and
 * on_open comes. Bytes that were received and not used in clear are an attack (law 5): then false, and
 * nothing was started; the owner closes.
 */
bool stream_start_tls(struct stream *s, const struct stream_options *options)
	__attribute__((warn_unused_result));

void stream_write(struct stream *s, struct span bytes);
size_t stream_pending(const struct stream *s); /* bytes not yet taken by the kernel */
void stream_want_drained(struct stream *s); /* on_drained when nothing is pending (also at once) */

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
size_t stream_unread(const struct stream *s); /* bytes kept for on_data */

/* Sends what is pending (at most linger_ms), TLS close_notify, then closes. 0: closes at once. May be
 * called again (a shorter linger wins). No event but on_closed follows. */
void stream_close(struct stream *s, uint64_t linger_ms);

/* Changes who gets the events, from the next event on. */
void stream_set_owner(struct stream *s, const struct stream_events *events, void *owner);

bool stream_is_tls(const struct stream *s);
/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256", or "" and "". */
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);
bool stream_tls_is_resumed(const struct stream *s);

/* Addresses as text: "192.0.2.1" and "55012"; for unix sockets "unix" and "0". */
struct stream_name {
	char address[64];
	char port[8];
};
struct stream_name stream_peer_name(const struct stream *s);
struct stream_name stream_local_name(const struct stream *s);

#endif
