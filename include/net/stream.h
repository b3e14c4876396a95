/*
 * A byte stream to a peer: TCP or unix socket, plain or TLS; which of them is not visible above.
 *
 * Owned by its creator, used only on its loop's thread. Events come from the loop, never from inside a
 * call to the stream; any event may call any function of the stream, close it too (exceptions stand
 * with the function). After stream_close only on_closed comes, in which the memory goes away. The
 * process ignores SIGPIPE.
 *
 * Reading: on_data is given what has arrived and returns how much of it was used. If it used less, or
 * called stream_pause, the rest is kept, reading stops (the kernel's window stops the peer), and the
 * rest is given again, first and from a later turn, after stream_resume, which may also be called
 * inside on_data. A paused stream sees neither data nor the end of it.
 *
 * Writing: small writes of a turn leave together at its end in one system call and, with TLS, as one
 * record (TCP_NODELAY is set); large ones go out at once from where they stand. Only what the kernel
 * refuses is copied. Before the end of a TLS handshake writes wait for it.
 *
 * An idle stream owns its struct, its libuv handle and its TLS engine, and no buffer.
 */
#ifndef IMAPMUX_NET_STREAM_H
#define IMAPMUX_NET_STREAM_H

#include <sys/socket.h>

#include "base/fail.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/socket_name.h"
#include "net/tls_context.h"

/* Owners stop reading the other side above the high mark and go on below the low one. */
#define STREAM_HIGH_WATER 262144
#define STREAM_LOW_WATER  65536
/* Output beyond this fails the stream (FAIL_SLOW_READER): its owner ignored the high mark. One turn may
 * bring several full reads from the other side. */
#define STREAM_OUT_MAX ((size_t)STREAM_HIGH_WATER + (size_t)4 * NET_READ_SIZE)

struct stream;

/* All of them are required. */
struct stream_events {
	/* First event, once for each of: creation (plain: next turn; TLS: the handshake is done) and
	 * stream_start_tls (the handshake is done). */
	void (*on_open)(void *owner);
	/* Returns how many bytes were used. The span is valid during the call. Not empty. */
	size_t (*on_data)(void *owner, struct span in);
	/* Output fell to the low mark after it had passed the high one, or to zero after
	 * stream_want_drained. */
	void (*on_drained)(void *owner);
	/* The peer will send no more; all data was given before. Writing goes on working. With TLS this
	 * is close_notify or the end of the connection: whether something was cut off shows in the
	 * protocol above. */
	void (*on_eof)(void *owner);
	/*
	 * The stream is dead: output and unread bytes are gone, calls do nothing; close it. detail is
	 * for the log. Codes: FAIL_CLIENT_IO or FAIL_SERVER_IO (reset, time-out), FAIL_CLIENT_TLS or
	 * FAIL_SERVER_TLS (handshake or record), FAIL_SERVER_VERIFY, FAIL_SLOW_READER,
	 * FAIL_STARTTLS_INJECTED or FAIL_SERVER_INJECTED.
	 */
	void (*on_failed)(void *owner, enum fail why, const char *detail);
	/* Last event; the stream is freed when it returns. */
	void (*on_closed)(void *owner);
};

/* What the stream is to be. tls NULL: plain. */
struct stream_options {
	struct span preface; /* sent before everything else, in clear; copied */
	struct tls_context *tls;
	bool is_server;          /* the peer is a client, and we are the TLS server */
	const char *server_name; /* client role: SNI and the name to verify; "" or NULL: none, which
				    fails where the context verifies */
};

/* Takes over a connected, non-blocking socket. NULL: it is not one; it was closed, no event comes. */
struct stream *stream_create(struct net_loop *loop, int fd, const struct stream_options *options,
	const struct stream_events *events, void *owner);

/*
 * Begins TLS on a plain stream; what was written before leaves in clear, then the handshake runs and
 * on_open comes. The stream is no longer paused. Bytes that were received and not used in clear are an
 * attack (CVE-2011-0411): then false, and nothing was started; the owner closes. Inside on_data the
 * stream learns only when that returns what was used: true, and if a rest is left, on_failed with
 * FAIL_STARTTLS_INJECTED or FAIL_SERVER_INJECTED. True also on a dead stream.
 */
bool stream_start_tls(struct stream *s, const struct stream_options *options)
	__attribute__((warn_unused_result));

/* On a dead or closing stream nothing happens. */
void stream_write(struct stream *s, struct span bytes);

/* Gives the kernel what was written, now and not at the end of the turn. No event comes from inside. */
void stream_push(struct stream *s);
/* Bytes not yet taken by the kernel. */
size_t stream_pending(const struct stream *s);
/* on_drained (once) when nothing is pending, also when that is so already. */
void stream_want_drained(struct stream *s);

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Bytes received and not used: plain ones, and with TLS those that were not decrypted yet. 0: nothing
 * waits here (the kernel may have more). */
size_t stream_unread(const struct stream *s);

/*
 * True when the peer has closed or reset the connection, also while reading is paused, or bytes wait to be
 * read before that. Asks the kernel: not for each byte.
 */
bool stream_peer_has_left(const struct stream *s);

/*
 * Sends what is pending and TLS close_notify, then FIN, then waits for the peer's (closing while his
 * bytes arrive would reset the connection and destroy what he has not read yet); all that for at most
 * linger_ms. 0, or a dead stream: closes at once. May be called again: a shorter linger wins.
 */
void stream_close(struct stream *s, uint64_t linger_ms);

/* Changes who gets the events, from the next event on. */
void stream_set_owner(struct stream *s, const struct stream_events *events, void *owner);

/* The peer has signed in: what he sends from now on is no password, see tls_end_secrecy. */
void stream_end_secrecy(struct stream *s);

bool stream_is_tls(const struct stream *s);
/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256", or "" and "" (plain, or before the end of the handshake). */
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);
/* Server role: the name that the client asked for (SNI); "" when there is none. Valid as long as the stream. */
const char *stream_tls_server_name(const struct stream *s);
/* A ticket saved the full handshake. */
bool stream_tls_is_resumed(const struct stream *s);
/* The user names in the client's certificate (net/tls.h: tls_client_names); 0 for a plain stream. */
#define STREAM_CLIENT_NAMES_MAX 16
size_t stream_client_names(
	const struct stream *s, enum client_user field, char *names[STREAM_CLIENT_NAMES_MAX]);

/* Addresses as text; the peer's is unknown once he has reset the connection, so ask early. */
struct stream_name stream_peer_name(const struct stream *s);
struct stream_name stream_local_name(const struct stream *s);

#endif
