#include "preauth_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/sm.h"
#include "imap/sasl.h"

/*
 *	            AUTHENTICATE
 *	   COMMAND -------------> MESSAGE, USER -> PASSWORD   (a SASL line each; an error leads back)
 *	    |  ^ \________________   |                 |
 *	    |  |       LOGIN      \  |                 |
 *	    |  | refuse            v v                 |
 *	    |  +----------------- SIGN_IN <------------+
 *	    |  |                   |   ^
 *	    |  |         challenge v   | line
 *	    |  +----------------- EXCHANGE
 *	    |  | tls_active
 *	    |  +----------------- STARTTLS               every state -> ENDED
 *	    +-------------------> ENDED
 */
static const struct sm_state states[] = {
	[PREAUTH_STATE_COMMAND] = {"command",
		SM_TO(PREAUTH_STATE_MESSAGE) | SM_TO(PREAUTH_STATE_USER) |
			SM_TO(PREAUTH_STATE_PASSWORD) | SM_TO(PREAUTH_STATE_SIGN_IN) |
			SM_TO(PREAUTH_STATE_STARTTLS) | SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_MESSAGE] = {"message", SM_TO(PREAUTH_STATE_COMMAND) |
						      SM_TO(PREAUTH_STATE_SIGN_IN) |
						      SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_USER] = {"user", SM_TO(PREAUTH_STATE_COMMAND) |
						SM_TO(PREAUTH_STATE_PASSWORD) |
						SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_PASSWORD] = {"password", SM_TO(PREAUTH_STATE_COMMAND) |
							SM_TO(PREAUTH_STATE_SIGN_IN) |
							SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_EXCHANGE] = {"exchange", SM_TO(PREAUTH_STATE_COMMAND) |
							SM_TO(PREAUTH_STATE_SIGN_IN) |
							SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_SIGN_IN] = {"sign-in", SM_TO(PREAUTH_STATE_COMMAND) |
						      SM_TO(PREAUTH_STATE_EXCHANGE) |
						      SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_STARTTLS] = {"starttls",
		SM_TO(PREAUTH_STATE_COMMAND) | SM_TO(PREAUTH_STATE_ENDED)},
	[PREAUTH_STATE_ENDED] = {"ended", 0},
};

/* A literal of LOGIN or ID: as much as a SASL line may hold. */
#define LITERAL_MAX SASL_LINE_MAX
/* Literals of one command: ID may send 30 pairs of them (RFC 2971). */
#define LITERALS_MAX 64
/* Line ends that the reader adds where a client sent a bare LF. */
#define TEXT_SLACK 1024

/* Running out of room means that the client asks and asks and reads no answer. */
void preauth_say(struct preauth *p, struct buf *out, const char *text)
{
	if (!buf_add_str(out, text)) {
		p->failure = FAIL_SLOW_READER;
	}
}

void preauth_say_capabilities(struct preauth *p, struct buf *out)
{
	struct capability_preauth now = {
		.can_starttls = p->policy.can_starttls,
		.mechanisms = p->policy.can_sign_in ? p->policy.mechanisms : 0,
		.offered = span_str(p->offered),
	};
	if (!capability_write_preauth(out, &p->policy.capabilities, now)) {
		p->failure = FAIL_SLOW_READER;
	}
}

/* The reply to the command at hand; it begins with the status. */
void preauth_reply(struct preauth *p, struct buf *out, const char *text)
{
	if (!buf_add(out, p->tag_len > 0 ? preauth_tag(p) : span_str("*"))) {
		p->failure = FAIL_SLOW_READER;
	}
	preauth_say(p, out, " ");
	preauth_say(p, out, text);
	preauth_say(p, out, "\r\n");
}

static enum preauth_verdict end(struct preauth *p, enum fail why, struct buf *out)
{
	const char *text = fail_client_text(why);
	if (text != NULL) {
		preauth_say(p, out, "* BYE ");
		preauth_say(p, out, text);
		preauth_say(p, out, "\r\n");
	}
	p->failure = why;
	preauth_move(p, PREAUTH_STATE_ENDED);
	return PREAUTH_FAILED;
}

void preauth_move(struct preauth *p, enum preauth_state next)
{
	bool is_sasl = next >= PREAUTH_STATE_MESSAGE && next <= PREAUTH_STATE_EXCHANGE;
	if (is_sasl) {
		command_reader_next_line(&p->reader, SASL_LINE_MAX);
	} else {
		command_reader_next(&p->reader);
	}
	p->literals = 0;
	p->refusal = NULL;
	if (p->state != (int)next) {
		sm_move(states, &p->state, next);
	}
}

