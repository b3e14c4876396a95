/*
 * GSSAPI with Kerberos 5, the server's side (RFC 4752), with the security layer "none": TLS has that job.
 *
 * The client shows a ticket for our service (imap/host@REALM), which the keys of a keytab open; then both
 * agree on having no security layer, and the client says whom he wants to be. A build without Kerberos
 * (make GSSAPI=0) knows no acceptor, and says so where a keytab is configured.
 *
 * An acceptor is immutable and shared by all threads; an exchange belongs to one thread at a time. What
 * the library does may read files and wait for disks (the replay cache): not for a loop's thread.
 */
#ifndef IMAPMUX_AUTH_GSSAPI_H
#define IMAPMUX_AUTH_GSSAPI_H

#include "base/buf.h"
#include "base/secret.h"
#include "config/config.h"
#include "imap/sasl.h"

struct gss_acceptor;
struct gss_exchange;

/* What a line of the exchange holds. */
#define GSS_TOKEN_MAX ((size_t)SASL_LINE_MAX / 4 * 3)

/* Opens the keytab and looks for a key of the service in it. NULL with a line in errors. */
struct gss_acceptor *gss_acceptor_create(
	const struct config_auth *auth, struct config_errors *errors);
void gss_acceptor_destroy(struct gss_acceptor **a);

struct gss_exchange *gss_exchange_create(struct gss_acceptor *a);
void gss_exchange_destroy(struct gss_exchange **e);

enum gss_verdict {
	GSS_MORE, /* out holds what the client is to be sent; it may be empty */
	GSS_DONE, /* the names below are proved */
	GSS_NO,   /* gss_exchange_reason tells why */
};

/* One message of the client; appends to out, which holds GSS_TOKEN_MAX. */
enum gss_verdict gss_exchange_step(struct gss_exchange *e, struct span message, struct buf *out);

/* After GSS_DONE: "alice@EXAMPLE.ORG", our own name "imap/host@EXAMPLE.ORG", and whom the client wants to
 * be (empty: himself). Valid as long as the exchange. */
struct span gss_exchange_client(const struct gss_exchange *e);
struct span gss_exchange_service(const struct gss_exchange *e);
struct span gss_exchange_authzid(const struct gss_exchange *e);

/* After GSS_NO: for the log. */
const char *gss_exchange_reason(const struct gss_exchange *e);

#endif
