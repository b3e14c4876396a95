/*
 * HMAC-SHA-256 (RFC 2104, RFC 4231) with the key hashed in advance. Only for proof.c, and for the test that
 * compares it with the RFC's vectors. Pure; any thread.
 */
#ifndef IMAPMUX_BACKEND_PROOF_PRIV_H
#define IMAPMUX_BACKEND_PROOF_PRIV_H

#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED /* proof.c says why */
#endif
#include <openssl/sha.h>

#include "backend/proof.h"

/* Both halves, begun with the key: copied for each digest. */
struct proof_key {
	SHA256_CTX inner, outer;
};

/* A shorter key is one with zeros behind it (RFC 2104 section 2). */
void proof_key_init(struct proof_key *k, const uint8_t key[PROOF_LEN]);

struct proof proof_digest(const struct proof_key *k, struct span text);

#endif
