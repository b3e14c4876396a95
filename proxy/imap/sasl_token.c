/*
 * XOAUTH2 and OAUTHBEARER: a user and a bearer token among fields that end in ^A (RFC 7628 section 3.1;
 * XOAUTH2 is the same without the GS2 header, and with the user as a field).
 *
 * The message goes to the server as the client wrote it, and so nothing may stand in it that one reader
 * takes for the user or the token and another does not: no field of these names twice, or in other
 * letters.
 */
#include "sasl_priv.h"

#include <assert.h>

#include "imap/base64.h"

#define FIELD_END "\x01"

struct field {
	struct span key, value;
};

static bool is_key(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] | 0x20;
		if (c < 'a' || c > 'z') {
			return false;
		}
	}
	return s.n > 0;
}

/* Spaces and line ends are allowed (RFC 7628), and UTF-8 for the user; nothing of it is built into a line. */
static bool is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
			return false;
		}
	}
	return sasl_is_text(s);
}

static bool take_field(struct span *rest, struct field *out)
{
	struct span text = span_take_until(rest, FIELD_END);
	out->key = span_take_until(&text, "=");
	bool is_pair = span_take(&text, '=') && span_take(rest, FIELD_END[0]);
	out->value = text;
	return is_pair && is_key(out->key) && is_value(out->value);
}

/* "Bearer TOKEN" (RFC 6750 section 2.1); nothing at all asks the server what it wants. */
static bool read_token(struct span value, struct secret *out)
{
	if (value.n > 0 && !span_take_nocase(&value, "Bearer ")) {
		return false;
	}
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f) {
			return false;
		}
	}
	secret_set(out, value);
	return true;
}

/* user: where a field of this name goes; NULL: there is none in this mechanism. */
static enum sasl_result read_fields(struct span rest, struct secret *user, struct secret *token)
{
	bool has_user = false;
	bool has_token = false;
	while (rest.n > 0 && rest.p[0] != FIELD_END[0]) {
		struct field field;
		if (!take_field(&rest, &field)) {
			return SASL_MALFORMED;
		}
		bool *has = span_is_nocase(field.key, "auth")   ? &has_token
			    : span_is_nocase(field.key, "user") ? &has_user
								: NULL;
		if (has == NULL) {
			continue;
		}
		bool is_again = *has;
		*has = true;
		if (is_again || (has == &has_user && user == NULL)) {
			return SASL_MALFORMED;
		}
		if (has == &has_user) {
			secret_set(user, field.value);
		} else if (!read_token(field.value, token)) {
			return SASL_MALFORMED;
		}
	}
	bool is_ended = span_take(&rest, FIELD_END[0]) && rest.n == 0;
	return is_ended && has_token ? SASL_GOOD : SASL_MALFORMED;
}

enum sasl_result sasl_xoauth2_read(struct span message, struct credentials *out)
{
	assert(out->user.len == 0 && out->password.len == 0);
	return read_fields(message, &out->user, &out->password);
}

enum sasl_result sasl_oauthbearer_read(struct span message, struct credentials *out)
{
	struct span rest = message;
	assert(out->user.len == 0 && out->password.len == 0);
	/* The token is the user's own: whom it is for is the name at the server. */
	enum sasl_result result = sasl_gs2_take(&rest, &out->user);
	if (result != SASL_GOOD) {
		return result;
	}
	if (!span_take(&rest, FIELD_END[0])) {
		return SASL_MALFORMED;
	}
	return read_fields(rest, NULL, &out->password);
}

/* The name in a GS2 header (RFC 5801 section 4). */
static bool write_name(struct buf *out, struct span login)
{
	for (size_t i = 0; i < login.n; i++) {
		struct span byte = span_slice(login, i, i + 1);
		const char *escape = login.p[i] == ',' ? "=2C" : "=3D";
		bool is_special = login.p[i] == ',' || login.p[i] == '=';
		if (!buf_add(out, is_special ? span_str(escape) : byte)) {
			return false;
		}
	}
	return true;
}

static bool write_oauthbearer(struct buf *out, struct span message, struct span login)
{
	struct secret name = {0};
	struct span rest = message;
	enum sasl_result result = sasl_gs2_take(&rest, &name);
	secret_drop(&name);
	assert(result == SASL_GOOD);
	(void)result;
	/* "n," or "y," stays */
	return buf_add(out, span_slice(message, 0, 2)) && buf_add_str(out, "a=") &&
	       write_name(out, login) && buf_add_str(out, ",") && buf_add(out, rest);
}

static bool write_xoauth2(struct buf *out, struct span message, struct span login)
{
	struct field field;
	struct span rest = message;
	while (rest.n > 0 && take_field(&rest, &field)) {
		bool is_user = span_is_nocase(field.key, "user");
		if (!buf_add(out, field.key) || !buf_add_str(out, "=") ||
			!buf_add(out, is_user ? login : field.value) ||
			!buf_add_str(out, FIELD_END)) {
			return false;
		}
	}
	return buf_add(out, rest);
}

bool sasl_token_write(struct buf *out, const struct credentials *c, struct span login)
{
	struct span message = secret_span(&c->message);
	if (span_equal(login, secret_span(&c->user))) {
		return base64_encode(out, message);
	}
	struct buf anew;
	buf_init(&anew, SASL_LINE_MAX);
	bool is_written =
		is_value(login) &&
		(c->mechanism == MECHANISM_XOAUTH2 ? write_xoauth2(&anew, message, login)
						   : write_oauthbearer(&anew, message, login));
	is_written = is_written && base64_encode(out, buf_peek(&anew));
	buf_finish(&anew);
	return is_written;
}
