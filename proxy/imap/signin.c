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
 *	                              | \ \___________________^
 *	                              |  +-> CANCELLED
 *	                              +----> NO <+              every state but the last -> FAILED
 */
enum state {
	GREETING,
	ASKING,
	STARTTLS,
	HANDSHAKE,
	READY,
	AUTH,
	CANCELLED,
	ASKING_AGAIN,
	OK,
	NO,
	FAILED
};

static const struct sm_state states[] = {
	[GREETING] = {"greeting", SM_TO(ASKING) | SM_TO(STARTTLS) | SM_TO(READY) | SM_TO(FAILED)},
	[ASKING] = {"asking", SM_TO(STARTTLS) | SM_TO(READY) | SM_TO(FAILED)},
	[STARTTLS] = {"starttls", SM_TO(HANDSHAKE) | SM_TO(FAILED)},
	[HANDSHAKE] = {"handshake", SM_TO(ASKING) | SM_TO(FAILED)},
	[READY] = {"ready", SM_TO(AUTH) | SM_TO(FAILED)},
	[AUTH] = {"auth",
		SM_TO(CANCELLED) | SM_TO(ASKING_AGAIN) | SM_TO(OK) | SM_TO(NO) | SM_TO(FAILED)},
	[CANCELLED] = {"cancelled", SM_TO(NO) | SM_TO(FAILED)},
	[ASKING_AGAIN] = {"asking-again", SM_TO(OK) | SM_TO(FAILED)},
	[OK] = {"ok", 0},
	[NO] = {"no", 0},
	[FAILED] = {"failed", 0},
};

struct signin {
	struct response_reader reader;
	struct buf capabilities; /* the newest list; empty: none, or forgotten */
	struct buf server_id;    /* its answer to our ID */
	struct quote command;    /* what is still to be sent of the sign-in: the credential */
	int state;               /* enum state */
	bool want_starttls;      /* still to be done */
	enum fail failure;
	struct refusal refusal;
	size_t seen;                 /* bytes of input of this half of the dialogue */
	unsigned tags;               /* drawn so far */
	char tag[SIGNIN_TAG_MAX];    /* of the command that is waited for; "": none */
	char id_tag[SIGNIN_TAG_MAX]; /* of an ID before it */
};

static void fail_with(struct signin *s, enum fail why)
{
	assert(why != FAIL_NONE);
	/* No byte of the credential outlives its use. */
	quote_finish(&s->command);
	s->failure = why;
	sm_move(states, &s->state, FAILED);
}

static void draw_tag(struct signin *s, char *tag)
{
	snprintf(tag, SIGNIN_TAG_MAX, "mux%u", ++s->tags);
}

static void send_command(struct signin *s, const char *verb, enum state next, struct buf *out)
{
	draw_tag(s, s->tag);
	if (!buf_addf(out, "%s %s\r\n", s->tag, verb)) {
		fail_with(s, FAIL_SERVER_IO);
		return;
	}
	sm_move(states, &s->state, next);
}

static bool offers(const struct signin *s, const char *word)
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
		sm_move(states, &s->state, READY);
	} else if (offers(s, "STARTTLS")) {
		send_command(s, "STARTTLS", STARTTLS, out);
	} else {
		/* Stripped by somebody on the way, perhaps: no credential leaves (S4). */
		fail_with(s, FAIL_SERVER_STARTTLS);
	}
}

