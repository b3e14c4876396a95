#include "signin_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/sm.h"
#include "imap/capability.h"
#include "imap/refusal.h"
#include "imap/response.h"

/*
 *	GREETING -> ASKING -> STARTTLS -> HANDSHAKE -> (ASKING)
 *	      \        \
 *	       +--------+--> READY -> AUTH -> ASKING_AGAIN -> OK
 *	                             ^| |\ \___________________^
 *	                             || | +-> CANCELLED
 *	                             |v |            |
 *	                     CHALLENGED +----> NO <--+        every state but the last -> FAILED
 *	                             |         ^
 *	                             +---------+
 */
static const struct sm_state states[] = {
	[STATE_GREETING] = {"greeting", SM_TO(STATE_ASKING) | SM_TO(STATE_STARTTLS) |
						SM_TO(STATE_READY) | SM_TO(STATE_FAILED)},
	[STATE_ASKING] = {"asking",
		SM_TO(STATE_STARTTLS) | SM_TO(STATE_READY) | SM_TO(STATE_FAILED)},
	[STATE_STARTTLS] = {"starttls", SM_TO(STATE_HANDSHAKE) | SM_TO(STATE_FAILED)},
	[STATE_HANDSHAKE] = {"handshake", SM_TO(STATE_ASKING) | SM_TO(STATE_FAILED)},
	[STATE_READY] = {"ready", SM_TO(STATE_AUTH) | SM_TO(STATE_FAILED)},
	[STATE_AUTH] = {"auth", SM_TO(STATE_CHALLENGED) | SM_TO(STATE_CANCELLED) |
					SM_TO(STATE_ASKING_AGAIN) | SM_TO(STATE_OK) |
					SM_TO(STATE_NO) | SM_TO(STATE_FAILED)},
	[STATE_CHALLENGED] = {"challenged",
		SM_TO(STATE_AUTH) | SM_TO(STATE_NO) | SM_TO(STATE_FAILED)},
	[STATE_CANCELLED] = {"cancelled", SM_TO(STATE_NO) | SM_TO(STATE_FAILED)},
	[STATE_ASKING_AGAIN] = {"asking-again", SM_TO(STATE_OK) | SM_TO(STATE_FAILED)},
	[STATE_OK] = {"ok", 0},
	[STATE_NO] = {"no", 0},
	[STATE_FAILED] = {"failed", 0},
};

void signin_fail(struct signin *s, enum fail why)
{
	assert(why != FAIL_NONE);
	/* No byte of the credential outlives its use. */
	quote_finish(&s->command);
	s->failure = why;
	signin_move(s, STATE_FAILED);
}

void signin_draw_tag(struct signin *s, char *tag)
{
	snprintf(tag, SIGNIN_TAG_MAX, "mux%u", ++s->tags);
}

void signin_move(struct signin *s, enum signin_state next)
{
	sm_move(states, &s->state, (int)next);
}

static void send_command(
	struct signin *s, const char *verb, enum signin_state next, struct buf *out)
{
	signin_draw_tag(s, s->tag);
	if (!buf_addf(out, "%s %s\r\n", s->tag, verb)) {
		signin_fail(s, FAIL_SERVER_IO);
		return;
	}
	signin_move(s, next);
}

bool signin_offers(const struct signin *s, const char *word)
{
	return capability_has(signin_capabilities(s), word);
}

static void take_capabilities(struct signin *s, struct span list)
{
	buf_clear(&s->capabilities);
	bool is_added = buf_add(&s->capabilities, list);
	assert(is_added); /* no line is longer */
	(void)is_added;
}

/* Takes the list that a line may carry, in either form. */
static void look_for_capabilities(struct signin *s, const struct response *r)
{
	if (r->status == RESPONSE_OK && span_is_nocase(r->code, "CAPABILITY")) {
		take_capabilities(s, r->code_args);
	} else if (r->kind == RESPONSE_UNTAGGED && span_is_nocase(r->word, "CAPABILITY")) {
		take_capabilities(s, r->text);
	}
}

/* A list is here, before anybody signs in: on to TLS, or ready. */
static void on_capabilities(struct signin *s, struct buf *out)
{
	if (!s->want_starttls) {
		signin_move(s, STATE_READY);
	} else if (signin_offers(s, "STARTTLS")) {
		send_command(s, "STARTTLS", STATE_STARTTLS, out);
	} else {
		/* Stripped by somebody on the way, perhaps: no credential leaves (S4). */
		signin_fail(s, FAIL_SERVER_STARTTLS);
	}
}

