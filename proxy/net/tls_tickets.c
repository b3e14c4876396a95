/*
 * Session tickets: the server's memory of a handshake, sealed and kept by the client.
 *
 * Each key is a name (so that the right one is found), an AES-256-CBC key and an HMAC-SHA-256 key (RFC
 * 5077 section 4). The first key seals, all open; a ticket opened with an older one is renewed. Who
 * steals a key can read recorded TLS 1.2 sessions that used it, hence the short life of random ones.
 */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/span.h"
#include "config/secretfile.h"
#include "tls_context_priv.h"

enum {
	TICKET_KEYS_MAX = 8,     /* in a file: old ones while several proxies change over */
	TICKET_LIFE = 6 * 3600,  /* seconds a ticket is good for; a random key seals as long */
	TICKET_FILE_MAX = 16384, /* a ticket key file is at most this long */
	TICKET_KEY_DIGITS = 160, /* a line of it: 80 bytes in hexadecimal */
};

struct ticket_key {
	uint8_t name[16];
	uint8_t aes[32];
	uint8_t hmac[32];
};

struct ticket_keys {
	pthread_mutex_t lock; /* random keys change while workers use them */
	struct ticket_key keys[TICKET_KEYS_MAX];
	size_t count;
	time_t made; /* of keys[0]; random ones only */
	bool is_random;
};

/* Tickets survive a reload, as long as no file says otherwise. */
static struct ticket_keys process_keys = {.lock = PTHREAD_MUTEX_INITIALIZER, .is_random = true};

static time_t steady_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* Called with the lock held. The key before stays as long as its tickets may live. */
static void renew_random(struct ticket_keys *k)
{
	time_t now = steady_seconds();
	if (!k->is_random || (k->count > 0 && now - k->made < TICKET_LIFE)) {
		return;
	}
	if (k->count > 0) {
		k->keys[1] = k->keys[0];
	}
	if (RAND_bytes((uint8_t *)&k->keys[0], sizeof k->keys[0]) != 1) {
		abort();
	}
	k->count = k->count > 0 ? 2 : 1;
	k->made = now;
}

/* The sealing key, or the one of that name with its index; false: unknown name. */
static bool find_key(
	struct ticket_keys *k, const uint8_t *name, struct ticket_key *out, size_t *index)
{
	bool found = false;
	pthread_mutex_lock(&k->lock);
	renew_random(k);
	for (size_t i = 0; i < k->count && !found; i++) {
		if (name == NULL || memcmp(k->keys[i].name, name, sizeof k->keys[i].name) == 0) {
			*out = k->keys[i];
			*index = i;
			found = true;
		}
	}
	pthread_mutex_unlock(&k->lock);
	return found;
}

static bool set_keys(const struct ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, bool is_sealing)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hmac, sizeof key->hmac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, is_sealing) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: 1 go on, 2 open and renew, 0 no such key (full handshake), -1 failure. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_sealing)
{
	struct ticket_keys *k = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	size_t index = 0;
	if (!find_key(k, is_sealing ? NULL : name, &key, &index)) {
		return 0;
	}
	if (is_sealing) {
		memcpy(name, key.name, sizeof key.name);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) {
			return -1;
		}
	}
	bool ok = set_keys(&key, iv, cipher, mac, is_sealing != 0);
	OPENSSL_cleanse(&key, sizeof key);
	if (!ok) {
		return -1;
	}
	/* 2: the client gets a new one. With TLS 1.3 always: he uses each but once (RFC 8446 C.4). */
	return !is_sealing && (index > 0 || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(struct span line, struct ticket_key *out)
{
	struct ticket_key key;
	uint8_t *to = (uint8_t *)&key;
	static_assert(sizeof key * 2 == TICKET_KEY_DIGITS, "no padding between the parts");
	if (line.n != TICKET_KEY_DIGITS) {
		return false;
	}
	for (size_t i = 0; i < sizeof key; i++) {
		int high = hex_digit(line.p[2 * i]);
		int low = hex_digit(line.p[2 * i + 1]);
		if (high < 0 || low < 0) {
			return false;
		}
		to[i] = (uint8_t)(high << 4 | low);
	}
	*out = key;
	OPENSSL_cleanse(&key, sizeof key);
	return true;
}

/* One key a line; blank lines and lines beginning with "#" count for nothing. NULL or an error. */
static const char *parse_keys(struct span text, struct ticket_keys *k)
{
	while (text.n > 0) {
		struct span line = span_take_until(&text, "\r\n");
		if (text.n > 0) {
			text = span_slice(text, 1, text.n);
		}
		if (line.n == 0 || line.p[0] == '#') {
			continue;
		}
		if (k->count == TICKET_KEYS_MAX) {
			return "more than 8 keys";
		}
		if (!parse_key(line, &k->keys[k->count])) {
			return "a line is not a key (160 hexadecimal digits: openssl rand -hex 80)";
		}
		k->count++;
	}
	return k->count > 0 ? NULL : "holds no key";
}

static const char *load_keys(const char *file, struct ticket_keys *k)
{
	struct secret text = {0};
	const char *why = secretfile_read(
		file, TICKET_FILE_MAX + 1, "ticket key file can be read by others", &text);
	if (why == NULL) {
		why = text.len <= TICKET_FILE_MAX ? parse_keys(secret_span(&text), k)
						  : "is too long";
	}
	secret_drop(&text);
	return why;
}

struct ticket_keys *ticket_keys_create(
	struct config_place place, const char *file, struct config_errors *errors)
{
	if (file[0] == '\0') {
		return &process_keys;
	}
	struct ticket_keys *k = xcalloc(1, sizeof *k);
	pthread_mutex_init(&k->lock, NULL);
	const char *why = load_keys(file, k);
	if (why != NULL) {
		config_errors_add(errors, place, "tls.ticket_key_file", "%s: %s", file, why);
		ticket_keys_destroy(&k);
	}
	return k;
}

void ticket_keys_destroy(struct ticket_keys **k)
{
	struct ticket_keys *old = *k;
	*k = NULL;
	if (old == NULL || old == &process_keys) {
		return;
	}
	pthread_mutex_destroy(&old->lock);
	OPENSSL_cleanse(old, sizeof *old);
	free(old);
}

void ticket_keys_use(struct ticket_keys *k, SSL_CTX *ssl)
{
	/* One ticket for each full handshake instead of two: sealing is paid by every sign-in, and a
	 * resumed session is given a new one anyway. */
	SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_timeout(ssl, TICKET_LIFE);
	SSL_CTX_set_app_data(ssl, k);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}
