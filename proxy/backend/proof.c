/*
 * The low-level functions of SHA-256 are deprecated in favour of EVP, which looks up the algorithm, allocates
 * and frees for each digest: in a sign-in from the pool, that is more work than all the rest of it.
 */
#include "proof_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/buf.h"

/* The fields are bounded by limits of the dialogue long before this. */
enum { PROOF_INPUT_MAX = 1 << 20 };

static struct proof_key process_key;

static void begin_half(SHA256_CTX *half, const uint8_t key[PROOF_LEN], uint8_t pad)
{
	uint8_t block[SHA256_CBLOCK];
	for (size_t i = 0; i < sizeof block; i++) {
		block[i] = (uint8_t)((i < PROOF_LEN ? key[i] : 0) ^ pad);
	}
	SHA256_Init(half);
	SHA256_Update(half, block, sizeof block);
	OPENSSL_cleanse(block, sizeof block);
}

void proof_key_init(struct proof_key *k, const uint8_t key[PROOF_LEN])
{
	begin_half(&k->inner, key, 0x36);
	begin_half(&k->outer, key, 0x5c);
}

struct proof proof_digest(const struct proof_key *k, struct span text)
{
	struct proof proof;
	SHA256_CTX half = k->inner;
	SHA256_Update(&half, text.p, text.n);
	SHA256_Final(proof.digest, &half);
	half = k->outer;
	SHA256_Update(&half, proof.digest, sizeof proof.digest);
	SHA256_Final(proof.digest, &half);
	OPENSSL_cleanse(&half, sizeof half);
	return proof;
}

void proof_init(void)
{
	uint8_t key[PROOF_LEN];
	/* Without a secret key the digests would be a list of password hashes. */
	if (RAND_priv_bytes(key, sizeof key) != 1) {
		abort();
	}
	proof_key_init(&process_key, key);
	OPENSSL_cleanse(key, sizeof key);
}

static void add_field(struct buf *in, struct span field)
{
	uint64_t n = field.n;
	bool fits = buf_add(in, span_of(&n, sizeof n)) && buf_add(in, field);
	/* A field left out would make two credentials equal. */
	if (!fits) {
		abort();
	}
}

/* Of what was put into the buffer, which is wiped. */
static struct proof digest(struct buf *in)
{
	struct proof proof = proof_digest(&process_key, buf_peek(in));
	buf_finish(in);
	return proof;
}

enum proof_kind proof_kind_of(const struct credentials *credentials)
{
	unsigned bit = MECHANISM_BIT(credentials->mechanism);
	if ((bit & MECHANISMS_TOKEN) != 0) {
		return PROOF_TOKEN;
	}
	return (bit & MECHANISMS_PASSWORD) != 0 ? PROOF_PASSWORD : PROOF_NONE;
}

static void add_kind(struct buf *in, const struct credentials *credentials)
{
	static const char *const names[] = {
		[PROOF_PASSWORD] = "password", [PROOF_TOKEN] = "token", [PROOF_NONE] = "none"};
	add_field(in, span_str(names[proof_kind_of(credentials)]));
}

struct proof proof_of(bool is_secure, struct span server, struct span login,
	const struct credentials *credentials)
{
	struct buf in;
	buf_init(&in, PROOF_INPUT_MAX);
	add_kind(&in, credentials);
	add_field(&in, span_str(is_secure ? "secure" : "clear"));
	add_field(&in, server);
	add_field(&in, login);
	add_field(&in, secret_span(&credentials->authzid));
	add_field(&in, secret_span(&credentials->user));
	add_field(&in, secret_span(&credentials->password));
	add_field(&in, secret_span(&credentials->message));
	return digest(&in);
}

struct proof proof_of_password(
	struct span server, struct span login, const struct credentials *credentials)
{
	struct buf in;
	buf_init(&in, PROOF_INPUT_MAX);
	add_kind(&in, credentials);
	add_field(&in, server);
	add_field(&in, login);
	add_field(&in, secret_span(&credentials->password));
	return digest(&in);
}

struct proof proof_at(const struct proof *proof, struct span address)
{
	struct buf in;
	buf_init(&in, PROOF_INPUT_MAX);
	add_field(&in, span_str("address"));
	add_field(&in, span_of(proof->digest, sizeof proof->digest));
	add_field(&in, address);
	return digest(&in);
}

bool proof_equal(const struct proof *a, const struct proof *b)
{
	return CRYPTO_memcmp(a->digest, b->digest, PROOF_LEN) == 0;
}