static void on_greeting(struct signin *s, const struct response *r, struct buf *out)
{
	if (r->kind != RESPONSE_UNTAGGED) {
		fail_with(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	switch (r->status) {
	case RESPONSE_OK:
		look_for_capabilities(s, r);
		if (buf_len(&s->capabilities) > 0) {
			on_capabilities(s, out);
		} else {
			send_command(s, "CAPABILITY", ASKING, out);
		}
		return;
	case RESPONSE_PREAUTH:
		/* Signed in as somebody else, and beyond STARTTLS (S4). */
		fail_with(s, FAIL_SERVER_PREAUTH);
		return;
	case RESPONSE_BYE:
		fail_with(s, FAIL_SERVER_BYE);
		return;
	default:
		fail_with(s, FAIL_SERVER_PROTOCOL);
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
		fail_with(s, FAIL_SERVER_BYE);
	} else if (r->status == RESPONSE_PREAUTH) {
		fail_with(s, FAIL_SERVER_PROTOCOL);
	} else {
		look_for_capabilities(s, r);
	}
}

static void on_continue(struct signin *s, struct buf *out)
{
	if (s->state != AUTH) {
		fail_with(s, FAIL_SERVER_PROTOCOL);
	} else if (!quote_is_sent(&s->command)) {
		if (!quote_send(&s->command, out)) {
			fail_with(s, FAIL_SERVER_IO);
		}
	} else if (!buf_add_str(out, "*\r\n")) {
		fail_with(s, FAIL_SERVER_IO);
	} else {
		/* All was said, and PLAIN has no second message: whatever it wants, it gets nothing. */
		sm_move(states, &s->state, CANCELLED);
	}
}

static void on_signed_in(struct signin *s, const struct response *r, struct buf *out)
{
	/* An OK that did not wait for the password is no proof, and a reply to ID that is still to
	 * come would end up at the client. */
	if (s->state != AUTH || !quote_is_sent(&s->command) || s->id_tag[0] != '\0') {
		fail_with(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	look_for_capabilities(s, r);
	if (buf_len(&s->capabilities) > 0) {
		sm_move(states, &s->state, OK);
	} else {
		send_command(s, "CAPABILITY", ASKING_AGAIN, out);
	}
}

static void on_refused(struct signin *s, const struct response *r)
{
	if (s->state == CANCELLED && r->status == RESPONSE_BAD) {
		fail_with(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	s->refusal = refusal_of(r);
	quote_finish(&s->command);
	sm_move(states, &s->state, NO);
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
		fail_with(s, FAIL_SERVER_PROTOCOL);
	} else if (s->state == ASKING_AGAIN) {
		sm_move(states, &s->state, OK);
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
		fail_with(s, FAIL_SERVER_PROTOCOL);
		return;
	}
	s->tag[0] = '\0';
	switch (s->state) {
	case ASKING:
	case ASKING_AGAIN:
		on_list_result(s, r, out);
		return;
	case STARTTLS:
		if (r->status == RESPONSE_OK) {
			sm_move(states, &s->state, HANDSHAKE);
		} else {
			fail_with(s, FAIL_SERVER_STARTTLS);
		}
		return;
	default:
		assert(s->state == AUTH || s->state == CANCELLED);
		on_auth_result(s, r, out);
	}
}

static void on_line(struct signin *s, struct span line, struct buf *out)
{
	struct response r = response_parse(line);
	if (s->state == GREETING) {
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
		on_continue(s, out);
		return;
	case RESPONSE_TAGGED:
		on_tagged(s, &r, out);
		return;
	}
}

static enum signin_verdict verdict_of(const struct signin *s)
{
	switch (s->state) {
	case HANDSHAKE:
		return SIGNIN_STARTTLS;
	case READY:
		return SIGNIN_READY;
	case OK:
		return SIGNIN_OK;
	case NO:
		return SIGNIN_NO;
	case FAILED:
		return SIGNIN_FAILED;
	default:
		return SIGNIN_MORE;
	}
}

static bool has_ended(const struct signin *s)
{
	return s->state == OK || s->state == NO || s->state == FAILED;
}

enum signin_verdict signin_feed(struct signin *s, struct span *in, struct buf *out)
{
	while (in->n > 0 && !has_ended(s)) {
		if (s->state == HANDSHAKE) {
			/* Written by nobody knows whom before TLS, to be read as if inside it (S2). */
			fail_with(s, FAIL_SERVER_INJECTED);
			break;
		}
		struct span line;
		size_t before = in->n;
		enum response_read read = response_reader_feed(&s->reader, in, &line);
		s->seen += before - in->n;
		if (read == RESPONSE_READ_TOO_LONG || s->seen > SIGNIN_MAX_INPUT) {
			fail_with(s, FAIL_SERVER_PROTOCOL);
		} else if (read == RESPONSE_READ_LINE) {
			on_line(s, line, out);
		}
	}
	return verdict_of(s);
}

struct signin *signin_create(bool want_starttls)
{
	struct signin *s = xcalloc(1, sizeof(*s));
	s->state = GREETING;
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
		sm_move(states, &s->state, READY);
	} else {
		send_command(s, "CAPABILITY", ASKING, out);
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
		free(*s);
		*s = NULL;
	}
}

void signin_tls_active(struct signin *s, struct buf *out)
{
	assert(s->state == HANDSHAKE);
	s->want_starttls = false;
	buf_clear(&s->capabilities);
	send_command(s, "CAPABILITY", ASKING, out);
}

static bool has_nul(struct span s)
{
	return span_find(s, '\0') < s.n;
}

/* Builds the command for the way that the server offers. FAIL_NONE: it is in s->command. */
static enum fail build_auth(struct signin *s, struct span login, const struct credentials *c)
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
	if (offers(s, "AUTH=PLAIN")) {
		bool is_built = signin_write_plain(&s->command, &auth, offers(s, "SASL-IR"));
		return is_built ? FAIL_NONE : FAIL_AUTH;
	}
	if (offers(s, "LOGINDISABLED") || auth.authzid.n > 0) {
		return FAIL_SERVER_NO_MECHANISM;
	}
	return signin_write_login(&s->command, &auth) ? FAIL_NONE : FAIL_AUTH;
}

enum signin_verdict signin_start(struct signin *s, struct span login,
	const struct credentials *credentials, const struct signin_identity *identity,
	struct buf *out)
{
	assert(s->state == READY);
	s->seen = 0;
	if (identity != NULL && offers(s, "ID")) {
		draw_tag(s, s->id_tag);
		if (!signin_write_id(out, s->id_tag, identity)) {
			fail_with(s, FAIL_SERVER_IO);
			return SIGNIN_FAILED;
		}
	}
	draw_tag(s, s->tag);
	enum fail why = build_auth(s, login, credentials);
	/* Right behind ID saves a round trip; behind AUTHENTICATE nothing may follow: Cyrus loses it. */
	if (why == FAIL_NONE && !quote_send(&s->command, out)) {
		why = FAIL_SERVER_IO;
	}
	if (why != FAIL_NONE) {
		fail_with(s, why);
		return SIGNIN_FAILED;
	}
	/* What the server offers from here on is for this user. */
	buf_clear(&s->capabilities);
	sm_move(states, &s->state, AUTH);
	return SIGNIN_MORE;
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
	assert(s->state == NO);
	return span_str(s->refusal.text);
}

bool signin_is_wrong_credential(const struct signin *s)
{
	assert(s->state == NO);
	return s->refusal.is_wrong_credential;
}

enum fail signin_failure(const struct signin *s)
{
	return s->failure;
}
