/*
 * What a proxy reads of SCRAM: the user in client-first (RFC 5802 section 7). The rest of the exchange
 * passes unread: it proves something to the server alone.
 */
#include "sasl_priv.h"

#include <assert.h>

/* Unescapes one byte of a saslname. False: an equals sign that escapes nothing. */
static bool take_name_byte(struct span *rest, uint8_t *out)
{
	struct span escape = span_slice(*rest, 0, rest->n < 3 ? rest->n : 3);
	if (span_is(escape, "=2C") || span_is(escape, "=3D")) {
		*out = escape.p[1] == '2' ? ',' : '=';
		return span_take_bytes(rest, 3, &escape);
	}
	*out = rest->p[0];
	return *out != '=' && span_take(rest, *out);
}

bool sasl_name_take(struct span *rest, struct secret *out)
{
	struct buf name;
	struct span s = *rest;
	bool is_good = true;
	buf_init(&name, SASL_LINE_MAX);
	while (is_good && s.n > 0 && s.p[0] != ',') {
		uint8_t byte = 0;
		is_good = take_name_byte(&s, &byte) && buf_add(&name, span_of(&byte, 1));
	}
	if (is_good && sasl_is_text(buf_peek(&name))) {
		secret_set(out, buf_peek(&name));
		*rest = s;
	} else {
		is_good = false;
	}
	buf_finish(&name);
	return is_good;
}

enum sasl_result sasl_gs2_take(struct span *rest, struct secret *authzid)
{
	if (span_take_nocase(rest, "p=")) {
		return SASL_BINDING;
	}
	if ((!span_take(rest, 'n') && !span_take(rest, 'y')) || !span_take(rest, ',')) {
		return SASL_MALFORMED;
	}
	if (span_take(rest, 'a') && (!span_take(rest, '=') || !sasl_name_take(rest, authzid))) {
		return SASL_MALFORMED;
	}
	return span_take(rest, ',') ? SASL_GOOD : SASL_MALFORMED;
}

/* Extensions are for the server; one that looks like what was read before could be read instead of it. */
static bool is_extension(struct span s)
{
	static const char read_before[] = "amnr";
	bool is_letter =
		s.n >= 2 && ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z'));
	return is_letter && s.p[1] == '=' && strchr(read_before, s.p[0]) == NULL;
}

static bool take_nonce(struct span *rest)
{
	struct span nonce;
	if (!span_take(rest, 'r') || !span_take(rest, '=')) {
		return false;
	}
	nonce = span_take_until(rest, ",");
	for (size_t i = 0; i < nonce.n; i++) {
		if (nonce.p[i] <= ' ' || nonce.p[i] >= 0x7f) {
			return false;
		}
	}
	return nonce.n > 0;
}

enum sasl_result sasl_scram_read(struct span message, struct credentials *out)
{
	struct span rest = message;
	if (!sasl_is_text(message)) {
		return SASL_MALFORMED;
	}
	enum sasl_result result = sasl_gs2_take(&rest, &out->authzid);
	if (result != SASL_GOOD) {
		return result;
	}
	bool is_good = span_take(&rest, 'n') && span_take(&rest, '=') &&
		       sasl_name_take(&rest, &out->user) && span_take(&rest, ',') &&
		       take_nonce(&rest);
	while (is_good && rest.n > 0) {
		is_good = span_take(&rest, ',') && is_extension(span_take_until(&rest, ","));
	}
	assert(!is_good || out->authzid.len + out->user.len < message.n);
	return is_good ? SASL_GOOD : SASL_MALFORMED;
}
