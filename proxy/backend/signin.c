/*
 * Drives imap/signin over a stream: dial, TLS, dialogue, signed in.
 *
 * Happy path: backend_dial, on_dialed, on_open, greeting and capabilities (STARTTLS between, if wanted),
 * SIGNIN_READY, credentials, SIGNIN_OK, the loan is ready. A spare (spare.c) stops at SIGNIN_READY and
 * goes on by backend_signin_start.
 * Between the credentials and SIGNIN_OK the server may ask, and the client answer: on_challenge,
 * backend_respond, as often as the mechanism wants.
 * Failure ways: no connection, TLS or verification failed, the dialogue failed or took too long: the
 * loan is told once and is over; the server said NO: the loan is told its text.
 */
#include <assert.h>
#include <stdlib.h>

#include "backend/inspect.h"
#include "base/alloc.h"
#include "user_priv.h"

/*
 * A spare may have been closed by the server a moment before its loan came: the dialogue then ends without
 * an answer, and the loan goes on with a connection that is new.
 */
static bool was_too_late(const struct backend *b, enum fail why)
{
	return b->is_spare && !b->loan->is_challenged &&
	       (why == FAIL_SERVER_LEFT || why == FAIL_SERVER_IO || why == FAIL_SERVER_BYE);
}

void backend_signin_broken(struct backend *b, enum fail why, const char *detail)
{
	struct loan *l = b->loan;
	probe_failed(b, why, detail);
	if (l == NULL) {
		spare_broken(b, why);
		return;
	}
	bool is_too_late = was_too_late(b, why);
	bool is_clients_doing = why == FAIL_MECHANISM || l->is_challenged;
	b->loan = NULL;
	if (is_too_late) {
		loan_again(l);
	} else if (is_clients_doing) {
		/* What a client chooses, or says or does not say in an exchange, tells nothing about the
		 * server's health: a stranger must not get it a rest. */
		loan_fail(l, why, detail);
	} else {
		counter_add(b->pool->counters, COUNTER_BACKEND_DIAL_FAILURES, 1);
		pool_note(b->pool, b->server->name, POOL_EVENT_FAILED, why);
		spare_server_failed(b->server);
		/* detail may belong to what is closed below: tell first. */
		loan_fail(l, why, detail);
	}
	backend_close(b, why);
}

static void on_dialed(void *owner, int fd, enum fail why, const char *detail)
{
	struct backend *b = owner;
	assert(b->state == BACKEND_DIALING);
	b->dial = NULL;
	if (fd < 0) {
		backend_signin_broken(b, why, detail);
		return;
	}
	struct buf preface;
	backend_write_preface(b, &preface);
	struct stream_options options = {
		.preface = buf_peek(&preface),
		.tls = b->config->tls == TLS_IMPLICIT ? b->tls : NULL,
		.server_name = b->config->server_name,
	};
	b->stream = stream_create(b->pool->loop, fd, &options, &backend_stream_events, b);
	buf_finish(&preface);
	if (b->stream == NULL) {
		backend_signin_broken(b, FAIL_CONNECT, "out of descriptors");
		return;
	}
	b->signin = signin_create(b->config->tls == TLS_STARTTLS);
	net_loop_arm(b->pool->loop, &b->timer, b->limits->signin_timeout);
	backend_move(b, BACKEND_HANDSHAKE);
}

void backend_dial(struct backend *b)
{
	counter_add(b->pool->counters, COUNTER_BACKEND_DIALS, 1);
	b->dial = dial_start(
		b->pool->loop, &b->config->address, b->limits->connect_timeout, on_dialed, b);
}

void backend_signin_open(struct backend *b)
{
	assert(b->state == BACKEND_HANDSHAKE);
	bool was_starttls = b->config->tls == TLS_STARTTLS && stream_is_tls(b->stream);
	backend_move(b, BACKEND_SIGNIN);
	if (was_starttls) {
		struct buf out;
		buf_init(&out, BACKEND_OUT_MAX);
		signin_tls_active(b->signin, &out);
		backend_write(b, &out);
	}
}

static void be_signed_in(struct backend *b)
{
	struct loan *l = b->loan;
	b->capabilities = caps_get(&b->server->caps, signin_capabilities(b->signin));
	server_learn_id(b->server, signin_server_id(b->signin));
	signin_destroy(&b->signin);
	pool_note(b->pool, b->server->name, POOL_EVENT_UP, FAIL_NONE);
	spare_server_well(b->server);
	user_signed_in(b, l);
	credentials_drop(&l->wish->credentials);
	if (buf_len(&l->wish->class) > 0) {
		backend_enable(b);
	} else {
		loan_become_ready(l);
	}
	if (l->is_ready) {
		l->events->on_ready(l->owner);
	}
}

/*
 * The server allows no more connections of this user: one that is parked, or soon will be, makes room, and
 * the sign-in is tried once more. Dovecot says so only to those who know the password.
 */
