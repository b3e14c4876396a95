/*
 * What TLS adds to a stream: the handshake in, decrypting in, encrypting out.
 *
 * Small writes of a turn are gathered in clear and become one record at its end: a record for each
 * would cost 22 bytes and an encryption each. When nothing waits, a stream encrypts into memory that it
 * borrows from the loop and that is its own again only if the kernel refuses a rest.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/secret.h"
#include "stream_priv.h"

/* More than a record is not gathered, it is encrypted at once. */
enum { GATHER_MAX = 16384 };

/* Where a call of the engine writes to: the loop's memory, emptied. */
static struct buf *lent(struct stream *s)
{
	struct buf *b = &s->loop->cipher;
	assert(buf_len(b) == 0);
	return b;
}

/* What the engine had to say joins the output of this turn (a handshake's end and the greeting behind
 * it are one packet). */
static void queue_lent(struct stream *s)
{
	struct buf *b = &s->loop->cipher;
	if (buf_len(b) > 0 && stream_queue(s, buf_peek(b))) {
		stream_flush_later(s);
	}
	b->begin = b->end = 0; /* emptied, but its memory stays for the next */
}

/* The alert for the peer should leave before the owner closes; one try, it is a courtesy. */
static void fail_tls(struct stream *s)
{
	if (s->sending != NULL || stream_send(s, (struct span){0})) {
		stream_fail(s, tls_fail(s->tls), tls_detail(s->tls));
	}
}

static void shake_hands(struct stream *s, struct span *in)
{
	enum tls_result result = tls_handshake(s->tls, in, lent(s));
	queue_lent(s);
	if (result == TLS_FAILED) {
		fail_tls(s);
	} else if (result == TLS_DONE) {
		sm_move(stream_states, &s->state, STREAM_OPEN);
		if (buf_len(&s->queues->gathered) > 0) {
			stream_flush_later(s);
		}
		s->events->on_open(s->owner);
	}
}

void stream_tls_begin(struct stream *s, const struct stream_options *options)
{
	assert(s->tls == NULL && options->tls != NULL);
	assert(buf_len(&s->queues->gathered) == 0);
	sm_move(stream_states, &s->state, STREAM_HANDSHAKE);
	s->is_server = options->is_server;
	s->owed &= ~(unsigned)(EVENT_OPEN | EVENT_DATA);
	s->tls = tls_create(options->tls, options->is_server, options->server_name);
	if (!options->is_server) {
		/* The ClientHello; nothing can be answered yet, so no event comes from here. */
		struct span none = {0};
		shake_hands(s, &none);
	}
	if (s->state == STREAM_HANDSHAKE && s->reading >= READING_ENDED) {
		stream_end_of_input(s);
	}
	stream_update_reading(s);
}

bool stream_start_tls(struct stream *s, const struct stream_options *options)
{
	assert(net_loop_is_mine(s->loop));
	assert(s->tls == NULL);
	if (!stream_is_live(s)) {
		return true; /* on_failed comes or has come */
	}
	if (!s->is_giving && buf_len(&s->queues->unread) > 0) {
		return false;
	}
	s->is_paused = false;
	stream_tls_begin(s, options);
	return true;
}

/* Decrypts and gives until the input is used up or the owner has enough. */
static void decrypt(struct stream *s, struct span *in)
{
	uint8_t *plain = s->loop->plain;
	enum tls_result result = TLS_DONE;
	while (result == TLS_DONE && stream_can_give(s)) {
		size_t got = 0;
		result = tls_read(s->tls, in, plain, NET_READ_SIZE, &got, lent(s));
		queue_lent(s);
		if (got > 0) {
			stream_give(s, span_of(plain, got));
		}
	}
	if (result == TLS_END) {
		in->n = 0; /* RFC 8446 section 6.1: what follows close_notify is ignored */
		if (stream_is_live(s)) {
			stream_end_of_input(s);
		}
	} else if (result == TLS_FAILED && stream_is_live(s)) {
		fail_tls(s);
	}
}

/* Decrypts what the owner wants of it and keeps the rest. */
static void receive(struct stream *s, struct span in)
{
	/* OpenSSL may hold the rest of a record; else asking it would cost a record buffer for nothing. */
	if (stream_can_give(s) && (in.n > 0 || tls_has_input(s->tls))) {
		decrypt(s, &in);
	}
	if (s->state == STREAM_OPEN && in.n > 0 && !buf_add(&stream_queues(s)->undecoded, in)) {
		abort(); /* undecoded was empty and holds a whole read */
	}
}

