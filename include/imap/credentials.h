/*
 * What a client proved, or wants to prove, itself with. Filled by imap/preauth, used by imap/signin and
 * backend/proof, wiped by credentials_drop. None of the values holds a NUL (RFC 4616; a server cuts
 * a name there, and a pool keyed by the longer name would lend another user's connection).
 */
#ifndef IMAPMUX_IMAP_CREDENTIALS_H
#define IMAPMUX_IMAP_CREDENTIALS_H

#include "base/secret.h"

enum mechanism { MECHANISM_LOGIN_COMMAND, MECHANISM_PLAIN, MECHANISM_LOGIN, MECHANISM_COUNT };

struct credentials {
	enum mechanism mechanism;
	struct secret user;    /* authentication identity */
	struct secret authzid; /* authorization identity; empty: the user himself */
	struct secret password;
};

/*
 * More bytes than this in all are refused before any server sees them: Dovecot reads sign-in lines of
 * 8 KiB (6 KiB before base64) and ends the connection beyond, which must not look like a sick server.
 */
#define CREDENTIALS_MAX 6000

/* Bytes of all three values. */
size_t credentials_size(const struct credentials *c);

/* "LOGIN", "PLAIN", "SASL-LOGIN" for the log. */
const char *mechanism_name(enum mechanism m);

/* Wipes and empties all. */
void credentials_drop(struct credentials *c);

/* Makes to equal to from; what to held before is dropped. */
void credentials_copy(struct credentials *to, const struct credentials *from);

/* Moves all; from is empty afterwards. */
void credentials_move(struct credentials *to, struct credentials *from);

#endif
