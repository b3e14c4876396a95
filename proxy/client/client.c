/*
 * Happy path: create, on_open, greet, on_data feeds imap/preauth until PREAUTH_SIGN_IN, on_credentials,
 * client_accept, from then on bytes go up untouched.
 * Between on_credentials and the answer there may be an exchange: client_challenge, on_response, and again.
 * Failure ways: end of stream or error in any state, bounds of the dialogue, time-out before sign-in:
 * all end in on_gone, once, and the owner closes.
 */
#include "client/client.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sm.h"
#include "imap/sasl.h"

/* Replies of one feed: a CAPABILITY line for each of many pipelined commands. */
enum { CLIENT_REPLY_MAX = 262144 };
_Static_assert(CLIENT_REPLY_MAX >= PREAUTH_ROOM + 2 * SASL_LINE_MAX, "every single reply fits");

/* What is needed before sign-in only. */
struct dialogue {
	struct preauth *preauth; /* NULL: not begun, or carried away */
	struct client_options options;
	struct wheel_timer timer; /* preauth_timeout, while the client is to speak, or to read */
};

struct client {
	int state;
	bool is_gone; /* on_gone was told; nothing more is */
	struct net_loop *loop;
	struct stream *stream;
	struct dialogue *dialogue; /* NULL once signed in: an idle session owns no memory of it */
	const struct client_events *events;
	void *owner;
};

struct client_parcel {
	struct stream_parcel *stream;
	struct preauth *preauth;
	struct client_options options;
};

static const struct sm_state states[CLIENT_STATE_COUNT] = {
	[CLIENT_HANDSHAKE] = {"handshake", SM_TO(CLIENT_PREAUTH) | SM_TO(CLIENT_CLOSING)},
	[CLIENT_PREAUTH] = {"preauth",
		SM_TO(CLIENT_HANDSHAKE) | SM_TO(CLIENT_WAITING) | SM_TO(CLIENT_CLOSING)},
	[CLIENT_WAITING] = {"waiting", SM_TO(CLIENT_PREAUTH) | SM_TO(CLIENT_MOVING) |
					       SM_TO(CLIENT_LINKED) | SM_TO(CLIENT_CLOSING)},
	[CLIENT_MOVING] = {"moving", SM_TO(CLIENT_CLOSING)},
	[CLIENT_LINKED] = {"linked", SM_TO(CLIENT_DRAINING) | SM_TO(CLIENT_CLOSING)},
	[CLIENT_DRAINING] = {"draining", SM_TO(CLIENT_CLOSING)},
	[CLIENT_CLOSING] = {"closing", 0},
};

static bool is_signed_in(const struct client *c)
{
	return c->state == CLIENT_LINKED || c->state == CLIENT_DRAINING;
}

static void check_invariant(const struct client *c)
{
	/* The dialogue lives exactly until the sign-in is answered OK. */
	const struct dialogue *d = c->dialogue;
	assert(is_signed_in(c) ? d == NULL : true);
	assert(c->state == CLIENT_WAITING ? d->preauth != NULL : true);
	assert(c->state == CLIENT_WAITING ? !wheel_is_armed(&d->timer) : true);
}

static void move(struct client *c, enum client_state next)
{
	sm_move(states, &c->state, (int)next);
	check_invariant(c);
}

static void end_dialogue(struct client *c)
{
	if (c->dialogue != NULL) {
		net_loop_disarm(c->loop, &c->dialogue->timer);
		preauth_destroy(&c->dialogue->preauth);
		free(c->dialogue);
		c->dialogue = NULL;
	}
}

static void stop_timer(struct client *c)
{
	if (c->dialogue != NULL) {
		net_loop_disarm(c->loop, &c->dialogue->timer);
	}
}

static void tell_gone(struct client *c, enum fail why, const char *detail)
{
	if (c->is_gone || c->state == CLIENT_CLOSING) {
		return;
	}
	c->is_gone = true;
	stop_timer(c);
	stream_pause(c->stream);
	c->events->on_gone(c->owner, why, detail);
}

static void on_preauth_timeout(void *owner)
{
	struct client *c = owner;
	if (c->state == CLIENT_PREAUTH) {
		client_say_bye(c, FAIL_PREAUTH_TIMEOUT);
	}
	tell_gone(c, FAIL_PREAUTH_TIMEOUT, "");
}

static void arm_preauth_timeout(struct client *c)
{
	struct dialogue *d = c->dialogue;
	net_loop_arm(c->loop, &d->timer, d->options.limits->preauth_timeout);
}

static struct preauth *make_preauth(const struct client *c)
{
	const struct client_options *options = &c->dialogue->options;
	struct span nothing = {0};
	bool can_starttls = options->mode == TLS_STARTTLS && !stream_is_tls(c->stream);
	return preauth_create(&(struct preauth_policy){
		.capabilities = options->capabilities,
		.can_starttls = can_starttls,
		.can_sign_in = stream_is_tls(c->stream) || options->may_sign_in_clear,
		.mechanisms = c->events->mechanisms(c->owner),
		.offered = c->events->offered != NULL ? c->events->offered(c->owner) : nothing,
		.trusts_id = options->trusts_id,
		.max_line = options->limits->line,
		.max_bytes = options->limits->preauth_bytes,
	});
}

