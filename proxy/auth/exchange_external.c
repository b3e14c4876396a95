/*
 * EXTERNAL (RFC 4422 appendix A): TLS has proved the client already, by its certificate; what is left to
 * find out is which of the names in it the client wants to be.
 */
#include "exchange_priv.h"

/* A name is text that a line can hold; an authority should not have signed another. */
static bool is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < ' ' || name.p[i] == 0x7f) {
			return false;
		}
	}
	return name.n > 0;
}

static enum auth_verdict begin(
	struct auth *a, const struct credentials *credentials, const struct auth_facts *facts)
{
	struct span authzid = secret_span(&credentials->authzid);
	if (facts->name_count == 0) {
		return auth_no(a, "no certificate, or no user in it");
	}
	if (authzid.n == 0 && facts->name_count > 1) {
		/* Taking the first would let the order in a certificate decide. */
		return auth_no(a, "several users in the certificate, and none is asked for");
	}
	for (size_t i = 0; i < facts->name_count; i++) {
		struct span name = span_str(facts->names[i]);
		if (is_name(name) && auth_is_himself(authzid, name)) {
			secret_set(&a->identity, name);
			return AUTH_OK;
		}
	}
	return auth_no(a, "wants to be somebody else");
}

const struct auth_mechanism auth_external = {begin, NULL, NULL, NULL};
