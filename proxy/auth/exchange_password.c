/*
 * LOGIN and PLAIN: the client sends the password itself, and whatever form the file keeps can judge it.
 */
#include <assert.h>

#include "auth/crypt.h"
#include "exchange_priv.h"

/* What was made to be checked slowly goes first; a user who has it has the others for those who do not
 * send their password. */
static const enum scheme order[] = {
	SCHEME_CRYPT, SCHEME_SCRAM_SHA_256, SCHEME_SCRAM_SHA_1, SCHEME_PLAIN, SCHEME_CRAM_MD5};

static enum auth_verdict begin(
	struct auth *a, const struct credentials *credentials, const struct auth_facts *facts)
{
	struct span user = secret_span(&credentials->user);
	if (!auth_look_up(a, user, order, sizeof order / sizeof order[0])) {
		/* Whether the name is in the file shows in who judges, and a server's time is not ours:
		 * the delay of refusals covers both. */
		return facts->can_relay ? AUTH_PASS : auth_no(a, "unknown user");
	}
	if (!auth_is_himself(secret_span(&credentials->authzid), user)) {
		return auth_no(a, "wants to be somebody else");
	}
	secret_set(&a->password, secret_span(&credentials->password));
	return AUTH_WAIT;
}

/* As bytes of one length, so that the time tells nothing of the password's. */
static bool is_same_text(struct span a, struct span b)
{
	uint8_t x[DIGEST_MAX];
	uint8_t y[DIGEST_MAX];
	digest_hash(DIGEST_SHA_256, a, x);
	digest_hash(DIGEST_SHA_256, b, y);
	bool is_equal = secret_equal(span_of(x, sizeof x), span_of(y, sizeof y));
	secret_wipe(x, sizeof x);
	secret_wipe(y, sizeof y);
	return is_equal;
}

static bool is_scram_password(enum digest d, struct span value, struct span password)
{
	struct scram_keys keys;
	const char *why;
	bool is_equal = scram_keys_read(d, value, &keys, &why) && scram_keys_check(&keys, password);
	secret_wipe(&keys, sizeof keys);
	return is_equal;
}

static bool is_cram_password(struct span value, struct span password)
{
	struct cram_key key;
	bool is_equal = cram_key_read(value, &key) && cram_key_check(&key, password);
	secret_wipe(&key, sizeof key);
	return is_equal;
}

static bool is_password(enum scheme scheme, struct span value, struct span password)
{
	switch (scheme) {
	case SCHEME_CRYPT:
		return crypt_check(value, password);
	case SCHEME_PLAIN:
		return is_same_text(value, password);
	case SCHEME_CRAM_MD5:
		return is_cram_password(value, password);
	case SCHEME_SCRAM_SHA_1:
		return is_scram_password(DIGEST_SHA_1, value, password);
	case SCHEME_SCRAM_SHA_256:
		return is_scram_password(DIGEST_SHA_256, value, password);
	case SCHEME_COUNT:
		break;
	}
	assert(!"no scheme");
	return false;
}

static void work(struct auth *a)
{
	a->is_equal = is_password(a->scheme, secret_span(&a->value), secret_span(&a->password));
}

static enum auth_verdict worked(struct auth *a)
{
	secret_drop(&a->password);
	return a->is_equal ? AUTH_OK : auth_no(a, "wrong password");
}

const struct auth_mechanism auth_password = {begin, NULL, work, worked};