static void on_greeting(struct signin *s, const struct response *r, struct buf *out)
{
	if (r->kind != RESPONSE_UNTAGGED) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	switch (r->status) {
	case RESPONSE_OK:
		look_for_capabilities(s, r);
		if (buf_len(&s->capabilities) > 0) {
			on_capabilities(s, out);
		} else {
			send_command(s, "CAPABILITY", STATE_ASKING, out);
		}
		return;
	case RESPONSE_PREAUTH:
		/* Signed in as somebody else, and beyond STARTTLS (S4). */
		signin_fail(s, FAIL_SERVER_PREAUTH);
		return;
	case RESPONSE_BYE:
		signin_fail(s, FAIL_SERVER_BYE);
		return;
	default:
		signin_fail(s, FAIL_SERVER_PROTOCOL);
	}
}

/* Only while ours is unanswered: what is said unasked is not an answer. */
static void look_for_id(struct signin *s, const struct response *r)
{
	bool is_id = r->status == RESPONSE_DATA && span_is_nocase(r->word, "ID");
	if (is_id && s->id_tag[0] != '\0') {
		buf_clear(&s->server_id);
		(void)!buf_add(&s->server_id, r->text); /* too long: none */
	}
}

static void on_untagged(struct signin *s, const struct response *r)
{
	look_for_id(s, r);
	if (r->status == RESPONSE_BYE) {
		signin_fail(s, FAIL_SERVER_BYE);
	} else if (r->status == RESPONSE_PREAUTH) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
	} else {
		look_for_capabilities(s, r);
	}
}

static void on_signed_in(struct signin *s, const struct response *r, struct buf *out)
{
	/* An OK that did not wait for the credential is no proof, and a reply to ID that is still to
	 * come would end up at the client. */
	bool has_waited = s->state == STATE_AUTH && quote_is_sent(&s->command) &&
			  (s->steps > 0 || !s->needs_challenge);
	if (!has_waited || s->id_tag[0] != '\0') {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	look_for_capabilities(s, r);
	if (buf_len(&s->capabilities) > 0) {
		signin_move(s, STATE_OK);
	} else {
		send_command(s, "CAPABILITY", STATE_ASKING_AGAIN, out);
	}
}

static void on_refused(struct signin *s, const struct response *r)
{
	if (s->state == STATE_CANCELLED && r->status == RESPONSE_BAD) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	s->refusal = refusal_of(r);
	quote_finish(&s->command);
	signin_move(s, STATE_NO);
}

static void on_auth_result(struct signin *s, const struct response *r, struct buf *out)
{
	if (r->status == RESPONSE_OK) {
		on_signed_in(s, r, out);
	} else {
		on_refused(s, r);
	}
}

static void on_list_result(struct signin *s, const struct response *r, struct buf *out)
{
	look_for_capabilities(s, r);
	if (r->status != RESPONSE_OK || buf_len(&s->capabilities) == 0) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
	} else if (s->state == STATE_ASKING_AGAIN) {
		signin_move(s, STATE_OK);
	} else {
		on_capabilities(s, out);
	}
}

