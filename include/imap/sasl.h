/*
 * The messages of SASL mechanisms: PLAIN (RFC 4616), LOGIN (never an RFC; draft-murchison-sasl-login),
 * XOAUTH2 (Google's), OAUTHBEARER (RFC 7628), SCRAM (RFC 5802) and what EXTERNAL and GSSAPI begin with.
 * The server's side for clients, the client's side for servers. Pure, any thread.
 *
 * Names and passwords are UTF-8 without NUL; anything else is malformed, because two servers could read
 * it in two ways.
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

/* Challenges of one exchange: SCRAM has two, GSSAPI a few. */
#define SASL_STEPS_MAX 10

/* The two questions of LOGIN, as every server asks them: "Username:", "Password:". */
#define SASL_LOGIN_ASK_USER     "VXNlcm5hbWU6"
#define SASL_LOGIN_ASK_PASSWORD "UGFzc3dvcmQ6"

enum sasl_result {
	SASL_GOOD,
	SASL_CANCELLED, /* "*" */
	SASL_MALFORMED, /* not base64, or not the message the mechanism wants */
	SASL_BINDING,   /* wants channel binding, which cannot cross a proxy */
};

/*
 * The first message of a mechanism whose client speaks first (all but LOGIN and CRAM-MD5). Sets all of
 * *out as credentials.h tells. An empty name or secret is passed on here: preauth refuses it as a wrong
 * one.
 */
enum sasl_result sasl_first_read(enum mechanism m, struct span line, struct credentials *out);

/* The one message of PLAIN: authzid NUL authcid NUL password, exactly two NULs. As above. */
enum sasl_result sasl_plain_read(struct span line, struct credentials *out);

/* An answer of LOGIN: a name or a password. */
enum sasl_result sasl_login_read(struct span line, struct secret *out);

/*
 * Appends the message of a token mechanism in base64, as the client wrote it but for the name, which is
 * `login`. False: out's cap, or no message can hold this name.
 */
bool sasl_token_write(struct buf *out, const struct credentials *c, struct span login);

/* True when the line is base64 or empty, and within SASL_LINE_MAX: what may be relayed unread. */
bool sasl_is_line(struct span line);

/* True for UTF-8 (RFC 3629: shortest form, no surrogates) without NUL. */
bool sasl_is_text(struct span s);

/* Appends PLAIN's message in base64, for signing in as `login`. False: out's cap. */
bool sasl_plain_write(
	struct buf *out, struct span authzid, struct span login, struct span password);

#endif
