/*
 * From the first byte of a credential to the answer: AUTHENTICATE and its lines, the caller's challenges,
 * OK or NO.
 */
#include "preauth_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "imap/sasl.h"

/* Whose names and secrets the client itself sends, so that a server could be asked. */
#define MECHANISMS_NAMED (MECHANISMS_PASSWORD | MECHANISMS_TOKEN | MECHANISMS_SCRAM)

static bool is_one_of(const struct credentials *c, unsigned mechanisms)
{
	return (MECHANISM_BIT(c->mechanism) & mechanisms) != 0;
}

static bool is_complete(const struct credentials *c)
{
	if (is_one_of(c, MECHANISMS_NAMED) && c->user.len == 0) {
		return false;
	}
	/* A directory may take an empty password for an anonymous bind, which succeeds. */
	if (is_one_of(c, MECHANISMS_PASSWORD | MECHANISMS_TOKEN) && c->password.len == 0) {
		return false;
	}
	/* Tickets of Kerberos are large, and go to no server. */
	return c->mechanism == MECHANISM_GSSAPI || credentials_size(c) <= CREDENTIALS_MAX;
}

enum preauth_verdict preauth_sign_in(struct preauth *p, struct buf *out)
{
	struct credentials *c = &p->credentials;
	/* SASL has looked already; what LOGIN sends as a password may be of an old character set. */
	if (!is_complete(c) || !sasl_is_text(secret_span(&c->user))) {
		credentials_drop(c);
		return preauth_answer(p, "NO [AUTHENTICATIONFAILED] Authentication failed.", out);
	}
	if (span_equal(secret_span(&c->user), secret_span(&c->authzid))) {
		secret_drop(&c->authzid); /* he names himself twice, and is no master user */
	}
	p->steps = 0;
	preauth_move(p, PREAUTH_STATE_SIGN_IN);
	return PREAUTH_SIGN_IN;
}

static void say_challenge(struct preauth *p, struct span challenge, struct buf *out)
{
	preauth_say(p, out, "+ ");
	if (!buf_add(out, challenge)) {
		p->failure = FAIL_SLOW_READER;
	}
	preauth_say(p, out, "\r\n");
}

/* Asks for a line of the exchange. */
static enum preauth_verdict ask(
	struct preauth *p, enum preauth_state next, const char *challenge, struct buf *out)
{
	say_challenge(p, span_str(challenge), out);
	preauth_move(p, next);
	return PREAUTH_MORE;
}

static enum preauth_verdict failed(struct preauth *p, enum sasl_result result, struct buf *out)
{
	credentials_drop(&p->credentials);
	switch (result) {
	case SASL_CANCELLED:
		/* Not counted as an error: the client did what the protocol allows. */
		preauth_reply(p, out, "BAD Authentication cancelled");
		preauth_move(p, PREAUTH_STATE_COMMAND);
		return PREAUTH_MORE;
	case SASL_BINDING:
		return preauth_answer(p, "NO [CANNOT] Channel binding is not possible here", out);
	default:
		assert(result == SASL_MALFORMED);
		return preauth_answer(p, "BAD Invalid authentication data", out);
	}
}

static enum preauth_verdict on_message(struct preauth *p, struct span line, struct buf *out)
{
	enum sasl_result result = sasl_first_read(p->credentials.mechanism, line, &p->credentials);
	return result == SASL_GOOD ? preauth_sign_in(p, out) : failed(p, result, out);
}

static enum preauth_verdict on_user(struct preauth *p, struct span line, struct buf *out)
{
	enum sasl_result result = sasl_login_read(line, &p->credentials.user);
	if (result != SASL_GOOD) {
		return failed(p, result, out);
	}
	return ask(p, PREAUTH_STATE_PASSWORD, SASL_LOGIN_ASK_PASSWORD, out);
}

static enum preauth_verdict on_password(struct preauth *p, struct span line, struct buf *out)
{
	enum sasl_result result = sasl_login_read(line, &p->credentials.password);
	return result == SASL_GOOD ? preauth_sign_in(p, out) : failed(p, result, out);
}

/* Begins the exchange; line: the initial response, or nothing. */
static enum preauth_verdict begin(struct preauth *p, struct span line, struct buf *out)
{
	switch (p->credentials.mechanism) {
	case MECHANISM_LOGIN:
		return line.n > 0 ? on_user(p, line, out)
				  : ask(p, PREAUTH_STATE_USER, SASL_LOGIN_ASK_USER, out);
	case MECHANISM_CRAM_MD5:
		/* The server speaks first (RFC 4959 section 3). */
		return line.n > 0 ? failed(p, SASL_MALFORMED, out) : preauth_sign_in(p, out);
	default:
		return line.n > 0 ? on_message(p, line, out)
				  : ask(p, PREAUTH_STATE_MESSAGE, "", out);
	}
}

