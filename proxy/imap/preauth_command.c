/*
 * The commands that are possible before the sign-in.
 */
#include "preauth_priv.h"

#include <assert.h>

#include "imap/sasl.h"

/* The credentials are complete. Those that no server should see are refused as wrong. */
static enum preauth_verdict sign_in(struct preauth *p, struct buf *out)
{
	struct credentials *c = &p->credentials;
	/* A directory may take an empty password for an anonymous bind, which succeeds. */
	if (c->user.len == 0 || c->password.len == 0 || credentials_size(c) > CREDENTIALS_MAX) {
		credentials_drop(c);
		return preauth_answer(p, "NO [AUTHENTICATIONFAILED] Authentication failed.", out);
	}
	preauth_move(p, PREAUTH_STATE_SIGN_IN);
	return PREAUTH_SIGN_IN;
}

static enum preauth_verdict on_capability(struct preauth *p, struct span args, struct buf *out)
{
	if (args.n > 0) {
		return preauth_answer(p, "BAD No arguments expected", out);
	}
	p->has_asked = true;
	preauth_say(p, out, "* CAPABILITY ");
	preauth_say_capabilities(p, out);
	preauth_say(p, out, "\r\n");
	return preauth_answer(p, "OK Capability completed", out);
}

static enum preauth_verdict on_noop(struct preauth *p, struct span args, struct buf *out)
{
	return preauth_answer(
		p, args.n > 0 ? "BAD No arguments expected" : "OK NOOP completed", out);
}

static enum preauth_verdict on_id(struct preauth *p, struct span args, struct buf *out)
{
	/* What clients say about themselves is not used (S20): only its frame is looked at. */
	bool is_list = args.n >= 2 && args.p[0] == '(' && args.p[args.n - 1] == ')';
	if (!is_list && !span_is_nocase(args, "NIL")) {
		return preauth_answer(p, "BAD Expected a list or NIL", out);
	}
	preauth_say(p, out, "* ID (\"name\" \"imapmux\")\r\n");
	return preauth_answer(p, "OK ID completed", out);
}

static enum preauth_verdict on_logout(struct preauth *p, struct span args, struct buf *out)
{
	if (args.n > 0) {
		return preauth_answer(p, "BAD No arguments expected", out);
	}
	preauth_say(p, out, "* BYE Logging out\r\n");
	preauth_reply(p, out, "OK Logout completed");
	p->failure = FAIL_LOGOUT;
	preauth_move(p, PREAUTH_STATE_ENDED);
	return PREAUTH_LOGOUT;
}

static enum preauth_verdict on_starttls(struct preauth *p, struct span args, struct buf *out)
{
	if (args.n > 0) {
		return preauth_answer(p, "BAD No arguments expected", out);
	}
	if (!p->policy.can_starttls) {
		return preauth_answer(p, "BAD STARTTLS is not possible here", out);
	}
	preauth_reply(p, out, "OK Begin TLS negotiation now");
	preauth_move(p, PREAUTH_STATE_STARTTLS);
	return PREAUTH_STARTTLS;
}

static enum preauth_verdict on_login(struct preauth *p, struct span args, struct buf *out)
{
	if (!p->policy.can_sign_in) {
		return preauth_answer(p, PREAUTH_SAY_PRIVACY, out);
	}
	struct credentials *c = &p->credentials;
	c->mechanism = MECHANISM_LOGIN_COMMAND;
	if (!lexer_take_astring(&args, &c->user) || !span_take(&args, ' ') ||
		!lexer_take_astring(&args, &c->password) || args.n > 0) {
		credentials_drop(c);
		return preauth_answer(p, "BAD Expected a user name and a password", out);
	}
	return sign_in(p, out);
}

/* Asks for a line of the exchange. */
static enum preauth_verdict ask(
	struct preauth *p, enum preauth_state next, const char *challenge, struct buf *out)
{
	preauth_say(p, out, "+ ");
	preauth_say(p, out, challenge);
	preauth_say(p, out, "\r\n");
	preauth_move(p, next);
	return PREAUTH_MORE;
}

static enum preauth_verdict sasl_failed(struct preauth *p, enum sasl_result result, struct buf *out)
{
	credentials_drop(&p->credentials);
	if (result == SASL_CANCELLED) {
		/* Not counted as an error: the client did what the protocol allows. */
		preauth_reply(p, out, "BAD Authentication cancelled");
		preauth_move(p, PREAUTH_STATE_COMMAND);
		return PREAUTH_MORE;
	}
	return preauth_answer(p, "BAD Invalid authentication data", out);
}

static enum preauth_verdict on_plain(struct preauth *p, struct span line, struct buf *out)
{
	enum sasl_result result = sasl_plain_read(line, &p->credentials);
	return result == SASL_GOOD ? sign_in(p, out) : sasl_failed(p, result, out);
}

static enum preauth_verdict on_user(struct preauth *p, struct span line, struct buf *out)
{
	p->credentials.mechanism = MECHANISM_LOGIN;
	enum sasl_result result = sasl_login_read(line, &p->credentials.user);
	if (result != SASL_GOOD) {
		return sasl_failed(p, result, out);
	}
	return ask(p, PREAUTH_STATE_PASSWORD, SASL_LOGIN_ASK_PASSWORD, out);
}

static enum preauth_verdict on_password(struct preauth *p, struct span line, struct buf *out)
{
	enum sasl_result result = sasl_login_read(line, &p->credentials.password);
	return result == SASL_GOOD ? sign_in(p, out) : sasl_failed(p, result, out);
}

static enum preauth_verdict on_authenticate(struct preauth *p, struct span args, struct buf *out)
{
	if (!p->policy.can_sign_in) {
		return preauth_answer(p, PREAUTH_SAY_PRIVACY, out);
	}
	struct span mechanism = span_take_until(&args, " ");
	span_take(&args, ' ');
	if (mechanism.n == 0) {
		return preauth_answer(p, "BAD Expected a mechanism", out);
	}
	if (span_is_nocase(mechanism, "PLAIN")) {
		return args.n > 0 ? on_plain(p, args, out) : ask(p, PREAUTH_STATE_PLAIN, "", out);
	}
	if (span_is_nocase(mechanism, "LOGIN")) {
		return args.n > 0 ? on_user(p, args, out)
				  : ask(p, PREAUTH_STATE_USER, SASL_LOGIN_ASK_USER, out);
	}
	return preauth_answer(p, "NO Unsupported authentication mechanism", out);
}

static const struct verb {
	const char *name;
	enum preauth_verdict (*run)(struct preauth *p, struct span args, struct buf *out);
} verbs[] = {
	{"CAPABILITY", on_capability},
	{"NOOP", on_noop},
	{"ID", on_id},
	{"STARTTLS", on_starttls},
	{"LOGIN", on_login},
	{"AUTHENTICATE", on_authenticate},
	{"LOGOUT", on_logout},
};

enum preauth_verdict preauth_run(
	struct preauth *p, struct span verb, struct span args, struct buf *out)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (span_is_nocase(verb, verbs[i].name)) {
			return verbs[i].run(p, args, out);
		}
	}
	return preauth_answer(p, "BAD Unknown command, or not possible before sign-in", out);
}

enum preauth_verdict preauth_run_sasl(struct preauth *p, struct span line, struct buf *out)
{
	switch (p->state) {
	case PREAUTH_STATE_PLAIN:
		return on_plain(p, line, out);
	case PREAUTH_STATE_USER:
		return on_user(p, line, out);
	default:
		assert(p->state == PREAUTH_STATE_PASSWORD);
		return on_password(p, line, out);
	}
}
