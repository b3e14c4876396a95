/*
 * CRAM-MD5: the server speaks first, and learns the name from the answer; so no server can be asked.
 */
#include <assert.h>

#include "exchange_priv.h"

static const enum scheme wanted[] = {SCHEME_CRAM_MD5, SCHEME_PLAIN};

static enum auth_verdict begin(
	struct auth *a, const struct credentials *credentials, const struct auth_facts *facts)
{
	(void)credentials, (void)facts;
	a->cram_text = cram_challenge(a->cram_room);
	return auth_ask(a, a->cram_text);
}

/* A stranger's key is made as if it were his password's, so that it takes as long. */
static void find_key(struct auth *a, struct span user, struct cram_key *key)
{
	bool is_found = auth_look_up(a, user, wanted, sizeof wanted / sizeof wanted[0]);
	cram_key_derive(is_found && a->scheme == SCHEME_PLAIN ? secret_span(&a->value) : user, key);
	if (is_found && a->scheme == SCHEME_CRAM_MD5) {
		bool is_good = cram_key_read(secret_span(&a->value), key);
		assert(is_good); /* passfile has checked it */
		(void)is_good;
	}
}

static enum auth_verdict respond(struct auth *a, struct span message)
{
	struct span user, digest;
	struct cram_key key;
	if (!cram_answer_read(message, &user, &digest)) {
		return auth_no(a, "malformed answer");
	}
	find_key(a, user, &key);
	bool is_good = cram_answer_check(&key, a->cram_text, digest);
	secret_wipe(&key, sizeof key);
	if (!a->is_known) {
		return auth_no(a, "unknown user");
	}
	return is_good ? AUTH_OK : auth_no(a, "wrong password");
}

const struct auth_mechanism auth_cram_md5 = {begin, respond, NULL, NULL};
