/*
 * Two TLS engines that talk in memory, and a raw OpenSSL client for what the engine never does.
 */
#ifndef IMAPMUX_LIB_TLS_PAIR_H
#define IMAPMUX_LIB_TLS_PAIR_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "lib/pki.h"
#include "net/tls.h"

struct tls_end {
	struct tls *tls;
	struct buf out;        /* for the other end */
	struct buf plain;      /* decrypted */
	enum tls_result state; /* of the last call */
	bool is_open;          /* the handshake is done */
};

void tls_end_init(struct tls_end *e, struct tls_context *context, bool is_server, const char *name);
void tls_end_finish(struct tls_end *e);

/* Gives the bytes to the engine: handshake, then reading. Wire bytes must be used up. */
void tls_end_receive(struct tls_end *e, struct span wire);
void tls_end_say(struct tls_end *e, const char *text);

/* Carries bytes both ways, in pieces of at most `piece`, until both are silent. */
void tls_talk(struct tls_end *a, struct tls_end *b, size_t piece);

/* The same with a raw client, which has memory BIOs. */
SSL *raw_client(SSL_CTX *context);
void raw_talk(SSL *client, struct tls_end *server);

#endif
