/*
 * The exchange keeps the text of AuthMessage as it grows: client-first-bare "," server-first "," and, when
 * it has come, client-final-without-proof. What is signed is what went over the line, byte for byte.
 */
#include "auth/scram.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "imap/base64.h"

/* Both messages of the client, ours between them. */
enum { AUTH_MESSAGE_MAX = 4 * SCRAM_MESSAGE_MAX, RANDOM_NONCE = 18 };

struct scram {
	struct scram_keys keys;
	struct buf message;            /* AuthMessage */
	size_t first_begin, first_end; /* our first message within it */
	struct buf nonce;              /* both halves */
	struct buf header;             /* in base64, as the client has to repeat it */
	struct buf final;
	bool is_finished;
};

/* The first message. */

static bool no(const char **why, const char *what)
{
	*why = what;
	return false;
}

/* saslname: "=2C" and "=3D" stand for a comma and an equals sign; any other "=" is an error. */
static bool unquote_name(struct span text, struct secret *out)
{
	uint8_t *name = xmalloc(text.n);
	size_t n = 0;
	bool is_good = true;
	while (text.n > 0 && is_good) {
		if (text.p[0] != '=') {
			is_good = text.p[0] != '\0';
			name[n++] = text.p[0];
			text = span_slice(text, 1, text.n);
		} else if (span_take_nocase(&text, "=2C")) {
			name[n++] = ',';
		} else if (span_take_nocase(&text, "=3D")) {
			name[n++] = '=';
		} else {
			is_good = false;
		}
	}
	if (is_good) {
		secret_set(out, span_of(name, n));
	}
	secret_wipe(name, n);
	free(name);
	return is_good;
}

/* Takes "x=value" up to the next comma (and that), which is what every attribute looks like. */
static bool take_attribute(struct span *rest, char letter, struct span *value)
{
	struct span s = *rest;
	if (!span_take(&s, (uint8_t)letter) || !span_take(&s, '=')) {
		return false;
	}
	*value = span_take_until(&s, ",");
	(void)span_take(&s, ',');
	*rest = s;
	return true;
}

static bool is_nonce(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',') {
			return false;
		}
	}
	return s.n > 0 && s.n <= SCRAM_NONCE_MAX;
}

/* gs2-header: "n,", "y," or "p=...,", then "a=authzid" or nothing, then a comma. */
static bool read_header(struct span *rest, struct secret *authzid, const char **why)
{
	struct span name;
	if (span_take(rest, 'p')) {
		return no(why, "wants channel binding, which is not offered");
	}
	if ((!span_take(rest, 'n') && !span_take(rest, 'y')) || !span_take(rest, ',')) {
		return no(why, "no GS2 header");
	}
	if (take_attribute(rest, 'a', &name)) {
		if (name.n == 0 || !unquote_name(name, authzid)) {
			return no(why, "malformed authorization identity");
		}
		/* Its comma is taken; without one nothing is left, and the next step finds out. */
		return true;
	}
	return span_take(rest, ',') || no(why, "no GS2 header");
}

static bool read_bare(struct span rest, struct scram_first *f, const char **why)
{
	struct span name;
	f->bare = rest;
	if (rest.n > 0 && rest.p[0] == 'm') {
		return no(why, "a mandatory extension that nobody knows");
	}
	if (!take_attribute(&rest, 'n', &name) || name.n == 0 || !unquote_name(name, &f->user)) {
		return no(why, "malformed user name");
	}
	if (!take_attribute(&rest, 'r', &f->nonce) || !is_nonce(f->nonce)) {
		return no(why, "malformed nonce");
	}
	return true;
}

bool scram_first_read(struct span message, struct scram_first *out, const char **why)
{
	struct scram_first f = {0};
	struct span rest = message;
	bool is_good = message.n <= SCRAM_MESSAGE_MAX || no(why, "too long");
	is_good = is_good && read_header(&rest, &f.authzid, why) && read_bare(rest, &f, why);
	if (!is_good) {
		scram_first_drop(&f);
		return false;
	}
	f.header = span_slice(message, 0, message.n - rest.n);
	*out = f;
	return true;
}

void scram_first_drop(struct scram_first *f)
{
	secret_drop(&f->authzid);
	secret_drop(&f->user);
	*f = (struct scram_first){0};
}

/* The exchange. */

static void add(struct buf *b, struct span s)
{
	bool fits = buf_add(b, s);
	assert(fits); /* every part is bounded where it was read */
	(void)fits;
}

static void add_base64(struct buf *b, struct span s)
{
	bool fits = base64_encode(b, s);
	assert(fits);
	(void)fits;
}

static void make_nonce(struct scram *s, struct span client, struct span server)
{
	add(&s->nonce, client);
	if (server.n > 0) {
		add(&s->nonce, server);
		return;
	}
	uint8_t random[RANDOM_NONCE];
	if (RAND_bytes(random, sizeof random) != 1) {
		abort();
	}
	add_base64(&s->nonce, span_of(random, sizeof random));
}

