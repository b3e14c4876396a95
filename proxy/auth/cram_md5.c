/*
 * HMAC-MD5 from its middle: only the low-level MD5 of OpenSSL lets a state be set, and for a digest of the
 * eighties no provider will ever do.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/cram_md5.h"

#include <assert.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum { MD5_STATE_BYTES = 16, MD5_DIGITS = 32, KEY_DIGITS = 64 };

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of two lower-case digits; -1: not that. */
static int byte_of(const uint8_t *digits)
{
	int high = digit_of(digits[0]);
	int low = digit_of(digits[1]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool cram_key_read(struct span text, struct cram_key *out)
{
	uint32_t words[8] = {0};
	if (text.n != KEY_DIGITS) {
		return false;
	}
	for (size_t i = 0; i < KEY_DIGITS / 2; i++) {
		int byte = byte_of(text.p + 2 * i);
		if (byte < 0) {
			return false;
		}
		/* Little endian, the outer state first: as Dovecot writes it. */
		words[i / 4] |= (uint32_t)byte << (8 * (i % 4));
	}
	memcpy(out->outer, words, sizeof out->outer);
	memcpy(out->inner, words + 4, sizeof out->inner);
	secret_wipe(words, sizeof words);
	return true;
}

static void get_state(const MD5_CTX *md5, uint32_t state[4])
{
	state[0] = md5->A;
	state[1] = md5->B;
	state[2] = md5->C;
	state[3] = md5->D;
}

/* As if one block, the padded key, had been hashed. */
static void set_state(MD5_CTX *md5, const uint32_t state[4])
{
	MD5_Init(md5);
	md5->A = state[0];
	md5->B = state[1];
	md5->C = state[2];
	md5->D = state[3];
	md5->Nl = MD5_CBLOCK * 8;
}

static void pad_state(const uint8_t key[MD5_CBLOCK], uint8_t pad, uint32_t state[4])
{
	uint8_t block[MD5_CBLOCK];
	MD5_CTX md5;
	for (size_t i = 0; i < sizeof block; i++) {
		block[i] = key[i] ^ pad;
	}
	MD5_Init(&md5);
	MD5_Update(&md5, block, sizeof block);
	get_state(&md5, state);
	secret_wipe(block, sizeof block);
	secret_wipe(&md5, sizeof md5);
}

void cram_key_derive(struct span password, struct cram_key *out)
{
	uint8_t key[MD5_CBLOCK] = {0};
	/* RFC 2104: a key longer than a block is its digest. */
	if (password.n > sizeof key) {
		MD5(password.p, password.n, key);
	} else if (password.n > 0) {
		memcpy(key, password.p, password.n);
	}
	pad_state(key, 0x5c, out->outer);
	pad_state(key, 0x36, out->inner);
	secret_wipe(key, sizeof key);
}

bool cram_key_check(const struct cram_key *key, struct span password)
{
	struct cram_key made;
	cram_key_derive(password, &made);
	bool is_equal = secret_equal(span_of(key, sizeof *key), span_of(&made, sizeof made));
	secret_wipe(&made, sizeof made);
	return is_equal;
}

struct span cram_challenge(char *room)
{
	uint64_t random[2];
	if (RAND_bytes((uint8_t *)random, sizeof random) != 1) {
		abort();
	}
	int n = snprintf(room, CRAM_CHALLENGE_MAX, "<%016llx%016llx@imapmux>",
		(unsigned long long)random[0], (unsigned long long)random[1]);
	assert(n > 0 && n < CRAM_CHALLENGE_MAX);
	return span_of(room, (size_t)n);
}

bool cram_answer_read(struct span answer, struct span *user, struct span *digest)
{
	if (answer.n < MD5_DIGITS + 2 || answer.p[answer.n - MD5_DIGITS - 1] != ' ') {
		return false;
	}
	struct span name = span_slice(answer, 0, answer.n - MD5_DIGITS - 1);
	struct span digits = span_slice(answer, name.n + 1, answer.n);
	for (size_t i = 0; i < digits.n; i++) {
		if (digit_of(digits.p[i]) < 0) {
			return false;
		}
	}
	if (span_find(name, '\0') < name.n) {
		return false;
	}
	*user = name;
	*digest = digits;
	return true;
}

bool cram_answer_check(const struct cram_key *key, struct span challenge, struct span digest)
{
	uint8_t made[MD5_STATE_BYTES];
	uint8_t given[MD5_STATE_BYTES];
	MD5_CTX md5;
	if (digest.n != MD5_DIGITS) {
		return false;
	}
	set_state(&md5, key->inner);
	MD5_Update(&md5, challenge.p, challenge.n);
	MD5_Final(made, &md5);
	set_state(&md5, key->outer);
	MD5_Update(&md5, made, sizeof made);
	MD5_Final(made, &md5);
	for (size_t i = 0; i < sizeof given; i++) {
		int byte = byte_of(digest.p + 2 * i);
		if (byte < 0) {
			return false;
		}
		given[i] = (uint8_t)byte;
	}
	bool is_equal = secret_equal(span_of(made, sizeof made), span_of(given, sizeof given));
	secret_wipe(&md5, sizeof md5);
	secret_wipe(made, sizeof made);
	return is_equal;
}
