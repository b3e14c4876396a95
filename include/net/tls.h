/*
 * A TLS connection without a socket: bytes in, bytes out.
 *
 * OpenSSL reads from the span that the caller has just received and writes behind what the given
 * buffer holds (a custom BIO); between two calls nothing is kept but what belongs to an incomplete
 * record. So it is tested without sockets and moves between threads with its stream.
 *
 * Not thread-safe; owned by whoever created it. Each call that takes `in` shrinks it by what was used.
 */
#ifndef IMAPMUX_NET_TLS_H
#define IMAPMUX_NET_TLS_H

#include "base/buf.h"
#include "base/fail.h"
#include "net/tls_context.h"

struct tls;

/* A peer may send this much before the handshake is done. OpenSSL stores a message until it is whole,
 * and would store 128 KiB for each stranger; a long certificate chain is a tenth of it. */
#define TLS_HANDSHAKE_MAX 65536

enum tls_result {
	TLS_DONE,   /* did what was asked */
	TLS_MORE,   /* all of `in` is used; call again with what comes next */
	TLS_END,    /* the peer has closed its direction (close_notify) */
	TLS_FAILED, /* dead: tls_fail and tls_detail say why; an alert may stand in out */
};

/*
 * The client role sends the name as SNI and verifies it (an IP literal is verified only). Where the
 * context verifies, a missing name fails the handshake: a chain to any name proves nothing.
 */
struct tls *tls_create(struct tls_context *context, bool is_server, const char *server_name);
void tls_destroy(struct tls **t);

/* Goes on with the handshake; TLS_DONE (once), TLS_MORE or TLS_FAILED. The client role begins with an
 * empty in. After TLS_DONE in may hold the first bytes of the conversation. */
enum tls_result tls_handshake(struct tls *t, struct span *in, struct buf *out);

/*
 * Decrypts into to[0..room), as many records as fit; *got is how much, also with TLS_END and
 * TLS_FAILED. TLS_DONE: the room is full, there may be more. Answers of the protocol (key update)
 * go to out.
 */
enum tls_result tls_read(
	struct tls *t, struct span *in, uint8_t *to, size_t room, size_t *got, struct buf *out);

/* What comes from now on is no password: OpenSSL's record buffers (17 KB) are no longer wiped at each
 * read, which costs as much as all else that is done for a short command. From here on the engine belongs
 * to the calling thread. Only after the handshake. */
void tls_end_secrecy(struct tls *t);

/* True when it holds input that tls_read has not given out, be it the half of a record. */
bool tls_has_input(const struct tls *t);

/* Encrypts all of it; TLS_DONE or TLS_FAILED (the cap of out was reached: FAIL_SLOW_READER). Only
 * after the handshake. */
enum tls_result tls_write(struct tls *t, struct span plain, struct buf *out);

/* Appends close_notify, once; nothing when the handshake was not completed or something failed. */
void tls_close_notify(struct tls *t, struct buf *out);

/* Why it is dead. The code says which side it talks to: FAIL_CLIENT_TLS in the server role,
 * FAIL_SERVER_TLS or FAIL_SERVER_VERIFY in the client role. The detail is OpenSSL's reason. */
enum fail tls_fail(const struct tls *t);
const char *tls_detail(const struct tls *t);

/* "TLSv1.3", "TLS_AES_128_GCM_SHA256", and whether a ticket saved the full handshake. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
/* The name that the peer of a server asked for, "" when it did not. */
const char *tls_server_name(const struct tls *t);
bool tls_is_resumed(const struct tls *t);

/*
 * Server role: the names in one field of the certificate that the client has proved to own, at most `most`
 * of them, each for free(). 0: he showed none, it has expired since, or there is no such name in it.
 */
size_t tls_client_names(const struct tls *t, enum client_user field, char **names, size_t most);

#endif