enum preauth_verdict preauth_answer(struct preauth *p, const char *text, struct buf *out)
{
	preauth_reply(p, out, text);
	if (span_starts_nocase(span_str(text), "BAD") && ++p->errors >= PREAUTH_MAX_ERRORS) {
		return end(p, FAIL_PREAUTH_ERRORS, out);
	}
	preauth_move(p, PREAUTH_STATE_COMMAND);
	return PREAUTH_MORE;
}

/* Splits the first line and remembers the tag. */
static enum command_form split(struct preauth *p, struct command *c)
{
	enum command_form form = command_split(command_reader_first_line(&p->reader), c);
	p->tag_len = 0;
	if (form != COMMAND_BAD_TAG) {
		assert(c->tag.n <= sizeof(p->tag));
		memcpy(p->tag, c->tag.p, c->tag.n);
		p->tag_len = c->tag.n;
	}
	return form;
}

/* An HTTP request or other talk that a browser was tricked into (S17): end, and repeat none of it. */
static bool is_no_imap(struct preauth *p, enum command_form form)
{
	bool is_first = p->is_first;
	p->is_first = false;
	return is_first && form != COMMAND_GOOD;
}

static enum preauth_verdict on_command(struct preauth *p, enum command_read read, struct buf *out)
{
	struct command command = {0};
	enum command_form form = split(p, &command);
	if (is_no_imap(p, form)) {
		return end(p, FAIL_CLIENT_PROTOCOL, out);
	}
	if (form == COMMAND_BAD_TAG) {
		return preauth_answer(p, "BAD Invalid tag", out);
	}
	if (form == COMMAND_BAD_VERB || read == COMMAND_READ_MALFORMED) {
		return preauth_answer(p, PREAUTH_SAY_MALFORMED, out);
	}
	/* Not command.args: the arguments may go on behind literals. */
	struct span args = command_reader_text(&p->reader);
	args = span_slice(args, (size_t)(command.args.p - args.p), args.n);
	return preauth_run(p, command.verb, args, out);
}

/* The answer to a command that may not send this literal; NULL: it may. */
static const char *literal_refusal(struct preauth *p, enum command_form form, struct span verb)
{
	if (form != COMMAND_GOOD) {
		return form == COMMAND_BAD_TAG ? "BAD Invalid tag" : PREAUTH_SAY_MALFORMED;
	}
	bool is_login = span_is_nocase(verb, "LOGIN");
	if (is_login && !p->policy.can_sign_in) {
		return PREAUTH_SAY_PRIVACY;
	}
	if (!is_login && !span_is_nocase(verb, "ID")) {
		return "BAD No literal expected";
	}
	if (p->reader.literal.is_binary) {
		return PREAUTH_SAY_MALFORMED;
	}
	if (p->reader.literal.size > LITERAL_MAX || ++p->literals > LITERALS_MAX) {
		return "BAD Literal too large, or too many";
	}
	return NULL;
}

static enum preauth_verdict on_literal(struct preauth *p, struct buf *out)
{
	struct command command = {0};
	enum command_form form = split(p, &command);
	if (is_no_imap(p, form)) {
		return end(p, FAIL_CLIENT_PROTOCOL, out);
	}
	p->refusal = literal_refusal(p, form, command.verb);
	bool is_sync = p->reader.form == LITERAL_SYNC;
	if (p->refusal == NULL) {
		command_reader_accept(&p->reader);
		if (is_sync) {
			preauth_say(p, out, "+ OK\r\n");
		}
		return PREAUTH_MORE;
	}
	if (!is_sync && p->reader.literal.size > p->policy.max_bytes) {
		return end(p, FAIL_PREAUTH_BYTES, out);
	}
	return command_reader_refuse(&p->reader) ? preauth_answer(p, p->refusal, out)
						 : PREAUTH_MORE;
}

