#include "bench/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/must.h"

#define READ_SIZE     ((size_t)256 * 1024)
#define PIECES_A_CALL 8

enum stream_state { STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN, STREAM_ENDED };

/* Output: what waits for the kernel, in order. */
struct piece {
	const char *bytes;
	size_t n, sent;
	char *own; /* NULL: static bytes */
	size_t capacity;
};

struct stream {
	struct loop_source source;
	struct loop *loop;
	SSL *ssl; /* NULL: plain */
	enum stream_state state;
	struct piece *pieces;
	size_t count, first, capacity;
	const struct stream_events *events;
	void *owner;
};

static char read_buffer[READ_SIZE];

static void end(struct stream *s, const char *why)
{
	if (s->state != STREAM_ENDED) {
		s->state = STREAM_ENDED;
		loop_forget(s->loop, &s->source);
		s->events->on_end(s->owner, why);
	}
}

/* Output. */

static struct piece *new_piece(struct stream *s)
{
	s->pieces = must_grow(s->pieces, &s->capacity, s->count + 1, sizeof(*s->pieces));
	struct piece *piece = &s->pieces[s->count++];
	*piece = (struct piece){0};
	return piece;
}

void stream_write(struct stream *s, const char *bytes, size_t n)
{
	struct piece *last = s->count > s->first ? &s->pieces[s->count - 1] : NULL;
	if (last == NULL || last->own == NULL) {
		last = new_piece(s);
	}
	last->own = must_grow(last->own, &last->capacity, last->n + n, 1);
	memcpy(last->own + last->n, bytes, n);
	last->bytes = last->own;
	last->n += n;
}

void stream_write_static(struct stream *s, const char *bytes, size_t n)
{
	struct piece *piece = new_piece(s);
	piece->bytes = bytes;
	piece->n = n;
}

static void forget_sent(struct stream *s, size_t n)
{
	while (n > 0) {
		assert(s->first < s->count);
		struct piece *piece = &s->pieces[s->first];
		size_t part = piece->n - piece->sent < n ? piece->n - piece->sent : n;
		piece->sent += part;
		n -= part;
		if (piece->sent == piece->n) {
			free(piece->own);
			s->first++;
		}
	}
	if (s->first == s->count) {
		s->first = s->count = 0;
	}
}

/* Bytes sent; 0: the kernel takes no more; -1: broken. */
static ssize_t send_plain(struct stream *s)
{
	struct iovec vector[PIECES_A_CALL];
	int n = 0;
	for (size_t i = s->first; i < s->count && n < PIECES_A_CALL; i++) {
		struct piece *piece = &s->pieces[i];
		vector[n].iov_base = (char *)piece->bytes + piece->sent;
		vector[n++].iov_len = piece->n - piece->sent;
	}
	ssize_t sent = writev(s->source.fd, vector, n);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	return sent;
}

static ssize_t send_tls(struct stream *s)
{
	struct piece *piece = &s->pieces[s->first];
	size_t sent = 0;
	ERR_clear_error();
	int result =
		SSL_write_ex(s->ssl, piece->bytes + piece->sent, piece->n - piece->sent, &sent);
	if (result == 1) {
		return (ssize_t)sent;
	}
	int error = SSL_get_error(s->ssl, result);
	return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* False: broken. */
static bool send_all(struct stream *s)
{
	while (s->first < s->count) {
		ssize_t sent = s->ssl != NULL ? send_tls(s) : send_plain(s);
		if (sent < 0) {
			return false;
		}
		if (sent == 0) {
			break;
		}
		forget_sent(s, (size_t)sent);
	}
	return true;
}

void stream_flush(struct stream *s)
{
	if (s->state != STREAM_OPEN) {
		return;
	}
	/* A broken stream is told from the loop: the kernel reports it there as well. */
	(void)send_all(s);
	loop_change(s->loop, &s->source, EPOLLIN | (s->first < s->count ? EPOLLOUT : 0));
}

/* Input. */

static void take_plain(struct stream *s)
{
	for (;;) {
		ssize_t n = read(s->source.fd, read_buffer, READ_SIZE);
		if (n > 0) {
			s->events->on_data(s->owner, read_buffer, (size_t)n);
		} else if (n == 0) {
			end(s, NULL);
		} else if (errno != EAGAIN && errno != EINTR) {
			end(s, strerror(errno));
		}
		if (n < (ssize_t)READ_SIZE || s->state != STREAM_OPEN) {
			return;
		}
	}
}

static void take_tls(struct stream *s)
{
	/* Until it wants more: what OpenSSL has read ahead wakes no epoll. */
	while (s->state == STREAM_OPEN) {
		size_t n = 0;
		ERR_clear_error();
		int result = SSL_read_ex(s->ssl, read_buffer, READ_SIZE, &n);
		if (result == 1) {
			s->events->on_data(s->owner, read_buffer, n);
			continue;
		}
		int error = SSL_get_error(s->ssl, result);
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
			end(s, error == SSL_ERROR_ZERO_RETURN ? NULL : "TLS read");
		}
		return;
	}
}

