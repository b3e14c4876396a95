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

/* Makes the process key. Once, before the first thread starts. Ends the process without randomness. */
void proof_init(void);

/*
 * Digest of: is the client's connection secure (a credential sent in clear answers for nothing else),
 * server name, name at the server, authorization identity, user, password. LOGIN and PLAIN prove the
 * same password and share a digest. Any thread after proof_init.
 */
struct proof proof_of(bool is_secure, struct span server, struct span login,
	const struct credentials *credentials);

/*
 * Digest of the password alone (with server and login): tells whether two sign-ins of a user, over TLS and
 * in clear or by two names of his, used the same one. Proves nothing by itself.
 */
struct proof proof_of_password(
	struct span server, struct span login, const struct credentials *credentials);

bool proof_equal(const struct proof *a, const struct proof *b);

#endif