static void on_tagged(struct signin *s, const struct response *r, struct buf *out)
{
	bool is_status =
		r->status == RESPONSE_OK || r->status == RESPONSE_NO || r->status == RESPONSE_BAD;
	if (is_status && s->id_tag[0] != '\0' && response_is_tagged(r, s->id_tag)) {
		s->id_tag[0] = '\0'; /* whatever it says: ID is a courtesy */
		return;
	}
	if (!is_status || s->tag[0] == '\0' || !response_is_tagged(r, s->tag)) {
		signin_fail(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	s->tag[0] = '\0';
	switch (s->state) {
	case STATE_ASKING:
	case STATE_ASKING_AGAIN:
		on_list_result(s, r, out);
		return;
	case STATE_STARTTLS:
		if (r->status == RESPONSE_OK) {
			signin_move(s, STATE_HANDSHAKE);
		} else {
			signin_fail(s, FAIL_SERVER_STARTTLS);
		}
		return;
	default:
		assert(s->state >= STATE_AUTH && s->state <= STATE_CANCELLED);
		on_auth_result(s, r, out);
	}
}

static void on_line(struct signin *s, struct span line, struct buf *out)
{
	struct response r = response_parse(line);
	if (s->state == STATE_GREETING) {
		on_greeting(s, &r, out);
		return;
	}
	switch (r.kind) {
	case RESPONSE_EMPTY:
		return;
	case RESPONSE_UNTAGGED:
		on_untagged(s, &r);
		return;
	case RESPONSE_CONTINUE:
		signin_on_continue(s, &r, out);
		return;
	case RESPONSE_TAGGED:
		on_tagged(s, &r, out);
		return;
	}
}

static enum signin_verdict verdict_of(const struct signin *s)
{
	switch (s->state) {
	case STATE_HANDSHAKE:
		return SIGNIN_STARTTLS;
	case STATE_READY:
		return SIGNIN_READY;
	case STATE_OK:
		return SIGNIN_OK;
	case STATE_NO:
		return SIGNIN_NO;
	case STATE_FAILED:
		return SIGNIN_FAILED;
	default:
		return SIGNIN_MORE;
	}
}

static bool has_ended(const struct signin *s)
{
	return s->state == STATE_OK || s->state == STATE_NO || s->state == STATE_FAILED;
}

enum signin_verdict signin_feed(struct signin *s, struct span *in, struct buf *out)
{
	while (in->n > 0 && !has_ended(s) && !s->has_challenge) {
		if (s->state == STATE_HANDSHAKE) {
			/* Written by nobody knows whom before TLS, to be read as if inside it (S2). */
			signin_fail(s, FAIL_SERVER_INJECTED);
			break;
		}
		struct span line;
		size_t before = in->n;
		enum response_read read = response_reader_feed(&s->reader, in, &line);
		s->seen += before - in->n;
		if (read == RESPONSE_READ_TOO_LONG || s->seen > SIGNIN_MAX_INPUT) {
			signin_fail(s, FAIL_SERVER_PROTOCOL);
		} else if (read == RESPONSE_READ_LINE) {
			on_line(s, line, out);
		}
	}
	if (s->has_challenge) {
		s->has_challenge = false;
		return SIGNIN_CHALLENGE;
	}
	return verdict_of(s);
}

struct signin *signin_create(bool want_starttls)
{
	struct signin *s = xcalloc(1, sizeof(*s));
	s->state = STATE_GREETING;
	s->want_starttls = want_starttls;
	response_reader_init(&s->reader, SIGNIN_MAX_LINE);
	buf_init(&s->capabilities, SIGNIN_MAX_LINE);
	buf_init(&s->server_id, SIGNIN_MAX_ID);
	return s;
}

struct signin *signin_create_again(struct span capabilities, struct buf *out)
{
	struct signin *s = signin_create(false);
	if (capabilities.n > 0 && capabilities.n <= SIGNIN_MAX_LINE) {
		take_capabilities(s, capabilities);
		signin_move(s, STATE_READY);
	} else {
		send_command(s, "CAPABILITY", STATE_ASKING, out);
	}
	return s;
}

enum signin_verdict signin_state(const struct signin *s)
{
	return verdict_of(s);
}

void signin_destroy(struct signin **s)
{
	if (*s != NULL) {
		response_reader_finish(&(*s)->reader);
		buf_finish(&(*s)->capabilities);
		buf_finish(&(*s)->server_id);
		quote_finish(&(*s)->command);
		secret_drop(&(*s)->challenge);
		free(*s);
		*s = NULL;
	}
}

void signin_tls_active(struct signin *s, struct buf *out)
{
	assert(s->state == STATE_HANDSHAKE);
	s->want_starttls = false;
	buf_clear(&s->capabilities);
	send_command(s, "CAPABILITY", STATE_ASKING, out);
}

struct span signin_capabilities(const struct signin *s)
{
	return buf_peek(&s->capabilities);
}

struct span signin_server_id(const struct signin *s)
{
	return buf_peek(&s->server_id);
}

struct span signin_refusal(const struct signin *s)
{
	assert(s->state == STATE_NO);
	return span_str(s->refusal.text);
}

bool signin_is_wrong_credential(const struct signin *s)
{
	assert(s->state == STATE_NO);
	return s->refusal.is_wrong_credential;
}

enum fail signin_failure(const struct signin *s)
{
	return s->failure;
}