/* Opening. */

static void open_stream(struct stream *s)
{
	s->state = STREAM_OPEN;
	loop_change(s->loop, &s->source, EPOLLIN);
	s->events->on_open(s->owner);
}

static void shake_hands(struct stream *s)
{
	ERR_clear_error();
	int result = SSL_do_handshake(s->ssl);
	if (result == 1) {
		open_stream(s);
		return;
	}
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		loop_change(s->loop, &s->source, EPOLLIN);
		break;
	case SSL_ERROR_WANT_WRITE:
		loop_change(s->loop, &s->source, EPOLLOUT);
		break;
	default:
		end(s, "TLS handshake");
	}
}

static void connected(struct stream *s)
{
	int error = 0;
	socklen_t n = sizeof(error);
	getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error != 0) {
		end(s, strerror(error));
	} else if (s->ssl != NULL) {
		s->state = STREAM_HANDSHAKE;
		shake_hands(s);
	} else {
		open_stream(s);
	}
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct stream *s = (struct stream *)(void *)source;
	if (s->state == STREAM_CONNECTING) {
		connected(s);
	} else if (s->state == STREAM_HANDSHAKE) {
		shake_hands(s);
	}
	if (s->state == STREAM_OPEN && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		s->ssl != NULL ? take_tls(s) : take_plain(s);
	}
	stream_flush(s);
}

static struct stream *create(
	struct loop *loop, SSL_CTX *tls, int fd, const struct stream_events *events, void *owner)
{
	struct stream *s = must_alloc(sizeof(*s));
	s->source.on_ready = on_ready;
	s->loop = loop;
	s->events = events;
	s->owner = owner;
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls != NULL) {
		s->ssl = SSL_new(tls);
		if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1) {
			must_die("SSL_new");
		}
	}
	return s;
}

struct stream *stream_connect(struct loop *loop, const struct sockaddr_in *to,
	const struct sockaddr_in *from, SSL_CTX *tls, SSL_SESSION *session,
	const struct stream_events *events, void *owner)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		must_die("socket?");
	}
	if (from != NULL) {
		/* The port is chosen by connect: then it must differ for this peer only. */
		int on = 1;
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) != 0) {
			must_die("bind?");
		}
	}
	struct stream *s = create(loop, tls, fd, events, owner);
	if (s->ssl != NULL) {
		SSL_set_connect_state(s->ssl);
		if (session != NULL) {
			SSL_set_session(s->ssl, session);
		}
	}
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS) {
		must_die("connect?");
	}
	s->state = STREAM_CONNECTING;
	loop_watch(loop, &s->source, fd, EPOLLOUT);
	return s;
}

struct stream *stream_accept(
	struct loop *loop, int fd, SSL_CTX *tls, const struct stream_events *events, void *owner)
{
	struct stream *s = create(loop, tls, fd, events, owner);
	if (s->ssl != NULL) {
		SSL_set_accept_state(s->ssl);
	}
	/* A fresh connection can be written to: the first event opens it, or begins the handshake. */
	s->state = STREAM_CONNECTING;
	loop_watch(loop, &s->source, fd, EPOLLOUT);
	return s;
}

bool stream_is_resumed(const struct stream *s)
{
	return s->ssl != NULL && SSL_session_reused(s->ssl) == 1;
}

void stream_close(struct stream **stream)
{
	struct stream *s = *stream;
	*stream = NULL;
	if (s == NULL) {
		return;
	}
	if (s->state == STREAM_OPEN) {
		(void)send_all(s);
	}
	if (s->ssl != NULL) {
		if (s->state == STREAM_OPEN) {
			/* Also because OpenSSL resumes no session that ended without it. */
			SSL_shutdown(s->ssl);
		}
		SSL_free(s->ssl);
	}
	s->state = STREAM_ENDED;
	loop_forget(s->loop, &s->source);
	close(s->source.fd);
	for (size_t i = s->first; i < s->count; i++) {
		free(s->pieces[i].own);
	}
	free(s->pieces);
	s->pieces = NULL;
	s->count = s->first = 0;
	loop_free_later(s->loop, s);
}
