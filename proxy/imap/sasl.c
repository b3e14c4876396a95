#include "imap/sasl.h"

#include <assert.h>

#include "imap/base64.h"

/* The bytes of a line; *out untouched unless SASL_GOOD. */
static enum sasl_result read_line(struct span line, struct secret *out)
{
	if (span_is(line, "*")) {
		return SASL_CANCELLED;
	}
	if (line.n > SASL_LINE_MAX) {
		return SASL_MALFORMED;
	}
	if (span_is(line, "=")) {
		line.n = 0;
	}
	return base64_decode(line, out) ? SASL_GOOD : SASL_MALFORMED;
}

enum sasl_result sasl_plain_read(struct span line, struct credentials *out)
{
	struct secret message = {0};
	enum sasl_result result = read_line(line, &message);
	if (result != SASL_GOOD) {
		return result;
	}
	struct span rest = secret_span(&message);
	size_t first = span_find(rest, '\0');
	struct span authzid = span_slice(rest, 0, first);
	rest = span_slice(rest, first < rest.n ? first + 1 : first, rest.n);
	size_t second = span_find(rest, '\0');
	bool is_cut = second == rest.n;
	struct span authcid = span_slice(rest, 0, second);
	struct span password = span_slice(rest, is_cut ? second : second + 1, rest.n);
	/* A server cuts a password at a third NUL, so that a pool would take two for one. */
	if (is_cut || span_find(password, '\0') < password.n) {
		secret_drop(&message);
		return SASL_MALFORMED;
	}
	out->mechanism = MECHANISM_PLAIN;
	secret_set(&out->authzid, authzid);
	secret_set(&out->user, authcid);
	secret_set(&out->password, password);
	secret_drop(&message);
	return SASL_GOOD;
}

enum sasl_result sasl_login_read(struct span line, struct secret *out)
{
	struct secret answer = {0};
	enum sasl_result result = read_line(line, &answer);
	if (result != SASL_GOOD) {
		return result;
	}
	struct span bytes = secret_span(&answer);
	if (span_find(bytes, '\0') < bytes.n) {
		secret_drop(&answer);
		return SASL_MALFORMED;
	}
	secret_move(out, &answer);
	return SASL_GOOD;
}

static bool has_nul(struct span s)
{
	return span_find(s, '\0') < s.n;
}

bool sasl_plain_write(struct buf *out, struct span authzid, struct span login, struct span password)
{
	/* A NUL would move the borders between the three: the one injection that PLAIN knows. */
	assert(!has_nul(authzid));
	assert(!has_nul(login));
	assert(!has_nul(password));
	struct buf message;
	buf_init(&message, SASL_LINE_MAX);
	struct span nul = span_of("", 1);
	bool is_written = buf_add(&message, authzid) && buf_add(&message, nul) &&
			  buf_add(&message, login) && buf_add(&message, nul) &&
			  buf_add(&message, password) && base64_encode(out, buf_peek(&message));
	buf_finish(&message);
	return is_written;
}
