#include "backend/proof.h"

#include <assert.h>
#include <stdlib.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/buf.h"

/* The fields are bounded by limits of the dialogue long before this. */
enum { PROOF_INPUT_MAX = 1 << 20 };

/* Never used itself, only copied: to look up the algorithm and to hash the key takes OpenSSL as long as
 * all else that a sign-in from the pool costs. */
static EVP_MAC_CTX *keyed;

void proof_init(void)
{
	uint8_t key[PROOF_LEN];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX_free(keyed);
	keyed = EVP_MAC_CTX_new(hmac);
	/* Without a secret key the digests would be a list of password hashes. */
	if (keyed == NULL || RAND_priv_bytes(key, sizeof key) != 1 ||
		EVP_MAC_init(keyed, key, sizeof key, params) != 1) {
		abort();
	}
	OPENSSL_cleanse(key, sizeof key);
	EVP_MAC_free(hmac);
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
	struct proof proof;
	size_t n = 0;
	struct span text = buf_peek(in);
	EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(keyed);
	if (mac == NULL || EVP_MAC_update(mac, text.p, text.n) != 1 ||
		EVP_MAC_final(mac, proof.digest, &n, sizeof proof.digest) != 1 || n != PROOF_LEN) {
		abort();
	}
	EVP_MAC_CTX_free(mac);
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
	assert(keyed != NULL);
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
	assert(keyed != NULL);
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
	assert(keyed != NULL);
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