static void write_out(struct client *c, struct buf *out)
{
	stream_write(c->stream, buf_peek(out));
	buf_finish(out);
}

static void on_open(void *owner)
{
	struct client *c = owner;
	assert(c->state == CLIENT_HANDSHAKE);
	move(c, CLIENT_PREAUTH);
	if (c->dialogue->preauth != NULL) {
		/* STARTTLS: no second greeting (RFC 9051 section 6.2.1). */
		preauth_tls_active(c->dialogue->preauth, c->events->mechanisms(c->owner));
		stream_resume(c->stream);
		return;
	}
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	c->dialogue->preauth = make_preauth(c);
	preauth_greet(c->dialogue->preauth, &out);
	write_out(c, &out);
}

static void begin_starttls(struct client *c, size_t left_over)
{
	/* Law 5: a command sent in clear behind STARTTLS must not be taken as sent inside TLS. */
	struct stream_options options = {.tls = c->dialogue->options.tls, .is_server = true};
	if (left_over > 0 || !stream_start_tls(c->stream, &options)) {
		tell_gone(c, FAIL_STARTTLS_INJECTED, "");
		return;
	}
	move(c, CLIENT_HANDSHAKE);
}

/* The client has said all that its sign-in needs for now. */
static void begin_to_wait(struct client *c)
{
	stop_timer(c);
	stream_pause(c->stream);
	move(c, CLIENT_WAITING);
}

static size_t feed_preauth(struct client *c, struct span in)
{
	size_t given = in.n;
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	enum preauth_verdict verdict = preauth_feed(c->dialogue->preauth, &in, &out);
	write_out(c, &out);
	switch (verdict) {
	case PREAUTH_MORE:
		assert(in.n == 0);
		/* A client that never reads its replies must not make us store them. */
		if (stream_pending(c->stream) > STREAM_LOW_WATER) {
			tell_gone(c, FAIL_SLOW_READER, "");
		}
		break;
	case PREAUTH_STARTTLS:
		begin_starttls(c, in.n);
		return given;
	case PREAUTH_SIGN_IN:
		begin_to_wait(c);
		c->events->on_credentials(c->owner);
		break;
	case PREAUTH_RESPONSE:
		begin_to_wait(c);
		c->events->on_response(c->owner, preauth_response(c->dialogue->preauth));
		break;
	case PREAUTH_CANCELLED:
		c->events->on_cancelled(c->owner);
		if (c->state == CLIENT_PREAUTH) {
			stream_resume(c->stream); /* for what stands behind it */
		}
		break;
	case PREAUTH_LOGOUT:
		tell_gone(c, FAIL_LOGOUT, "");
		return given;
	case PREAUTH_FAILED:
		tell_gone(c, preauth_failure(c->dialogue->preauth), "");
		return given;
	}
	return given - in.n;
}

static size_t on_data(void *owner, struct span in)
{
	struct client *c = owner;
	if (c->is_gone || c->state == CLIENT_CLOSING) {
		return in.n;
	}
	if (is_signed_in(c)) {
		return c->events->on_data(c->owner, in);
	}
	if (c->state == CLIENT_PREAUTH) {
		return feed_preauth(c, in);
	}
	/* WAITING or MOVING: the stream is paused; what still comes waits for the answer. */
	stream_pause(c->stream);
	return 0;
}

static void on_drained(void *owner)
{
	struct client *c = owner;
	if (c->state == CLIENT_MOVING && !c->is_gone) {
		c->events->on_movable(c->owner);
	} else if (is_signed_in(c) && !c->is_gone) {
		c->events->on_drained(c->owner);
	}
}

static void on_eof(void *owner)
{
	tell_gone(owner, FAIL_CLIENT_LEFT, "");
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	tell_gone(owner, why, detail);
}

static void on_closed(void *owner)
{
	struct client *c = owner;
	end_dialogue(c);
	void *above = c->owner;
	void (*tell)(void *) = c->events->on_closed;
	free(c);
	tell(above);
}

static const struct stream_events stream_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_eof = on_eof,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

static struct client *make_client(struct net_loop *loop, const struct client_options *options,
	const struct client_events *events, void *owner, enum client_state state)
{
	struct client *c = xcalloc(1, sizeof *c);
	c->state = (int)state;
	c->loop = loop;
	c->events = events;
	c->owner = owner;
	c->dialogue = xcalloc(1, sizeof *c->dialogue);
	c->dialogue->options = *options;
	wheel_timer_init(&c->dialogue->timer, on_preauth_timeout, c);
	return c;
}

struct client *client_create(struct net_loop *loop, int fd, const struct client_options *options,
	const struct client_events *events, void *owner)
{
	struct client *c = make_client(loop, options, events, owner, CLIENT_HANDSHAKE);
	c->stream = stream_create(loop, fd,
		&(struct stream_options){
			.tls = options->mode == TLS_IMPLICIT ? options->tls : NULL,
			.is_server = true,
		},
		&stream_events, c);
	if (c->stream == NULL) {
		end_dialogue(c);
		free(c);
		return NULL;
	}
	arm_preauth_timeout(c);
	return c;
}