struct scram *scram_create(
	const struct scram_first *first, const struct scram_keys *keys, struct span nonce)
{
	struct scram *s = xcalloc(1, sizeof *s);
	char digits[sizeof ",i=" + 10];
	s->keys = *keys;
	buf_init(&s->message, AUTH_MESSAGE_MAX);
	buf_init(&s->nonce, AUTH_MESSAGE_MAX);
	buf_init(&s->header, AUTH_MESSAGE_MAX);
	buf_init(&s->final, AUTH_MESSAGE_MAX);
	make_nonce(s, first->nonce, nonce);
	add_base64(&s->header, first->header);
	add(&s->message, first->bare);
	add(&s->message, span_str(","));
	s->first_begin = buf_len(&s->message);
	add(&s->message, span_str("r="));
	add(&s->message, buf_peek(&s->nonce));
	add(&s->message, span_str(",s="));
	add_base64(&s->message, span_of(keys->salt, keys->salt_size));
	int n = snprintf(digits, sizeof digits, ",i=%u", keys->iterations);
	add(&s->message, span_of(digits, (size_t)n));
	s->first_end = buf_len(&s->message);
	return s;
}

void scram_destroy(struct scram **s)
{
	struct scram *gone = *s;
	*s = NULL;
	if (gone != NULL) {
		buf_finish(&gone->message);
		buf_finish(&gone->nonce);
		buf_finish(&gone->header);
		buf_finish(&gone->final);
		secret_wipe(gone, sizeof *gone);
		free(gone);
	}
}

struct span scram_server_first(const struct scram *s)
{
	return span_slice(buf_peek(&s->message), s->first_begin, s->first_end);
}

/* Takes the proof off the end: it is the last attribute (RFC 5802 section 7). */
static bool take_proof(struct span *message, struct secret *proof)
{
	static const char mark[] = ",p=";
	size_t length = sizeof mark - 1;
	for (size_t i = message->n; i-- > 0;) {
		struct span tail = span_slice(*message, i, message->n);
		if (tail.n >= length && span_is(span_slice(tail, 0, length), mark)) {
			*message = span_slice(*message, 0, i);
			return base64_decode(span_slice(tail, length, tail.n), proof);
		}
	}
	return false;
}

/* "c=header,r=nonce", perhaps with extensions behind, which are signed like the rest. */
static bool continues(const struct scram *s, struct span without_proof)
{
	struct span header, nonce;
	return take_attribute(&without_proof, 'c', &header) &&
	       span_equal(header, buf_peek(&s->header)) &&
	       take_attribute(&without_proof, 'r', &nonce) &&
	       span_equal(nonce, buf_peek(&s->nonce));
}

/* Whether the proof holds the key whose hash is kept: all in one time. */
static bool is_proof(const struct scram *s, struct span proof)
{
	enum digest d = s->keys.digest;
	size_t n = digest_size(d);
	uint8_t key[DIGEST_MAX];
	uint8_t made[DIGEST_MAX];
	assert(proof.n == n);
	digest_hmac(d, span_of(s->keys.stored_key, n), buf_peek(&s->message), key);
	for (size_t i = 0; i < n; i++) {
		key[i] ^= proof.p[i];
	}
	digest_hash(d, span_of(key, n), made);
	bool is_good = secret_equal(span_of(made, n), span_of(s->keys.stored_key, n));
	secret_wipe(key, sizeof key);
	return is_good;
}

static void write_final(struct scram *s)
{
	uint8_t signature[DIGEST_MAX];
	size_t n = digest_size(s->keys.digest);
	digest_hmac(
		s->keys.digest, span_of(s->keys.server_key, n), buf_peek(&s->message), signature);
	add(&s->final, span_str("v="));
	add_base64(&s->final, span_of(signature, n));
}

enum scram_verdict scram_finish(struct scram *s, struct span message)
{
	struct secret proof = {0};
	enum scram_verdict verdict = SCRAM_MALFORMED;
	assert(!s->is_finished);
	s->is_finished = true;
	if (message.n <= SCRAM_MESSAGE_MAX && take_proof(&message, &proof) &&
		continues(s, message) && proof.len == digest_size(s->keys.digest)) {
		add(&s->message, span_str(","));
		add(&s->message, message);
		verdict = is_proof(s, secret_span(&proof)) ? SCRAM_GOOD : SCRAM_WRONG;
	}
	if (verdict == SCRAM_GOOD) {
		write_final(s);
	}
	secret_drop(&proof);
	return verdict;
}

struct span scram_server_final(const struct scram *s)
{
	assert(buf_len(&s->final) > 0);
	return buf_peek(&s->final);
}
