#include "exchange_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "imap/base64.h"

static const struct auth_mechanism *const mechanisms[MECHANISM_COUNT] = {
	[MECHANISM_LOGIN_COMMAND] = &auth_password,
	[MECHANISM_PLAIN] = &auth_password,
	[MECHANISM_LOGIN] = &auth_password,
	[MECHANISM_SCRAM_SHA_1] = &auth_scram,
	[MECHANISM_SCRAM_SHA_256] = &auth_scram,
	[MECHANISM_EXTERNAL] = &auth_external,
	[MECHANISM_CRAM_MD5] = &auth_cram_md5,
#ifdef IMAPMUX_GSSAPI
	[MECHANISM_GSSAPI] = &auth_gssapi,
#endif
};

bool auth_can_judge(const struct auth_store *store, enum mechanism m)
{
	unsigned schemes = store->users != NULL ? passtable_all_schemes(store->users) : 0;
	switch (m) {
	case MECHANISM_LOGIN_COMMAND:
	case MECHANISM_PLAIN:
	case MECHANISM_LOGIN:
		return schemes != 0;
	case MECHANISM_SCRAM_SHA_1:
		return (schemes & (SCHEME_BIT(SCHEME_PLAIN) | SCHEME_BIT(SCHEME_SCRAM_SHA_1))) != 0;
	case MECHANISM_SCRAM_SHA_256:
		return (schemes & (SCHEME_BIT(SCHEME_PLAIN) | SCHEME_BIT(SCHEME_SCRAM_SHA_256))) !=
		       0;
	case MECHANISM_CRAM_MD5:
		return (schemes & (SCHEME_BIT(SCHEME_PLAIN) | SCHEME_BIT(SCHEME_CRAM_MD5))) != 0;
	case MECHANISM_EXTERNAL:
		return true;
	case MECHANISM_GSSAPI:
		return store->gss != NULL;
	default:
		return false;
	}
}

/*
 * What a server would not take either is judged here: it is a no, and the no looks like any other. And so is
 * whoever names a user of the file, also where it has nothing for this mechanism: what the server has for
 * him counts no more.
 */
static bool is_ours(
	const struct auth_store *store, enum mechanism m, const struct auth_facts *facts)
{
	bool may_be_in_file = store->users != NULL &&
			      (MECHANISM_BIT(m) & (MECHANISMS_PASSWORD | MECHANISMS_SCRAM)) != 0;
	return mechanisms[m] != NULL &&
	       (may_be_in_file || auth_can_judge(store, m) || !facts->can_relay);
}

enum auth_verdict auth_begin(struct auth_store *store, const struct credentials *credentials,
	const struct auth_facts *facts, struct auth **out)
{
	assert(credentials->mechanism < MECHANISM_COUNT && !credentials->is_verified);
	if (!is_ours(store, credentials->mechanism, facts)) {
		return AUTH_PASS;
	}
	struct auth *a = xcalloc(1, sizeof *a);
	a->store = auth_store_ref(store);
	a->number = credentials->mechanism;
	a->mechanism = mechanisms[a->number];
	buf_init(&a->challenge, SASL_LINE_MAX);
	buf_init(&a->token, GSS_TOKEN_MAX);
	a->verdict = a->mechanism->begin(a, credentials, facts);
	if (a->verdict == AUTH_PASS) {
		auth_destroy(&a);
		return AUTH_PASS;
	}
	*out = a;
	return a->verdict;
}

void auth_destroy(struct auth **a)
{
	struct auth *gone = *a;
	*a = NULL;
	if (gone == NULL) {
		return;
	}
	buf_finish(&gone->challenge);
	buf_finish(&gone->token);
	secret_drop(&gone->identity);
	secret_drop(&gone->value);
	secret_drop(&gone->password);
	scram_first_drop(&gone->first);
	secret_drop(&gone->message);
	scram_destroy(&gone->scram);
#ifdef IMAPMUX_GSSAPI
	gss_exchange_destroy(&gone->gss);
#endif
	auth_store_unref(&gone->store);
	secret_wipe(gone, sizeof *gone);
	free(gone);
}

struct span auth_challenge(const struct auth *a)
{
	assert(a->verdict == AUTH_MORE);
	return buf_peek(&a->challenge);
}

enum auth_verdict auth_respond(struct auth *a, struct span line)
{
	struct secret message = {0};
	assert(a->verdict == AUTH_MORE && a->mechanism->respond != NULL);
	if (base64_decode(line, &message)) {
		a->verdict = a->mechanism->respond(a, secret_span(&message));
	} else {
		a->verdict = auth_no(a, "not base64");
	}
	secret_drop(&message);
	assert(a->verdict != AUTH_PASS);
	return a->verdict;
}

void auth_work(struct auth *a)
{
	assert(a->verdict == AUTH_WAIT && a->mechanism->work != NULL);
	a->mechanism->work(a);
}

enum auth_verdict auth_worked(struct auth *a)
{
	assert(a->verdict == AUTH_WAIT);
	a->verdict = a->mechanism->worked(a);
	assert(a->verdict != AUTH_PASS);
	return a->verdict;
}

struct span auth_identity(const struct auth *a)
{
	assert(a->verdict == AUTH_OK && a->identity.len > 0);
	return secret_span(&a->identity);
}

struct span auth_user(const struct auth *a)
{
	return secret_span(&a->identity);
}

const char *auth_reason(const struct auth *a)
{
	assert(a->verdict == AUTH_NO && a->reason != NULL);
	return a->reason;
}

enum auth_verdict auth_no(struct auth *a, const char *reason)
{
	a->reason = reason;
	return AUTH_NO;
}

enum auth_verdict auth_ask(struct auth *a, struct span message)
{
	buf_clear(&a->challenge);
	return base64_encode(&a->challenge, message) ? AUTH_MORE : auth_no(a, "token too large");
}

bool auth_is_himself(struct span authzid, struct span user)
{
	return authzid.n == 0 || span_equal_nocase(authzid, user);
}

bool auth_look_up(struct auth *a, struct span user, const enum scheme *schemes, size_t count)
{
	struct passtable_entry e;
	secret_set(&a->identity, user);
	for (size_t i = 0; i < count && a->store->users != NULL; i++) {
		if (passtable_find(a->store->users, user, schemes[i], &e)) {
			secret_set(&a->identity, e.user);
			secret_set(&a->value, e.value);
			a->scheme = e.scheme;
			a->is_known = true;
			return true;
		}
	}
	return false;
}
