/*
 * TLS settings made ready for use: certificates, versions, ciphers, tickets, verification.
 *
 * Made on the main thread from a configuration, counted, shared by all workers (OpenSSL's SSL_CTX may be
 * used by several threads once it is set up). A reload makes new ones; connections keep theirs.
 */
#ifndef IMAPMUX_NET_TLS_CONTEXT_H
#define IMAPMUX_NET_TLS_CONTEXT_H

#include "config/config.h"

struct tls_context;

/*
 * For listeners: TLS 1.2/1.3, certificates by SNI (exact name, then "*.domain", then the default), ALPN
 * "imap" (a client that offers ALPN without it is refused with no_application_protocol, ALPACA),
 * session tickets without a server cache. Every pair is tried. NULL with lines in errors.
 *
 * The ticket key file holds up to 8 keys, one a line of 160 hexadecimal digits (80 bytes: name, AES-256
 * key, HMAC-SHA-256 key; made by `openssl rand -hex 80`); blank lines and lines beginning with "#" count
 * for nothing. The first key seals new tickets, all of them open old ones. Without a file the keys are
 * random, change every 6 hours and outlive a reload, but not the process.
 */
struct tls_context *tls_context_create_server(const struct config *c, struct config_errors *errors);

/*
 * For one backend: chain and host name verified unless verify = false; TLS older than 1.2, with OpenSSL's
 * security level 0, only where its min_version says so. The session of the last full
 * handshake with the configured name is kept for an hour, so that further connections cost less; after
 * that the certificate is verified again. NULL with a line in errors.
 */
struct tls_context *tls_context_create_client(
	const struct config_backend *b, struct config_errors *errors);

/* Any thread. NULL inside is fine for unref, which nulls. */
struct tls_context *tls_context_ref(struct tls_context *t);
void tls_context_unref(struct tls_context **t);

#endif
