#include "sasl_priv.h"

#include <assert.h>

#include "imap/base64.h"

enum sasl_result sasl_decode(struct span line, struct secret *out)
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
	enum sasl_result result = sasl_decode(line, &message);
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
	if (is_cut || !sasl_is_text(authzid) || !sasl_is_text(authcid) || !sasl_is_text(password)) {
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
	enum sasl_result result = sasl_decode(line, &answer);
	if (result != SASL_GOOD) {
		return result;
	}
	struct span bytes = secret_span(&answer);
	if (!sasl_is_text(bytes)) {
		secret_drop(&answer);
		return SASL_MALFORMED;
	}
	secret_move(out, &answer);
	return SASL_GOOD;
}

/* The authorization identity that a client of EXTERNAL asks for. */
static enum sasl_result read_external(struct span message, struct credentials *out)
{
	if (!sasl_is_text(message)) {
		return SASL_MALFORMED;
	}
	secret_set(&out->authzid, message);
	return SASL_GOOD;
}

static enum sasl_result read_message(enum mechanism m, struct span message, struct credentials *out)
{
	switch (m) {
	case MECHANISM_XOAUTH2:
		return sasl_xoauth2_read(message, out);
	case MECHANISM_OAUTHBEARER:
		return sasl_oauthbearer_read(message, out);
	case MECHANISM_SCRAM_SHA_1:
	case MECHANISM_SCRAM_SHA_256:
		return sasl_scram_read(message, out);
	case MECHANISM_EXTERNAL:
		return read_external(message, out);
	default:
		assert(m == MECHANISM_GSSAPI); /* its token is for the library that knows it */
		return SASL_GOOD;
	}
}

enum sasl_result sasl_first_read(enum mechanism m, struct span line, struct credentials *out)
{
	if (m == MECHANISM_PLAIN) {
		return sasl_plain_read(line, out);
	}
	struct credentials read = {.mechanism = m};
	enum sasl_result result = sasl_decode(line, &read.message);
	if (result == SASL_GOOD) {
		result = read_message(m, secret_span(&read.message), &read);
	}
	if (m == MECHANISM_EXTERNAL) {
		secret_drop(&read.message); /* it is the name, which is read */
	}
	if (result == SASL_GOOD) {
		credentials_move(out, &read);
	}
	credentials_drop(&read);
	return result;
}

bool sasl_is_line(struct span line)
{
	struct secret bytes = {0};
	bool is_good = line.n <= SASL_LINE_MAX && base64_decode(line, &bytes);
	secret_drop(&bytes);
	return is_good;
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
