/*
 * A byte stream over TCP, plain or TLS; which of them is not visible above.
 *
 * Owned by its creator. Events come from the loop, never from inside a call to the stream; inside an
 * event every function may be called, stream_close too. What was written during an event leaves when it
 * returns, together; who writes at another time calls stream_flush.
 */
#ifndef IMAPMUX_BENCH_STREAM_H
#define IMAPMUX_BENCH_STREAM_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "bench/loop.h"

struct stream;

struct stream_events {
	void (*on_open)(void *owner); /* once: connected, and the handshake done */
	void (*on_data)(void *owner, const char *bytes, size_t n);
	/* The last event: the peer ended (why NULL), or something broke. The owner closes. */
	void (*on_end)(void *owner, const char *why);
};

/* tls NULL: plain. session (or NULL) is offered for resumption. from (or NULL) is the own address. */
struct stream *stream_connect(struct loop *loop, const struct sockaddr_in *to,
	const struct sockaddr_in *from, SSL_CTX *tls, SSL_SESSION *session,
	const struct stream_events *events, void *owner);

/* Takes over an accepted, non-blocking socket. */
struct stream *stream_accept(
	struct loop *loop, int fd, SSL_CTX *tls, const struct stream_events *events, void *owner);

/* Copies; the bytes are sent by the next flush. */
void stream_write(struct stream *stream, const char *bytes, size_t n);
/* Does not copy: the bytes live as long as the program. */
void stream_write_static(struct stream *stream, const char *bytes, size_t n);
void stream_flush(struct stream *stream);

/* False for plain streams. */
bool stream_is_resumed(const struct stream *stream);

/* Sends what the kernel takes at once (and close_notify), closes; no event comes after it. NULL is
 * accepted. */
void stream_close(struct stream **stream);

#endif
