/*
 * The commands that are possible before the sign-in.
 */
#include "preauth_priv.h"

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
	/* The frame must be right; what cannot be understood inside it is not passed on. */
	bool is_list = args.n >= 2 && args.p[0] == '(' && args.p[args.n - 1] == ')';
	if (!is_list && !span_is_nocase(args, "NIL")) {
		return preauth_answer(p, "BAD Expected a list or NIL", out);
	}
	if (!p->has_id) {
		p->has_id = true;
		p->id = client_id_read(args, p->policy.trusts_id);
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
	if ((p->policy.mechanisms & MECHANISM_BIT(MECHANISM_LOGIN_COMMAND)) == 0) {
		return preauth_answer(p, "NO [CANNOT] LOGIN is disabled, use AUTHENTICATE", out);
	}
	struct credentials *c = &p->credentials;
	c->mechanism = MECHANISM_LOGIN_COMMAND;
	if (!lexer_take_astring(&args, &c->user) || !span_take(&args, ' ') ||
		!lexer_take_astring(&args, &c->password) || args.n > 0) {
		credentials_drop(c);
		return preauth_answer(p, "BAD Expected a user name and a password", out);
	}
	return preauth_sign_in(p, out);
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
	{"AUTHENTICATE", preauth_authenticate},
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
