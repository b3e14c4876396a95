/*
 * GSSAPI: each message of the client is a step of the library, which may touch disks.
 */
#ifdef IMAPMUX_GSSAPI

#include "auth/principal.h"
#include "exchange_priv.h"

/* Keeps the message for auth_work. */
static enum auth_verdict take(struct auth *a, struct span message)
{
	buf_clear(&a->token);
	return buf_add(&a->token, message) ? AUTH_WAIT : auth_no(a, "token too large");
}

static enum auth_verdict begin(
	struct auth *a, const struct credentials *credentials, const struct auth_facts *facts)
{
	(void)facts;
	if (a->store->gss == NULL) {
		return auth_no(a, "no keytab");
	}
	a->gss = gss_exchange_create(a->store->gss);
	return take(a, secret_span(&credentials->message));
}

static void work(struct auth *a)
{
	struct buf out;
	buf_init(&out, GSS_TOKEN_MAX);
	a->gss_verdict = gss_exchange_step(a->gss, buf_peek(&a->token), &out);
	buf_clear(&a->token);
	buf_move(&a->token, &out);
}

static enum auth_verdict find_user(struct auth *a)
{
	struct span authzid = gss_exchange_authzid(a->gss);
	struct span client = gss_exchange_client(a->gss);
	if (!principal_user(client, gss_exchange_service(a->gss), a->store->gssapi_user,
		    &a->identity, &a->reason)) {
		return AUTH_NO;
	}
	/* By his name here, or by that in the realm. */
	if (!auth_is_himself(authzid, secret_span(&a->identity)) && !span_equal(authzid, client)) {
		return auth_no(a, "wants to be somebody else");
	}
	return AUTH_OK;
}

static enum auth_verdict worked(struct auth *a)
{
	switch (a->gss_verdict) {
	case GSS_MORE:
		return auth_ask(a, buf_peek(&a->token));
	case GSS_DONE:
		return find_user(a);
	case GSS_NO:
		break;
	}
	return auth_no(a, gss_exchange_reason(a->gss));
}

const struct auth_mechanism auth_gssapi = {begin, take, work, worked};

#endif