static enum preauth_verdict on_read(struct preauth *p, enum command_read read, struct buf *out)
{
	switch (read) {
	case COMMAND_READ_MORE:
		return PREAUTH_MORE;
	case COMMAND_READ_TOO_LONG:
		return end(p, FAIL_LINE_TOO_LONG, out);
	case COMMAND_READ_LITERAL:
		return on_literal(p, out);
	case COMMAND_READ_DRAINED:
		return preauth_answer(p, p->refusal, out);
	case COMMAND_READ_WHOLE:
	case COMMAND_READ_MALFORMED:
		break;
	}
	if (p->state == PREAUTH_STATE_COMMAND) {
		return on_command(p, read, out);
	}
	return preauth_run_sasl(p, command_reader_text(&p->reader), out);
}

/* Bytes that open no tag: a TLS handshake on a port without TLS would never end its line. */
static bool is_no_tag(const struct preauth *p, struct span in)
{
	return p->is_first && in.n > 0 && command_reader_is_empty(&p->reader) &&
	       !command_tag_is_valid(span_slice(in, 0, 1));
}

static enum preauth_verdict run(struct preauth *p, struct span *in, struct buf *out)
{
	enum preauth_verdict verdict = PREAUTH_MORE;
	do {
		if (is_no_tag(p, *in)) {
			return end(p, FAIL_CLIENT_PROTOCOL, out);
		}
		enum command_read read = command_reader_feed(&p->reader, in);
		verdict = on_read(p, read, out);
	} while (verdict == PREAUTH_MORE && in->n > 0);
	return verdict;
}

enum preauth_verdict preauth_feed(struct preauth *p, struct span *in, struct buf *out)
{
	assert(p->state <= PREAUTH_STATE_EXCHANGE);
	assert(p->seen <= p->policy.max_bytes);
	struct span allowed = *in;
	if (allowed.n > p->policy.max_bytes - p->seen) {
		allowed.n = p->policy.max_bytes - p->seen;
	}
	size_t before = allowed.n;
	enum preauth_verdict verdict = run(p, &allowed, out);
	struct span used;
	bool is_taken = span_take_bytes(in, before - allowed.n, &used);
	assert(is_taken);
	(void)is_taken;
	p->seen += used.n;
	if (verdict == PREAUTH_MORE && in->n > 0) {
		verdict = end(p, FAIL_PREAUTH_BYTES, out);
	}
	if (p->failure == FAIL_SLOW_READER && p->state != PREAUTH_STATE_ENDED) {
		verdict = end(p, FAIL_SLOW_READER, out);
	}
	return verdict;
}

struct preauth *preauth_create(const struct preauth_policy *policy)
{
	struct preauth *p = xcalloc(1, sizeof(*p));
	p->policy = *policy;
	p->offered = xmemdup0(policy->offered.p, policy->offered.n);
	p->policy.offered = (struct span){0};
	p->state = PREAUTH_STATE_COMMAND;
	p->is_first = true;
	command_reader_init(&p->reader, policy->max_line, policy->max_bytes + TEXT_SLACK);
	return p;
}

void preauth_destroy(struct preauth **p)
{
	if (*p != NULL) {
		command_reader_finish(&(*p)->reader);
		credentials_drop(&(*p)->credentials);
		client_id_destroy(&(*p)->id);
		secret_drop(&(*p)->response);
		free((*p)->offered);
		free((*p)->late_refusal);
		free(*p);
		*p = NULL;
	}
}

void preauth_greet(struct preauth *p, struct buf *out)
{
	assert(p->state == PREAUTH_STATE_COMMAND);
	preauth_say(p, out, "* OK [CAPABILITY ");
	preauth_say_capabilities(p, out);
	preauth_say(p, out, "] imapmux ready\r\n");
}

void preauth_tls_active(struct preauth *p, unsigned mechanisms)
{
	assert(p->state == PREAUTH_STATE_STARTTLS);
	/* Whoever wrote before the handshake need not be who writes now (S1). */
	preauth_move(p, PREAUTH_STATE_COMMAND);
	credentials_drop(&p->credentials);
	p->policy.can_starttls = false;
	p->policy.can_sign_in = true;
	p->policy.mechanisms = mechanisms;
	p->is_first = true;
	p->has_asked = false;
	p->has_id = false;
	client_id_destroy(&p->id);
	p->tag_len = 0;
}

struct client_id *preauth_take_id(struct preauth *p)
{
	struct client_id *id = p->id;
	p->id = NULL;
	return id;
}

struct credentials *preauth_credentials(struct preauth *p)
{
	return &p->credentials;
}

struct span preauth_tag(const struct preauth *p)
{
	return span_of(p->tag, p->tag_len);
}

enum fail preauth_failure(const struct preauth *p)
{
	return p->failure;
}
