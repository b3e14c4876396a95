/*
 * What a client proved, or wants to prove, itself with. Filled by imap/preauth, used by imap/signin and
 * backend/proof, wiped by credentials_drop. None of the values but GSSAPI's message holds a NUL (RFC 4616;
 * a server cuts a name there, and a pool keyed by the longer name would lend another user's connection).
 */
#ifndef IMAPMUX_IMAP_CREDENTIALS_H
#define IMAPMUX_IMAP_CREDENTIALS_H

#include "base/secret.h"

/* In the order in which AUTH= words are shown. */
enum mechanism {
	MECHANISM_LOGIN_COMMAND, /* not SASL */
	MECHANISM_PLAIN,         /* RFC 4616 */
	MECHANISM_LOGIN,
	MECHANISM_XOAUTH2,
	MECHANISM_OAUTHBEARER,   /* RFC 7628 */
	MECHANISM_SCRAM_SHA_1,   /* RFC 5802 */
	MECHANISM_SCRAM_SHA_256, /* RFC 7677 */
	MECHANISM_EXTERNAL,      /* RFC 4422 appendix A */
	MECHANISM_CRAM_MD5,      /* RFC 2195 */
	MECHANISM_GSSAPI,        /* RFC 4752 */
	MECHANISM_COUNT
};

/* Sets of mechanisms are masks of these. */
#define MECHANISM_BIT(mechanism) (1u << (mechanism))
#define MECHANISMS_PASSWORD                                                                        \
	(MECHANISM_BIT(MECHANISM_LOGIN_COMMAND) | MECHANISM_BIT(MECHANISM_PLAIN) |                 \
		MECHANISM_BIT(MECHANISM_LOGIN))
#define MECHANISMS_TOKEN (MECHANISM_BIT(MECHANISM_XOAUTH2) | MECHANISM_BIT(MECHANISM_OAUTHBEARER))
#define MECHANISMS_SCRAM                                                                           \
	(MECHANISM_BIT(MECHANISM_SCRAM_SHA_1) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256))

/*
 * Which are filled depends on the mechanism:
 *
 *	LOGIN, PLAIN            user, password, authzid (PLAIN only, may be empty)
 *	XOAUTH2, OAUTHBEARER    user, password: the token, message
 *	SCRAM                   user, authzid (may be empty), message: client-first
 *	EXTERNAL                authzid (may be empty); the user is in the TLS certificate
 *	GSSAPI                  message: the first token; the user is inside, sealed
 *	CRAM-MD5                nothing: the server speaks first
 */
struct credentials {
	enum mechanism mechanism;
	bool is_verified;      /* the proxy itself has proved the identity; password is empty */
	struct secret user;    /* authentication identity */
	struct secret authzid; /* authorization identity; empty: the user himself */
	struct secret password;
	struct secret message; /* the initial response, decoded: what is relayed or judged whole */
};

/*
 * More bytes than this in all are refused before any server sees them: Dovecot reads sign-in lines of
 * 8 KiB (6 KiB before base64) and ends the connection beyond, which must not look like a sick server.
 */
#define CREDENTIALS_MAX 6000

/* The same in base64: a line of an exchange that is relayed. */
#define CREDENTIALS_LINE_MAX 8000

/* Bytes that go to a server: of the message where there is one, else of the other three values. */
size_t credentials_size(const struct credentials *c);

/* For the log: the SASL name, but "LOGIN" is the command, and the mechanism "SASL-LOGIN". */
const char *mechanism_name(enum mechanism m);

/* RFC 4422 section 3.1. */
#define MECHANISM_WORD_MAX 20

/* The SASL name, in capitals; NULL: the LOGIN command, which has none. */
const char *mechanism_word(enum mechanism m);

/* The mechanism of this SASL name (any case); MECHANISM_COUNT: none that is known. */
enum mechanism mechanism_find(struct span word);

/* Wipes and empties all. */
void credentials_drop(struct credentials *c);

/* Makes to equal to from; what to held before is dropped. */
void credentials_copy(struct credentials *to, const struct credentials *from);

/* Moves all; from is empty afterwards. */
void credentials_move(struct credentials *to, struct credentials *from);

#endif