static bool may_try_again(const struct backend *b)
{
	const struct loan *l = b->loan;
	return !l->has_retried && !l->is_challenged && user_find_unused(l->user) != NULL &&
	       span_starts_nocase(signin_refusal(b->signin), "[LIMIT]");
}

static void try_again(struct backend *b)
{
	struct loan *l = b->loan;
	l->has_retried = true;
	backend_evict(user_find_unused(l->user));
	b->loan = NULL;
	loan_again(l);
	backend_close(b, FAIL_SERVER_REFUSED);
}

static void be_refused(struct backend *b)
{
	struct loan *l = b->loan;
	bool is_wrong = signin_is_wrong_credential(b->signin);
	pool_note(b->pool, b->server->name, POOL_EVENT_UP, FAIL_NONE);
	if (is_wrong) {
		known_refuse(l);
	}
	if (may_try_again(b)) {
		try_again(b);
		return;
	}
	struct span text = signin_refusal(b->signin);
	b->loan = NULL;
	l->backend = NULL;
	l->events->on_refused(l->owner, text, is_wrong);
	backend_close(b, FAIL_AUTH);
}

/* It is the client's turn, who has his own time-out; the server's goes on with his answer. */
static void be_challenged(struct backend *b)
{
	struct loan *l = b->loan;
	assert(l->events->on_challenge != NULL);
	l->is_challenged = true;
	net_loop_disarm(b->pool->loop, &b->timer);
	l->events->on_challenge(l->owner, signin_challenge(b->signin));
}

void backend_respond(struct backend *b, struct span line)
{
	struct buf out;
	assert(b->state == BACKEND_SIGNIN && b->loan->is_challenged);
	buf_init(&out, BACKEND_OUT_MAX);
	enum signin_verdict verdict = signin_respond(b->signin, line, &out);
	assert(verdict == SIGNIN_MORE); /* there is room */
	(void)verdict;
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, b->loan->wish->limits->signin_timeout);
}

static void start_tls(struct backend *b, struct span in)
{
	struct stream_options options = {.tls = b->tls, .server_name = b->config->server_name};
	if (in.n > 0 || !stream_start_tls(b->stream, &options)) {
		backend_signin_broken(b, FAIL_SERVER_INJECTED, "");
	} else {
		backend_move(b, BACKEND_HANDSHAKE);
	}
}

/* Greeting and capabilities are read: for its loan, or to wait for one. */
static enum signin_verdict be_ready(struct backend *b, struct buf *out)
{
	const struct loan *l = b->loan;
	probe_greeted(b);
	if (b->state == BACKEND_CLOSING) {
		return SIGNIN_MORE;
	}
	if (l == NULL) {
		spare_ready(b);
		return SIGNIN_MORE;
	}
	const struct secret *signer = l->wish->signer.len > 0 ? &l->wish->signer : &l->wish->login;
	return signin_start(b->signin, secret_span(signer), &l->wish->credentials,
		l->wish->config->send_id ? &l->wish->identity : NULL, out);
}

/* One verdict of the brain, with what is to be sent. True: it may have more to say about the input. */
static bool act(struct backend *b, enum signin_verdict verdict, struct buf *out, struct span *in)
{
	if (verdict == SIGNIN_READY) {
		verdict = be_ready(b, out);
	}
	if (b->state == BACKEND_CLOSING) {
		buf_finish(out); /* it was a probe, and has said its goodbye */
		return false;
	}
	backend_write(b, out);
	switch (verdict) {
	case SIGNIN_READY:
	case SIGNIN_MORE:
		return in->n > 0;
	case SIGNIN_STARTTLS:
		start_tls(b, *in);
		return false;
	case SIGNIN_CHALLENGE:
		be_challenged(b);
		/* The client may have been told to give up: then the dialogue is no more. */
		return b->state == BACKEND_SIGNIN && in->n > 0;
	case SIGNIN_OK:
		be_signed_in(b);
		return false;
	case SIGNIN_NO:
		be_refused(b);
		return false;
	case SIGNIN_FAILED:
		backend_signin_broken(b, signin_failure(b->signin), "");
		return false;
	}
	return false;
}

size_t backend_signin_data(struct backend *b, struct span in)
{
	size_t given = in.n;
	bool has_more = true;
	while (has_more) {
		struct buf out;
		buf_init(&out, BACKEND_OUT_MAX);
		enum signin_verdict verdict = signin_feed(b->signin, &in, &out);
		has_more = act(b, verdict, &out, &in);
	}
	/* Closed: nothing of it is of use. Lent: the rest belongs to the session. */
	return b->state == BACKEND_CLOSING ? given : given - in.n;
}

void backend_signin_start(struct backend *b)
{
	struct span nothing = {0};
	struct buf out;
	assert(b->state == BACKEND_SIGNIN);
	buf_init(&out, BACKEND_OUT_MAX);
	act(b, signin_state(b->signin), &out, &nothing);
}
