#include "auth/principal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* What stands behind the last "@"; a name without one has no realm. */
static bool cut_realm(struct span principal, struct span *name, struct span *realm)
{
	for (size_t i = principal.n; i-- > 0;) {
		if (principal.p[i] == '@') {
			*name = span_slice(principal, 0, i);
			*realm = span_slice(principal, i + 1, principal.n);
			return name->n > 0 && realm->n > 0;
		}
	}
	return false;
}

/* Letters, digits, marks: whatever is no separator, no escape ("\/" stands for a slash in a component)
 * and no control character. */
static bool is_plain_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];
		if (c <= ' ' || c == 0x7f || c == '/' || c == '@' || c == '\\') {
			return false;
		}
	}
	return true;
}

static void set_address(struct secret *out, struct span name, struct span realm)
{
	size_t n = name.n + 1 + realm.n;
	uint8_t *text = xmalloc(n);
	memcpy(text, name.p, name.n);
	text[name.n] = '@';
	for (size_t i = 0; i < realm.n; i++) {
		uint8_t c = realm.p[i];
		text[name.n + 1 + i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
	}
	secret_set(out, span_of(text, n));
	free(text);
}

bool principal_user(struct span client, struct span service, enum gssapi_user form,
	struct secret *out, const char **why)
{
	struct span name, realm, service_name, own_realm;
	if (!cut_realm(client, &name, &realm) || !cut_realm(service, &service_name, &own_realm)) {
		*why = "a principal without a realm";
		return false;
	}
	if (!span_equal(realm, own_realm)) {
		*why = "a principal of another realm";
		return false;
	}
	if (!is_plain_name(name) || client.n > PRINCIPAL_USER_MAX) {
		*why = "not the principal of a person";
		return false;
	}
	if (form == GSSAPI_USER_ADDRESS) {
		set_address(out, name, realm);
	} else {
		secret_set(out, name);
	}
	return true;
}
