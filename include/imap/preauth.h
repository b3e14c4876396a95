/*
 * The dialogue with a client until its credentials are known (RFC 9051 sections 6.1 and 6.2).
 *
 * Pure: bytes of the client in, replies and a verdict out; no socket. One object serves one client
 * from its greeting to its sign-in and is then destroyed, so that an idle session owns no memory of
 * it. It moves between workers by handing over the pointer. Everything a stranger can make large is
 * bounded by the policy; running into a bound is PREAUTH_FAILED with a code.
 *
 *	greet -> feed -> PREAUTH_SIGN_IN -> (server asked) -> accept, or refuse -> feed ...
 *	                                   -> challenge -> feed -> PREAUTH_RESPONSE -> ...
 *	                                                           PREAUTH_CANCELLED -> feed ...
 *	                 PREAUTH_STARTTLS -> (handshake) -> tls_active -> feed ...
 */
#ifndef IMAPMUX_IMAP_PREAUTH_H
#define IMAPMUX_IMAP_PREAUTH_H

#include "base/buf.h"
#include "base/fail.h"
#include "imap/capability.h"
#include "imap/client_id.h"
#include "imap/credentials.h"

struct preauth;

struct preauth_policy {
	struct capability_policy capabilities; /* must outlive the object */
	bool can_starttls;   /* the listener offers STARTTLS and TLS is not active */
	bool can_sign_in;    /* TLS is active, or the listener takes credentials in clear */
	unsigned mechanisms; /* of MECHANISM_BIT: what is taken, and shown as AUTH= */
	struct span offered; /* what every server offers that it could be; copied */
	bool trusts_id;      /* the client may say by ID for whom it speaks */
	size_t max_line;     /* limits.line */
	size_t max_bytes; /* limits.preauth_bytes: all input before the sign-in, per attempt series */
};

/* Invalid commands (answered BAD) until the connection ends with BYE (nginx: 5, Dovecot: 3). */
#define PREAUTH_MAX_ERRORS 5

enum preauth_verdict {
	PREAUTH_MORE,     /* all input is consumed; give more */
	PREAUTH_STARTTLS, /* send out, then begin TLS; whatever is left of the input must be dropped */
	PREAUTH_SIGN_IN, /* preauth_credentials() is complete; the rest of the input is not consumed */
	PREAUTH_RESPONSE, /* preauth_response() answers the challenge; the same */
	PREAUTH_CANCELLED, /* instead of answering the challenge the client has ended the exchange, or what
			      it sent is none. It has been told; feed the rest of the input */
	PREAUTH_LOGOUT, /* BYE and OK are in out: send and close */
	PREAUTH_FAILED, /* BYE (if any) is in out: send and close; preauth_failure() tells why */
};

/*
 * Room that greet, accept and refuse need in out: a capability list and a line around it. Without it
 * they set preauth_failure() to FAIL_SLOW_READER, and the connection must be closed. preauth_feed says
 * PREAUTH_FAILED when a client asks more than the room in out can answer.
 */
#define PREAUTH_ROOM (CAPABILITY_LIST_MAX + 512)

struct preauth *preauth_create(const struct preauth_policy *policy);
void preauth_destroy(struct preauth **p);

/* Appends the greeting. */
void preauth_greet(struct preauth *p, struct buf *out);

/* Consumes from *in, appends replies to out. After a verdict other than MORE the matching call below
 * must come before the next feed. */
enum preauth_verdict preauth_feed(struct preauth *p, struct span *in, struct buf *out);

/* TLS is active now: forgets all that came before it (law 5), and takes these from now on. */
void preauth_tls_active(struct preauth *p, unsigned mechanisms);

/*
 * After PREAUTH_SIGN_IN: what the client sent. May be moved out by credentials_move; what is still
 * there is wiped by accept and refuse. Where a mechanism has a name or a password, neither is empty, and
 * what is for a server is within CREDENTIALS_MAX: others were refused here, with the words of a wrong
 * password. An authorization identity is another one than the user.
 */
struct credentials *preauth_credentials(struct preauth *p);

/*
 * After PREAUTH_SIGN_IN or PREAUTH_RESPONSE: asks the client for another line. challenge is base64 of
 * SASL_LINE_MAX bytes at most, may be empty, and needs as much room. False: SASL_STEPS_MAX were asked, nothing is appended; refuse.
 */
bool preauth_challenge(struct preauth *p, struct span challenge, struct buf *out)
	__attribute__((warn_unused_result));

/* After PREAUTH_RESPONSE: the line, base64, of SASL_LINE_MAX bytes at most and perhaps empty. Wiped by
 * the next call of challenge, accept or refuse. */
struct span preauth_response(const struct preauth *p);

/* True while the client owes a line: between challenge and PREAUTH_RESPONSE or PREAUTH_CANCELLED. */
bool preauth_is_exchanging(const struct preauth *p);

/*
 * What the first ID of the client told, since TLS began where it did (later ones do not count, as at
 * Dovecot); the caller's from here on. NULL: nothing, or it was taken already.
 */
struct client_id *preauth_take_id(struct preauth *p);

/* The tag of the command at hand: valid until the next feed. Empty: none. */
struct span preauth_tag(const struct preauth *p);

/*
 * Appends the tagged OK. capabilities is the session list already rewritten, text e.g. "Logged in", or
 * "[CODE] Logged in" (then the list goes untagged).
 * A client that asked CAPABILITY before gets an untagged CAPABILITY and a plain OK, others a response
 * code (what Dovecot does, for old clients).
 */
void preauth_accept(struct preauth *p, struct span capabilities, const char *text, struct buf *out);

/*
 * Appends the tagged NO with the text ("[CODE] words", printable); the client may try again. While the
 * client owes a line it is said when the line has come, which would be taken for a command else.
 */
void preauth_refuse(struct preauth *p, struct span text, struct buf *out);

/* Why it ended; FAIL_NONE: it has not. */
enum fail preauth_failure(const struct preauth *p);

#endif
