#include "auth/digest.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const char *const names[DIGEST_COUNT] = {
	[DIGEST_SHA_1] = "SHA1", [DIGEST_SHA_256] = "SHA256"};

/* OpenSSL takes a NULL key for "the key of before". */
static const uint8_t *bytes_of(struct span s)
{
	static const uint8_t nothing[1];
	return s.n > 0 ? s.p : nothing;
}

size_t digest_size(enum digest d)
{
	assert(d < DIGEST_COUNT);
	return d == DIGEST_SHA_1 ? 20 : 32;
}

void digest_hash(enum digest d, struct span in, uint8_t *out)
{
	size_t n = 0;
	assert(d < DIGEST_COUNT);
	if (EVP_Q_digest(NULL, names[d], NULL, bytes_of(in), in.n, out, &n) != 1 ||
		n != digest_size(d)) {
		abort();
	}
}

void digest_hmac(enum digest d, struct span key, struct span in, uint8_t *out)
{
	size_t n = 0;
	assert(d < DIGEST_COUNT);
	if (EVP_Q_mac(NULL, "HMAC", NULL, names[d], NULL, bytes_of(key), key.n, bytes_of(in), in.n,
		    out, DIGEST_MAX, &n) == NULL ||
		n != digest_size(d)) {
		abort();
	}
}

void digest_stretch(
	enum digest d, struct span password, struct span salt, unsigned iterations, uint8_t *out)
{
	assert(d < DIGEST_COUNT && iterations > 0 && iterations <= INT_MAX);
	assert(password.n <= INT_MAX && salt.n <= INT_MAX);
	const EVP_MD *md = d == DIGEST_SHA_1 ? EVP_sha1() : EVP_sha256();
	if (PKCS5_PBKDF2_HMAC((const char *)bytes_of(password), (int)password.n, bytes_of(salt),
		    (int)salt.n, (int)iterations, md, (int)digest_size(d), out) != 1) {
		abort();
	}
}