enum preauth_verdict preauth_authenticate(struct preauth *p, struct span args, struct buf *out)
{
	if (!p->policy.can_sign_in) {
		return preauth_answer(p, PREAUTH_SAY_PRIVACY, out);
	}
	struct span word = span_take_until(&args, " ");
	span_take(&args, ' ');
	if (word.n == 0) {
		return preauth_answer(p, "BAD Expected a mechanism", out);
	}
	enum mechanism m = mechanism_find(word);
	if (m == MECHANISM_COUNT || (p->policy.mechanisms & MECHANISM_BIT(m)) == 0) {
		return preauth_answer(p, "NO [CANNOT] Unsupported authentication mechanism", out);
	}
	p->credentials.mechanism = m;
	return begin(p, args, out);
}

static void say_no(struct preauth *p, struct span text, struct buf *out)
{
	if (!buf_add(out, preauth_tag(p)) || !buf_add_str(out, " NO ") || !buf_add(out, text) ||
		!buf_add_str(out, "\r\n")) {
		p->failure = FAIL_SLOW_READER;
	}
}

/* The client's line in an exchange that has ended without it. */
static enum preauth_verdict say_late_refusal(struct preauth *p, struct buf *out)
{
	say_no(p, span_str(p->late_refusal), out);
	free(p->late_refusal);
	p->late_refusal = NULL;
	preauth_move(p, PREAUTH_STATE_COMMAND);
	return PREAUTH_MORE;
}

static enum preauth_verdict on_response(struct preauth *p, struct span line, struct buf *out)
{
	if (p->late_refusal != NULL) {
		return say_late_refusal(p, out);
	}
	bool is_cancel = span_is(line, "*");
	if (is_cancel || !sasl_is_line(line)) {
		enum preauth_verdict verdict =
			failed(p, is_cancel ? SASL_CANCELLED : SASL_MALFORMED, out);
		return verdict == PREAUTH_MORE ? PREAUTH_CANCELLED : verdict;
	}
	secret_set(&p->response, line);
	preauth_move(p, PREAUTH_STATE_SIGN_IN);
	return PREAUTH_RESPONSE;
}

enum preauth_verdict preauth_run_sasl(struct preauth *p, struct span line, struct buf *out)
{
	switch (p->state) {
	case PREAUTH_STATE_MESSAGE:
		return on_message(p, line, out);
	case PREAUTH_STATE_USER:
		return on_user(p, line, out);
	case PREAUTH_STATE_PASSWORD:
		return on_password(p, line, out);
	default:
		assert(p->state == PREAUTH_STATE_EXCHANGE);
		return on_response(p, line, out);
	}
}

bool preauth_challenge(struct preauth *p, struct span challenge, struct buf *out)
{
	assert(p->state == PREAUTH_STATE_SIGN_IN);
	assert(challenge.n <= SASL_LINE_MAX);
	secret_drop(&p->response);
	if (p->steps >= SASL_STEPS_MAX) {
		return false;
	}
	p->steps++;
	say_challenge(p, challenge, out);
	preauth_move(p, PREAUTH_STATE_EXCHANGE);
	return true;
}

struct span preauth_response(const struct preauth *p)
{
	assert(p->state == PREAUTH_STATE_SIGN_IN);
	return secret_span(&p->response);
}

bool preauth_is_exchanging(const struct preauth *p)
{
	return p->state == PREAUTH_STATE_EXCHANGE;
}

void preauth_accept(struct preauth *p, struct span capabilities, const char *text, struct buf *out)
{
	assert(p->state == PREAUTH_STATE_SIGN_IN);
	assert(p->tag_len > 0);
	bool is_written = true;
	/* A reply has one response code (RFC 9051 section 7.1): the text's own comes first. */
	if (p->has_asked || text[0] == '[') {
		is_written = buf_add_str(out, "* CAPABILITY ") && buf_add(out, capabilities) &&
			     buf_add_str(out, "\r\n") && buf_add(out, preauth_tag(p)) &&
			     buf_add_str(out, " OK ");
	} else {
		is_written = buf_add(out, preauth_tag(p)) && buf_add_str(out, " OK [CAPABILITY ") &&
			     buf_add(out, capabilities) && buf_add_str(out, "] ");
	}
	if (!is_written || !buf_add_str(out, text) || !buf_add_str(out, "\r\n")) {
		p->failure = FAIL_SLOW_READER;
	}
	credentials_drop(&p->credentials);
	secret_drop(&p->response);
	preauth_move(p, PREAUTH_STATE_ENDED);
}

void preauth_refuse(struct preauth *p, struct span text, struct buf *out)
{
	assert(p->state == PREAUTH_STATE_SIGN_IN || p->state == PREAUTH_STATE_EXCHANGE);
	assert(p->tag_len > 0);
	credentials_drop(&p->credentials);
	secret_drop(&p->response);
	if (p->state == PREAUTH_STATE_EXCHANGE) {
		assert(p->late_refusal == NULL);
		p->late_refusal = xmemdup0(text.p, text.n);
		return;
	}
	say_no(p, text, out);
	preauth_move(p, PREAUTH_STATE_COMMAND);
}
