/*
 * Proof that a credential is the one a server accepted: a keyed digest, never the credential itself.
 *
 * HMAC-SHA-256 under a random key of this process over every field that a server's verdict may depend
 * on, each with its length in front, so that no two sets of fields give the same bytes. Compared in
 * constant time. The key is never written anywhere. Law 2, POOLING.md section 6.
 */
#ifndef IMAPMUX_BACKEND_PROOF_H
#define IMAPMUX_BACKEND_PROOF_H

#include "imap/credentials.h"

#define PROOF_LEN 32

struct proof {
	uint8_t digest[PROOF_LEN];
};

/* A token is asked for again after this, whatever pool.credential_ttl says. */
#define PROOF_TOKEN_MS 60000

/* What a sign-in can prove to somebody who only relays it. */
enum proof_kind {
	PROOF_PASSWORD, /* for credential_ttl */
	/* For PROOF_TOKEN_MS at most, as it may be revoked, and never beyond its end (imap/jwt.h). */
	PROOF_TOKEN,
	/*
	 * Nothing: SCRAM. Its messages differ each time, and only the server can tell whether the next ones
	 * are true; nothing that another client shows could be compared with what this one has shown.
	 */
	PROOF_NONE,
};

enum proof_kind proof_kind_of(const struct credentials *credentials);

/* Makes the process key. Once, before the first thread starts. Ends the process without randomness. */
void proof_init(void);

/*
 * Digest of: kind, is the client's connection secure (a credential sent in clear answers for nothing else),
 * server name, name at the server, authorization identity, user, password, message. LOGIN and PLAIN prove
 * the same password and share a digest; a token answers for the very message it came in. Any thread
 * after proof_init.
 */
struct proof proof_of(bool is_secure, struct span server, struct span login,
	const struct credentials *credentials);

/*
 * Digest of the password or token alone (with kind, server and login): tells whether two sign-ins of a user,
 * over TLS and in clear or by two names of his, used the same one. Proves nothing by itself.
 */
struct proof proof_of_password(
	struct span server, struct span login, const struct credentials *credentials);

/* The same proof, but only for clients of this address: for those of another it is another one. */
struct proof proof_at(const struct proof *proof, struct span address);

bool proof_equal(const struct proof *a, const struct proof *b);

#endif
