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
 * session tickets without a server cache. NULL with a line in errors.
 */
struct tls_context *tls_context_create_server(const struct config *c, struct config_errors *errors);

/* For one backend: chain and host name verified unless verify = false. NULL with a line in errors. */
struct tls_context *tls_context_create_client(
	const struct config_backend *b, struct config_errors *errors);

struct tls_context *tls_context_ref(struct tls_context *t);
void tls_context_unref(struct tls_context **t);

#endif
