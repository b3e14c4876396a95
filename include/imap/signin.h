/*
 * The dialogue with a server until a user is signed in (RFC 9051 section 6.2, RFC 4616, RFC 2971).
 *
 * Pure: bytes of the server in, commands and a verdict out; no socket. It runs in two parts, so that a
 * connection can be made ready before anybody signs in on it:
 *
 *	create -> feed -> SIGNIN_STARTTLS -> (handshake) -> tls_active -> feed -> SIGNIN_READY
 *	       -> start(credentials) -> feed -> SIGNIN_OK | SIGNIN_NO
 *	                                     -> SIGNIN_CHALLENGE -> respond -> feed -> ...
 *
 * No credential byte is in out before the greeting was read, TLS is active where it is wanted, and the
 * server offered a way to sign in. Bytes behind the tagged OK of STARTTLS are SIGNIN_FAILED (law 5).
 */
#ifndef IMAPMUX_IMAP_SIGNIN_H
#define IMAPMUX_IMAP_SIGNIN_H

#include "base/buf.h"
#include "base/fail.h"
#include "imap/credentials.h"

struct signin;

enum signin_verdict {
	SIGNIN_MORE,     /* send out; give more input */
	SIGNIN_STARTTLS, /* out is empty: begin TLS now, and give no input before signin_tls_active */
	SIGNIN_READY,    /* greeting and capabilities read; signin_start may be called */
	SIGNIN_CHALLENGE, /* signin_challenge() is for the client; what follows may be fed, but goes on only
			     behind signin_respond */
	SIGNIN_OK, /* signed in; input behind the tagged OK is not consumed: it is for the relay */
	SIGNIN_NO, /* refused by the server; signin_refusal(); close */
	SIGNIN_FAILED, /* signin_failure() tells why; close */
};

/* A line, and all input of the dialogue: beyond it the server is not an IMAP server. */
#define SIGNIN_MAX_LINE  16384
#define SIGNIN_MAX_INPUT 131072
/* What a server says of itself: RFC 2971 allows 30 fields of 1024 octets, none says so much. */
#define SIGNIN_MAX_ID 4096

/*
 * Room that out needs for what one call appends: a whole sign-in. Without it the verdict is
 * SIGNIN_FAILED with FAIL_SERVER_IO (signin_tls_active: the next feed's).
 */
#define SIGNIN_ROOM 40960

/* How many proxies may follow us when nobody before us has counted: as many as Dovecot allows. */
#define SIGNIN_PROXY_TTL 7

/* What the server is told about the client by ID; any may be NULL or "", then it is left out. */
struct signin_identity {
	const char *session_id;
	const char *client_address, *client_port; /* x-originating-* */
	const char *proxy_address, *proxy_port;   /* x-connected-*: where the client connected to */
	unsigned proxy_ttl; /* x-proxy-ttl: how many proxies may follow; 0: SIGNIN_PROXY_TTL */
	const char *pairs;  /* more of the list, as client_id_add writes it: `"name" "x" ` */
	/* For a PROXY header, not for ID: version of TLS that the client speaks with us, or with the
	 * balancer before us, and the name that it asked for. */
	const char *client_tls, *client_server_name;
};

struct signin *signin_create(bool want_starttls);
void signin_destroy(struct signin **s);

/*
 * The dialogue on a connection that somebody has used and left by UNAUTHENTICATE (RFC 8437): from here on
 * it goes as behind a greeting. capabilities: what the server said with its OK; empty: it is asked for,
 * and out gets the command. The first verdict is that of signin_state.
 */
struct signin *signin_create_again(struct span capabilities, struct buf *out);

/* The verdict that the last call has given, or would have. */
enum signin_verdict signin_state(const struct signin *s);

/*
 * Consumes from *in, appends to out. SIGNIN_OK, SIGNIN_NO and SIGNIN_FAILED are the end. While nobody
 * signs in on a ready connection, SIGNIN_READY is said again for what a server may say unasked, and
 * SIGNIN_FAILED when it says BYE or answers what nobody asked.
 */
enum signin_verdict signin_feed(struct signin *s, struct span *in, struct buf *out);

/* TLS is active: capabilities read before are forgotten; appends the next command. */
void signin_tls_active(struct signin *s, struct buf *out);

/*
 * Signs in (only after SIGNIN_READY). login is the name at the server. identity may be NULL: no ID. The
 * credentials are copied and wiped when they have been sent.
 *
 * A password: AUTHENTICATE PLAIN (with initial response where SASL-IR is offered), else LOGIN with quoted
 * strings or synchronising literals. A token or SCRAM: the client's mechanism and its message, in which
 * the name is replaced by login where it is another one (a token only; SCRAM fails with FAIL_AUTH).
 * Returns SIGNIN_MORE, or SIGNIN_FAILED when the server offers no way that fits: FAIL_MECHANISM (token,
 * SCRAM) or FAIL_SERVER_NO_MECHANISM (LOGINDISABLED, or an authorization identity without PLAIN).
 */
enum signin_verdict signin_start(struct signin *s, struct span login,
	const struct credentials *credentials, const struct signin_identity *identity,
	struct buf *out);

/* After SIGNIN_CHALLENGE, until respond: the server's line, base64 or empty. */
struct span signin_challenge(const struct signin *s);

/* After SIGNIN_CHALLENGE: the client's line, base64 or empty, in which nothing else can stand. Returns
 * SIGNIN_MORE, or SIGNIN_FAILED: no room in out. */
enum signin_verdict signin_respond(struct signin *s, struct span line, struct buf *out);

/* After SIGNIN_OK: the server's capability list for this user (words behind "CAPABILITY "). When the
 * server did not volunteer one, the dialogue has asked for it before it said SIGNIN_OK. */
struct span signin_capabilities(const struct signin *s);

/*
 * What the server said of itself in answer to ID, as it is written behind "* ID "; empty: it was not asked, said
 * nothing, or more than SIGNIN_MAX_ID. Nothing but its length and its one line was looked at.
 */
struct span signin_server_id(const struct signin *s);

/*
 * After SIGNIN_NO: what the client may be told: "[CODE] fixed text" for a known response code
 * (UNAVAILABLE, LIMIT, ALERT, EXPIRED, CONTACTADMIN, PRIVACYREQUIRED ..., and Dovecot's and Cyrus'
 * variants), else the text of FAIL_AUTH: the server's own words could tell which users exist.
 */
struct span signin_refusal(const struct signin *s);

/* After SIGNIN_NO: true when the refusal says that the credential is wrong (not: busy, limit, ...). */
bool signin_is_wrong_credential(const struct signin *s);

/* Why it failed; FAIL_NONE: it has not. */
enum fail signin_failure(const struct signin *s);

#endif