struct credentials *client_credentials(struct client *c)
{
	assert(c->state == CLIENT_WAITING);
	return preauth_credentials(c->dialogue->preauth);
}

struct client_id *client_take_id(struct client *c)
{
	assert(c->state == CLIENT_WAITING);
	return preauth_take_id(c->dialogue->preauth);
}

void client_accept(struct client *c, struct span capabilities, const char *text)
{
	assert(c->state == CLIENT_WAITING);
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	preauth_accept(c->dialogue->preauth, capabilities, text, &out);
	write_out(c, &out);
	/* What the session and the log still have to do need not be waited for. */
	stream_push(c->stream);
	end_dialogue(c);
	move(c, CLIENT_LINKED);
	stream_end_secrecy(c->stream);
	stream_resume(c->stream);
}

/* The client is to speak again. */
static void speak_on(struct client *c, struct buf *out)
{
	write_out(c, out);
	move(c, CLIENT_PREAUTH);
	arm_preauth_timeout(c);
	stream_resume(c->stream);
}

void client_refuse(struct client *c, struct span text)
{
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	if (c->state == CLIENT_PREAUTH) {
		assert(preauth_is_exchanging(c->dialogue->preauth));
		preauth_refuse(c->dialogue->preauth, text, &out);
		assert(buf_len(&out) == 0);
		return;
	}
	assert(c->state == CLIENT_WAITING);
	preauth_refuse(c->dialogue->preauth, text, &out);
	speak_on(c, &out);
}

bool client_challenge(struct client *c, struct span challenge)
{
	assert(c->state == CLIENT_WAITING);
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	if (!preauth_challenge(c->dialogue->preauth, challenge, &out)) {
		return false;
	}
	speak_on(c, &out);
	return true;
}

void client_begin_move(struct client *c)
{
	move(c, CLIENT_MOVING);
	/* A peer that does not read its replies would otherwise stay here for good. */
	arm_preauth_timeout(c);
	stream_want_drained(c->stream);
}

struct client_parcel *client_take(struct client *c)
{
	assert(c->state == CLIENT_MOVING);
	assert(!c->is_gone);
	struct stream_parcel *stream = stream_take(c->stream);
	if (stream == NULL) {
		return NULL;
	}
	struct client_parcel *parcel = xcalloc(1, sizeof *parcel);
	*parcel = (struct client_parcel){
		.stream = stream, .preauth = c->dialogue->preauth, .options = c->dialogue->options};
	c->dialogue->preauth = NULL;
	stop_timer(c);
	move(c, CLIENT_CLOSING);
	return parcel;
}

struct client *client_unpack(struct net_loop *loop, struct client_parcel **parcel,
	const struct client_events *events, void *owner)
{
	struct client_parcel *p = *parcel;
	struct client *c = make_client(loop, &p->options, events, owner, CLIENT_WAITING);
	c->dialogue->preauth = p->preauth;
	p->preauth = NULL;
	c->stream = stream_unpack(loop, &p->stream, &stream_events, c);
	client_parcel_drop(parcel);
	if (c->stream == NULL) {
		end_dialogue(c);
		free(c);
		return NULL;
	}
	check_invariant(c);
	return c;
}

void client_parcel_drop(struct client_parcel **parcel)
{
	struct client_parcel *p = *parcel;
	*parcel = NULL;
	if (p != NULL) {
		stream_parcel_drop(&p->stream);
		preauth_destroy(&p->preauth);
		free(p);
	}
}

void client_drain(struct client *c)
{
	assert(c->state == CLIENT_LINKED);
	move(c, CLIENT_DRAINING);
}

void client_say_bye(struct client *c, enum fail why)
{
	const char *text = fail_client_text(why);
	/* In a handshake there is no way to say anything; a plain stream passes through that state. */
	bool is_shaking_hands =
		c->state == CLIENT_HANDSHAKE &&
		(c->dialogue->options.mode == TLS_IMPLICIT || c->dialogue->preauth != NULL);
	if (text == NULL || is_shaking_hands || c->state == CLIENT_CLOSING) {
		return;
	}
	struct buf out;
	buf_init(&out, CLIENT_REPLY_MAX);
	if (buf_addf(&out, "* BYE %s\r\n", text)) {
		stream_write(c->stream, buf_peek(&out));
	}
	buf_finish(&out);
}

void client_close(struct client *c, uint64_t linger_ms)
{
	if (c->state != CLIENT_CLOSING) {
		stop_timer(c);
		move(c, CLIENT_CLOSING);
	}
	stream_close(c->stream, linger_ms);
}

struct stream *client_stream(struct client *c)
{
	return c->stream;
}

enum client_state client_state(const struct client *c)
{
	return (enum client_state)c->state;
}

const char *client_state_name(enum client_state s)
{
	assert(s < CLIENT_STATE_COUNT);
	return states[s].name;
}

bool client_can_move(enum client_state from, enum client_state to)
{
	return sm_can_move(states, (int)from, (int)to);
}
