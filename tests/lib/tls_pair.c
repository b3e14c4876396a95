#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/tls_pair.h"

enum { END_CAP = 64 * 1024 * 1024 };

void tls_end_init(struct tls_end *e, struct tls_context *context, bool is_server, const char *name)
{
	*e = (struct tls_end){.tls = tls_create(context, is_server, name), .state = TLS_MORE};
	buf_init(&e->out, END_CAP);
	buf_init(&e->plain, END_CAP);
	if (!is_server) {
		struct span none = {0};
		e->state = tls_handshake(e->tls, &none, &e->out);
	}
}

void tls_end_finish(struct tls_end *e)
{
	tls_destroy(&e->tls);
	buf_finish(&e->out);
	buf_finish(&e->plain);
}

static void read_all(struct tls_end *e, struct span *wire)
{
	static uint8_t room[5000]; /* less than a record, so that some stay half read */
	do {
		size_t got = 0;
		e->state = tls_read(e->tls, wire, room, sizeof room, &got, &e->out);
		assert_true(buf_add(&e->plain, span_of(room, got)));
	} while (e->state == TLS_DONE);
}

void tls_end_receive(struct tls_end *e, struct span wire)
{
	if (!e->is_open && e->state == TLS_MORE) {
		e->state = tls_handshake(e->tls, &wire, &e->out);
		e->is_open = e->state == TLS_DONE;
	}
	if (e->is_open && e->state != TLS_FAILED && e->state != TLS_END) {
		read_all(e, &wire);
	}
	assert_true(e->state != TLS_MORE || wire.n == 0);
}

void tls_end_say(struct tls_end *e, const char *text)
{
	assert_int_equal(tls_write(e->tls, span_str(text), &e->out), TLS_DONE);
}

static void pass(struct tls_end *from, struct tls_end *to, size_t piece)
{
	struct buf wire;
	buf_init(&wire, END_CAP);
	buf_move(&wire, &from->out);
	while (buf_len(&wire) > 0) {
		struct span front = buf_peek(&wire);
		front.n = front.n < piece ? front.n : piece;
		tls_end_receive(to, front);
		buf_consume(&wire, front.n);
	}
}

void tls_talk(struct tls_end *a, struct tls_end *b, size_t piece)
{
	while (buf_len(&a->out) + buf_len(&b->out) > 0) {
		pass(a, b, piece);
		pass(b, a, piece);
	}
}

SSL *raw_client(SSL_CTX *context)
{
	SSL *client = SSL_new(context);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	SSL_do_handshake(client);
	return client;
}

void raw_talk(SSL *client, struct tls_end *server)
{
	char bytes[4096];
	for (int silent = 0; silent < 2;) {
		int n = BIO_read(SSL_get_wbio(client), bytes, sizeof bytes);
		silent++;
		if (n > 0) {
			tls_end_receive(server, span_of(bytes, (size_t)n));
			silent = 0;
		}
		struct span reply = buf_peek(&server->out);
		if (reply.n > 0) {
			assert_int_equal(
				BIO_write(SSL_get_rbio(client), reply.p, (int)reply.n), reply.n);
			buf_clear(&server->out);
			silent = 0;
		}
		SSL_is_init_finished(client) ? SSL_peek(client, bytes, 1)
					     : SSL_do_handshake(client);
	}
}
