/*
 * What is kept of a password (RFC 5802 section 3): StoredKey lets the server check a client, ServerKey
 * proves the server to him; of neither can the password or the client's own key be made.
 */
#include <assert.h>

#include "auth/scram.h"
#include "imap/base64.h"

/* Decodes base64 of a key; false: not base64, or of another size. */
static bool read_key(struct span text, size_t size, uint8_t *out)
{
	struct secret bytes = {0};
	if (!base64_decode(text, &bytes)) {
		return false;
	}
	bool fits = bytes.len == size;
	if (fits) {
		memcpy(out, bytes.data, size);
	}
	secret_drop(&bytes);
	return fits;
}

static bool read_salt(struct span text, struct scram_keys *keys)
{
	struct secret salt = {0};
	if (!base64_decode(text, &salt)) {
		return false;
	}
	bool fits = salt.len > 0 && salt.len <= sizeof keys->salt;
	if (fits) {
		memcpy(keys->salt, salt.data, salt.len);
		keys->salt_size = salt.len;
	}
	secret_drop(&salt);
	return fits;
}

bool scram_keys_read(enum digest d, struct span text, struct scram_keys *out, const char **why)
{
	struct scram_keys keys = {.digest = d};
	uint64_t iterations;
	if (!span_take_number(&text, &iterations) || !span_take(&text, ',')) {
		*why = "not of the form: iterations,salt,StoredKey,ServerKey";
		return false;
	}
	if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX) {
		*why = "iterations out of bounds: 4096 to 1000000";
		return false;
	}
	keys.iterations = (unsigned)iterations;
	struct span salt = span_take_until(&text, ",");
	bool is_good = span_take(&text, ',');
	struct span stored = span_take_until(&text, ",");
	is_good = is_good && span_take(&text, ',') && read_salt(salt, &keys) &&
		  read_key(stored, digest_size(d), keys.stored_key) &&
		  read_key(text, digest_size(d), keys.server_key);
	if (!is_good) {
		*why = "not of the form: iterations,salt,StoredKey,ServerKey";
		return false;
	}
	*out = keys;
	return true;
}

void scram_keys_derive(struct scram_keys *keys, struct span password)
{
	enum digest d = keys->digest;
	size_t n = digest_size(d);
	uint8_t salted[DIGEST_MAX];
	uint8_t client_key[DIGEST_MAX];
	assert(keys->iterations > 0 && keys->salt_size <= sizeof keys->salt);
	digest_stretch(d, password, span_of(keys->salt, keys->salt_size), keys->iterations, salted);
	digest_hmac(d, span_of(salted, n), span_str("Client Key"), client_key);
	digest_hash(d, span_of(client_key, n), keys->stored_key);
	digest_hmac(d, span_of(salted, n), span_str("Server Key"), keys->server_key);
	secret_wipe(salted, sizeof salted);
	secret_wipe(client_key, sizeof client_key);
}

bool scram_keys_check(const struct scram_keys *keys, struct span password)
{
	struct scram_keys made = *keys;
	size_t n = digest_size(keys->digest);
	scram_keys_derive(&made, password);
	bool is_equal = secret_equal(span_of(made.stored_key, n), span_of(keys->stored_key, n));
	secret_wipe(&made, sizeof made);
	return is_equal;
}
