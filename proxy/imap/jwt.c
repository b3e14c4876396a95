/*
 * A reader of just so much JSON (RFC 8259) that the members of one object can be told apart: strings,
 * and nested values by counting their brackets. What is not read like that makes the token unreadable.
 */
#include "imap/jwt.h"

#include "base/buf.h"
#include "imap/base64.h"

enum { NEVER_READ = 0 };
#define NO_END UINT64_MAX

/* Base64url without padding (RFC 7515 section 2), as far as base64 goes. */
static bool decode(struct span part, struct secret *out)
{
	struct buf text;
	bool is_good = true;
	buf_init(&text, part.n + 3);
	for (size_t i = 0; is_good && i < part.n; i++) {
		uint8_t c = part.p[i];
		/* The two letters that are not of this alphabet. */
		is_good = c != '+' && c != '/';
		c = c == '-' ? '+' : c == '_' ? '/' : c;
		is_good = is_good && buf_add(&text, span_of(&c, 1));
	}
	for (size_t n = part.n; is_good && n % 4 != 0; n++) {
		is_good = buf_add_str(&text, "=");
	}
	is_good = is_good && base64_decode(buf_peek(&text), out);
	buf_finish(&text);
	return is_good;
}

static void skip_space(struct span *s)
{
	while (span_take(s, ' ') || span_take(s, '\t') || span_take(s, '\r') ||
		span_take(s, '\n')) {
		continue;
	}
}

/* *out: what stands between the quotes, escapes as they are. */
static bool take_string(struct span *s, struct span *out)
{
	if (!span_take(s, '"')) {
		return false;
	}
	struct span begin = *s;
	while (s->n > 0 && s->p[0] != '"') {
		struct span skipped;
		bool is_escape = s->p[0] == '\\';
		if (s->p[0] < ' ' || !span_take_bytes(s, is_escape ? 2 : 1, &skipped)) {
			return false;
		}
	}
	*out = span_slice(begin, 0, begin.n - s->n);
	return span_take(s, '"');
}

/* Brackets are counted, not paired: whose end is where is not asked. */
static bool skip_nested(struct span *s)
{
	size_t depth = 0;
	do {
		struct span skipped;
		if (s->n == 0) {
			return false;
		}
		uint8_t c = s->p[0];
		if (c == '"' ? !take_string(s, &skipped) : !span_take(s, c)) {
			return false;
		}
		depth += c == '{' || c == '[' ? 1 : 0;
		depth -= c == '}' || c == ']' ? 1 : 0;
	} while (depth > 0);
	return true;
}

/* *out: the value as it stands there. */
static bool take_value(struct span *s, struct span *out)
{
	struct span begin = *s;
	struct span inside;
	if (s->n == 0) {
		return false;
	}
	if (s->p[0] == '"') {
		if (!take_string(s, &inside)) {
			return false;
		}
	} else if (s->p[0] == '{' || s->p[0] == '[') {
		if (!skip_nested(s)) {
			return false;
		}
	} else {
		span_take_until(s, ",}] \t\r\n");
	}
	*out = span_slice(begin, 0, begin.n - s->n);
	return out->n > 0;
}

/* A number of seconds; a fraction is cut off, an exponent or a sign is more than anybody writes. */
static uint64_t seconds_of(struct span value)
{
	uint64_t seconds;
	if (!span_take_number(&value, &seconds)) {
		return NEVER_READ;
	}
	uint64_t fraction = 0;
	bool is_number =
		value.n == 0 ||
		(span_take(&value, '.') && span_take_number(&value, &fraction) && value.n == 0);
	return is_number ? seconds : NEVER_READ;
}

/* A name with an escape may be any name. */
static bool may_be_exp(struct span name)
{
	return span_is(name, "exp") || span_find(name, '\\') < name.n;
}

/* One member: its name, as it stands there, and its value. */
static bool take_member(struct span *s, struct span *name, struct span *value)
{
	skip_space(s);
	if (!take_string(s, name)) {
		return false;
	}
	skip_space(s);
	if (!span_take(s, ':')) {
		return false;
	}
	skip_space(s);
	if (!take_value(s, value)) {
		return false;
	}
	skip_space(s);
	return true;
}

/* The first of all ends that the object names: which of two members counts is not for us to say. */
static uint64_t read_end(struct span s)
{
	uint64_t end = NO_END;
	bool has_more = true;
	skip_space(&s);
	bool is_empty = span_take(&s, '}');
	while (has_more && !is_empty) {
		struct span name, value;
		if (!take_member(&s, &name, &value)) {
			return NEVER_READ;
		}
		if (may_be_exp(name)) {
			uint64_t one = seconds_of(value);
			end = one < end ? one : end;
		}
		has_more = span_take(&s, ',');
		if (!has_more && !span_take(&s, '}')) {
			return NEVER_READ;
		}
	}
	skip_space(&s);
	return s.n == 0 ? end : NEVER_READ;
}

uint64_t jwt_expiry(struct span token)
{
	/* header.payload.signature; five parts are an encrypted one */
	struct span rest = token;
	span_take_until(&rest, ".");
	if (!span_take(&rest, '.')) {
		return NO_END;
	}
	struct span part = span_take_until(&rest, ".");
	if (!span_take(&rest, '.') || span_find(rest, '.') < rest.n) {
		return NO_END;
	}
	struct secret payload = {0};
	uint64_t end = NO_END;
	if (decode(part, &payload)) {
		struct span text = secret_span(&payload);
		skip_space(&text);
		if (span_take(&text, '{')) {
			end = read_end(text);
		}
	}
	secret_drop(&payload);
	return end;
}