void stream_tls_received(struct stream *s, struct span in)
{
	if (s->state == STREAM_OPEN) {
		receive(s, in);
		return;
	}
	/* Handshakes wait for their share of the loop's time. */
	if (!buf_add(&stream_queues(s)->undecoded, in)) {
		stream_fail(s, s->is_server ? FAIL_CLIENT_TLS : FAIL_SERVER_TLS,
			"too many bytes in the handshake");
		return;
	}
	s->owed |= EVENT_SHAKE;
	net_loop_heavy(s->loop, &s->deliver);
}

/* What is kept, out of the stream while it is worked upon. */
static struct buf take_undecoded(struct stream *s)
{
	struct buf kept;
	buf_init(&kept, NET_READ_SIZE);
	if (buf_len(&s->queues->undecoded) > 0) {
		buf_move(&kept, &stream_queues(s)->undecoded);
	}
	return kept;
}

void stream_tls_shake(struct stream *s)
{
	struct buf kept = take_undecoded(s);
	struct span in = buf_peek(&kept);
	shake_hands(s, &in);
	if (s->state == STREAM_OPEN) {
		receive(s, in);
	}
	buf_finish(&kept);
}

void stream_tls_give_kept(struct stream *s)
{
	struct buf kept = take_undecoded(s);
	receive(s, buf_peek(&kept));
	buf_finish(&kept);
}

static struct span take_front(struct span *from, size_t most)
{
	struct span front = {0};
	span_take_bytes(from, from->n < most ? from->n : most, &front);
	return front;
}

/* Encrypts in the loop's memory and writes from there: the stream owns only what the kernel refuses. */
static void send_sealed(struct stream *s, struct span plain, bool is_last)
{
	bool ok = true;
	while (ok && plain.n > 0) {
		struct span part = take_front(&plain, NET_READ_SIZE);
		struct buf *cipher = lent(s);
		ok = tls_write(s->tls, part, cipher) == TLS_DONE;
		if (!ok) {
			stream_fail(s, tls_fail(s->tls), tls_detail(s->tls));
		} else {
			if (is_last && plain.n == 0) {
				tls_close_notify(s->tls, cipher);
			}
			ok = stream_send(s, buf_peek(cipher));
		}
		cipher->begin = cipher->end = 0;
	}
}

static void seal(struct stream *s, bool is_last)
{
	assert(s->state == STREAM_OPEN);
	struct buf *gathered = &stream_queues(s)->gathered;
	send_sealed(s, buf_peek(gathered), is_last);
	buf_clear(gathered);
}

void stream_tls_seal(struct stream *s)
{
	if (buf_len(&s->queues->gathered) > 0) {
		seal(s, false);
	}
}

void stream_tls_end(struct stream *s)
{
	if (buf_len(&s->queues->gathered) > 0) {
		seal(s, true); /* the answer to LOGOUT and close_notify are one packet */
	} else {
		tls_close_notify(s->tls, lent(s));
		queue_lent(s);
	}
}

void stream_tls_write(struct stream *s, struct span bytes)
{
	size_t gathered = buf_len(&s->queues->gathered);
	bool is_small = bytes.n <= GATHER_MAX && gathered <= GATHER_MAX - bytes.n;
	if (s->state == STREAM_HANDSHAKE || is_small) {
		if (!buf_add(&stream_queues(s)->gathered, bytes)) {
			stream_fail(s, FAIL_SLOW_READER, "does not read");
		}
		return;
	}
	stream_tls_seal(s);
	if (s->state == STREAM_OPEN) {
		send_sealed(s, bytes, false);
	}
}

bool stream_is_tls(const struct stream *s)
{
	return s->tls != NULL;
}

void stream_end_secrecy(struct stream *s)
{
	if (s->tls != NULL) {
		tls_end_secrecy(s->tls);
	}
}

const char *stream_tls_version(const struct stream *s)
{
	return s->tls != NULL ? tls_version(s->tls) : "";
}

const char *stream_tls_cipher(const struct stream *s)
{
	return s->tls != NULL ? tls_cipher(s->tls) : "";
}

const char *stream_tls_server_name(const struct stream *s)
{
	return s->tls != NULL ? tls_server_name(s->tls) : "";
}

bool stream_tls_is_resumed(const struct stream *s)
{
	return s->tls != NULL && tls_is_resumed(s->tls);
}

size_t stream_client_names(
	const struct stream *s, enum client_user field, char *names[STREAM_CLIENT_NAMES_MAX])
{
	return s->tls != NULL ? tls_client_names(s->tls, field, names, STREAM_CLIENT_NAMES_MAX) : 0;
}
