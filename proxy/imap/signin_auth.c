/*
 * The part of the dialogue that has to do with a credential: the command that carries it, and the
 * exchange that may follow.
 */
#include "signin_priv.h"

#include <assert.h>
#include <stdio.h>

#include "imap/base64.h"
#include "imap/sasl.h"

static bool has_nul(struct span s)
{
	return span_find(s, '\0') < s.n;
}

/* A password goes by PLAIN, or by LOGIN where there is no PLAIN. */
static enum fail build_password(struct signin *s, struct span login, const struct credentials *c)
{
	struct signin_auth auth = {
		.tag = s->tag,
		.authzid = secret_span(&c->authzid),
		.login = login,
		.password = secret_span(&c->password),
	};
	/* preauth lets none through; the login may come from a map. */
	if (has_nul(auth.authzid) || has_nul(auth.login) || has_nul(auth.password)) {
		return FAIL_AUTH;
	}
	if (signin_offers(s, "AUTH=PLAIN")) {
		bool is_built = signin_write_plain(&s->command, &auth, signin_offers(s, "SASL-IR"));
		return is_built ? FAIL_NONE : FAIL_AUTH;
	}
	if (signin_offers(s, "LOGINDISABLED") || auth.authzid.n > 0) {
		return FAIL_SERVER_NO_MECHANISM;
	}
	return signin_write_login(&s->command, &auth) ? FAIL_NONE : FAIL_AUTH;
}

/* The first message as the server is to see it. */
static bool write_first(struct buf *out, struct span login, const struct credentials *c)
{
	if ((MECHANISM_BIT(c->mechanism) & MECHANISMS_TOKEN) != 0) {
		return sasl_token_write(out, c, login);
	}
	/* What SCRAM proves covers the name: it cannot be another one. */
	return span_equal(login, secret_span(&c->user)) &&
	       base64_encode(out, secret_span(&c->message));
}

/* The client's own mechanism, or none. */
static enum fail build_message(struct signin *s, struct span login, const struct credentials *c)
{
	const char *word = mechanism_word(c->mechanism);
	char capability[MECHANISM_WORD_MAX + sizeof("AUTH=")];
	snprintf(capability, sizeof(capability), "AUTH=%s", word);
	if (!signin_offers(s, capability)) {
		return FAIL_MECHANISM;
	}
	struct buf first;
	buf_init(&first, SASL_LINE_MAX);
	bool is_built = write_first(&first, login, c) &&
			signin_write_message(&s->command, s->tag, word, buf_peek(&first),
				signin_offers(s, "SASL-IR"));
	buf_finish(&first);
	s->may_challenge = true;
	s->needs_challenge = (MECHANISM_BIT(c->mechanism) & MECHANISMS_SCRAM) != 0;
	return is_built ? FAIL_NONE : FAIL_AUTH;
}

static enum fail build_auth(struct signin *s, struct span login, const struct credentials *c)
{
	return c->message.len > 0 ? build_message(s, login, c) : build_password(s, login, c);
}

enum signin_verdict signin_start(struct signin *s, struct span login,
	const struct credentials *credentials, const struct signin_identity *identity,
	struct buf *out)
{
	assert(s->state == STATE_READY);
	s->seen = 0;
	if (identity != NULL && signin_offers(s, "ID")) {
		signin_draw_tag(s, s->id_tag);
		if (!signin_write_id(out, s->id_tag, identity)) {
			signin_fail(s, FAIL_SERVER_IO);
			return SIGNIN_FAILED;
		}
	}
	signin_draw_tag(s, s->tag);
	enum fail why = build_auth(s, login, credentials);
	/* Right behind ID saves a round trip; behind AUTHENTICATE nothing may follow: Cyrus loses it. */
	if (why == FAIL_NONE && !quote_send(&s->command, out)) {
		why = FAIL_SERVER_IO;
	}
	if (why != FAIL_NONE) {
		signin_fail(s, why);
		return SIGNIN_FAILED;
	}
	/* What the server offers from here on is for this user. */
	buf_clear(&s->capabilities);
	signin_move(s, STATE_AUTH);
	return SIGNIN_MORE;
}

/* A server's question for the client. */
static void be_challenged(struct signin *s, struct span line)
{
	/* It will be a line to the client: nothing but base64 may stand in it. */
	if (s->steps >= SASL_STEPS_MAX || !sasl_is_line(line)) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	s->steps++;
	s->has_challenge = true;
	secret_set(&s->challenge, line);
	signin_move(s, STATE_CHALLENGED);
}

void signin_on_continue(struct signin *s, const struct response *r, struct buf *out)
{
	if (s->state != STATE_AUTH) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
	} else if (!quote_is_sent(&s->command)) {
		if (!quote_send(&s->command, out)) {
			signin_fail(s, FAIL_SERVER_IO);
		}
	} else if (s->may_challenge) {
		be_challenged(s, r->text);
	} else if (!buf_add_str(out, "*\r\n")) {
		signin_fail(s, FAIL_SERVER_IO);
	} else {
		/* All was said, and PLAIN has no second message: whatever it wants, it gets nothing. */
		signin_move(s, STATE_CANCELLED);
	}
}

struct span signin_challenge(const struct signin *s)
{
	assert(s->state == STATE_CHALLENGED);
	return secret_span(&s->challenge);
}

enum signin_verdict signin_respond(struct signin *s, struct span line, struct buf *out)
{
	assert(s->state == STATE_CHALLENGED);
	assert(sasl_is_line(line));
	secret_drop(&s->challenge);
	if (!buf_add(out, line) || !buf_add_str(out, "\r\n")) {
		signin_fail(s, FAIL_SERVER_IO);
		return SIGNIN_FAILED;
	}
	signin_move(s, STATE_AUTH);
	return SIGNIN_MORE;
}
