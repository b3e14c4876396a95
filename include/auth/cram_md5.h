/*
 * CRAM-MD5 (RFC 2195), the server's side: proof that the client knows a password, without sending it.
 *
 * The server needs the password, or what HMAC-MD5 makes of it before the first byte of the challenge: the
 * two states that Dovecot's {CRAM-MD5} holds. Weak as MD5 is, the exchange reveals nothing to a listener
 * who does not guess; it is here for old clients, behind TLS. Pure but for the challenge; any thread.
 */
#ifndef IMAPMUX_AUTH_CRAM_MD5_H
#define IMAPMUX_AUTH_CRAM_MD5_H

#include "base/buf.h"

/* HMAC-MD5 in the middle: after the outer, and after the inner, padded key. */
struct cram_key {
	uint32_t outer[4], inner[4];
};

/* A challenge is shorter: "<" 32 digits "@imapmux>". */
#define CRAM_CHALLENGE_MAX 64

/* Reads the 64 hexadecimal digits of {CRAM-MD5}. False: they are not. */
bool cram_key_read(struct span text, struct cram_key *out);

/* Of a password in clear. */
void cram_key_derive(struct span password, struct cram_key *out);

/* True when the key is that of the password. */
bool cram_key_check(const struct cram_key *key, struct span password);

/* A new challenge into room[CRAM_CHALLENGE_MAX], as text: never the same twice, guessed by nobody. */
struct span cram_challenge(char *room);

/*
 * Splits the client's answer, "user SP digest": the user may hold blanks, the digest is 32 lower-case
 * hexadecimal digits. False: it is none, the user is empty, or holds a NUL.
 */
bool cram_answer_read(struct span answer, struct span *user, struct span *digest);

/* True when the digest is that of the challenge under the key; in constant time. */
bool cram_answer_check(const struct cram_key *key, struct span challenge, struct span digest);

#endif
