#include "backend/proof.h"

#include <assert.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/buf.h"

/* The fields are bounded by limits of the dialogue long before this. */
enum { PROOF_INPUT_MAX = 1 << 20 };

enum { PROOF_BLOCK = 64 }; /* of SHA-256 */

/* Both halves of HMAC (RFC 2104) behind their key block. Never used themselves, only copied: to look up the
 * algorithm and to hash the key takes OpenSSL as long as all else that a sign-in from the pool costs. */
static EVP_MD_CTX *inner, *outer;

static EVP_MD_CTX *begin_half(const uint8_t key[PROOF_LEN], uint8_t pad)
{
	uint8_t block[PROOF_BLOCK];
	for (size_t i = 0; i < sizeof block; i++) {
		block[i] = (uint8_t)((i < PROOF_LEN ? key[i] : 0) ^ pad);
	}
	EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_CTX *half = EVP_MD_CTX_new();
	if (half == NULL || EVP_DigestInit_ex(half, sha256, NULL) != 1 ||
		EVP_DigestUpdate(half, block, sizeof block) != 1) {
		abort();
	}
	OPENSSL_cleanse(block, sizeof block);
	EVP_MD_free(sha256);
	return half;
}

void proof_init(void)
{
	uint8_t key[PROOF_LEN];
	/* Without a secret key the digests would be a list of password hashes. */
	if (RAND_priv_bytes(key, sizeof key) != 1) {
		abort();
	}
	EVP_MD_CTX_free(inner);
	EVP_MD_CTX_free(outer);
	inner = begin_half(key, 0x36);
	outer = begin_half(key, 0x5c);
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

static void run_half(EVP_MD_CTX *half, const EVP_MD_CTX *begun, struct span text, uint8_t *out)
{
	unsigned n = 0;
	if (EVP_MD_CTX_copy_ex(half, begun) != 1 || EVP_DigestUpdate(half, text.p, text.n) != 1 ||
		EVP_DigestFinal_ex(half, out, &n) != 1 || n != PROOF_LEN) {
		abort();
	}
}

/* Of what was put into the buffer, which is wiped. */
static struct proof digest(struct buf *in)
{
	struct proof proof;
	EVP_MD_CTX *half = EVP_MD_CTX_new();
	if (half == NULL) {
		abort();
	}
	run_half(half, inner, buf_peek(in), proof.digest);
	run_half(half, outer, span_of(proof.digest, PROOF_LEN), proof.digest);
	EVP_MD_CTX_free(half);
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
	assert(inner != NULL);
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
	assert(inner != NULL);
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
	assert(inner != NULL);
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
