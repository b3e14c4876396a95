/*
 * The SASL mechanisms PLAIN (RFC 4616) and LOGIN (never an RFC; draft-murchison-sasl-login), the
 * server's side for clients and the client's side for servers. Pure, any thread.
 *
 * Texts are the lines of the exchange without their line end: base64, or "=" for an empty initial
 * response (RFC 4959), or "*" to cancel.
 */
#ifndef IMAPMUX_IMAP_SASL_H
#define IMAPMUX_IMAP_SASL_H

#include "base/buf.h"
#include "imap/credentials.h"

/* A line of the exchange: tokens of 8 KiB after base64. */
#define SASL_LINE_MAX 12288

/* The two questions of LOGIN, as every server asks them: "Username:", "Password:". */
#define SASL_LOGIN_ASK_USER     "VXNlcm5hbWU6"
#define SASL_LOGIN_ASK_PASSWORD "UGFzc3dvcmQ6"

enum sasl_result {
	SASL_GOOD,
	SASL_CANCELLED, /* "*" */
	SASL_MALFORMED, /* not base64, or not the message the mechanism wants */
};

/*
 * The one message of PLAIN: authzid NUL authcid NUL password, exactly two NULs. Sets all of *out. An
 * empty name or password is passed on here: preauth refuses it as a wrong one.
 */
enum sasl_result sasl_plain_read(struct span line, struct credentials *out);

/* An answer of LOGIN: a name or a password. NUL is malformed. */
enum sasl_result sasl_login_read(struct span line, struct secret *out);

/* Appends PLAIN's message in base64, for signing in as `login`. False: out's cap. */
bool sasl_plain_write(
	struct buf *out, struct span authzid, struct span login, struct span password);

#endif
