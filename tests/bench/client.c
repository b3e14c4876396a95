#include "bench/client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lines.h"
#include "bench/must.h"
#include "bench/stream.h"

#define OWN_ADDRESSES 32
#define MESSAGE_MAX   ((size_t)16 << 20)
#define TAG           "x "

static char *message;

enum client_state { CLIENT_OPENING, CLIENT_GREETING, CLIENT_IDLE, CLIENT_WAITING };

struct client {
	struct client_target *target;
	struct stream *stream;
	struct lines lines;
	enum client_state state;
	unsigned user;
	size_t literal; /* to be sent when the server says "+" */
	const struct client_events *events;
	void *owner;
};

static int target_index;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct client_target *target = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), target_index);
	if (target->ticket_count == CLIENT_TICKETS) {
		return 0;
	}
	/* A copy: what happens to this connection must not spoil it. */
	target->tickets[target->ticket_count++] = SSL_SESSION_dup(session);
	return 0;
}

void client_prepare(struct client_target *target)
{
	if (target->is_resuming) {
		assert(target->tls != NULL);
		target_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
		SSL_CTX_set_ex_data(target->tls, target_index, target);
		SSL_CTX_sess_set_new_cb(target->tls, on_ticket);
	}
}

void client_finish(struct client_target *target)
{
	while (target->ticket_count > 0) {
		SSL_SESSION_free(target->tickets[--target->ticket_count]);
	}
}

void client_prepare_message(void)
{
	message = must_alloc(MESSAGE_MAX);
	memset(message, 'x', MESSAGE_MAX);
	for (size_t i = 77; i < MESSAGE_MAX; i += 79) {
		memcpy(message + i - 1, "\r\n", 2);
	}
}

static void fail(struct client *c, const char *why)
{
	c->events->on_failed(c->owner, why);
}

static void send_literal(struct client *c)
{
	stream_write_static(c->stream, message, c->literal);
	stream_write_static(c->stream, "\r\n", 2);
	c->literal = 0;
}

static size_t literal_of(const char *command, bool *is_synchronising)
{
	const char *brace = strrchr(command, '{');
	size_t n = strlen(command);
	if (brace == NULL || command[n - 1] != '}') {
		return 0;
	}
	*is_synchronising = command[n - 2] != '+';
	size_t size = strtoul(brace + 1, NULL, 10);
	if (size == 0 || size > MESSAGE_MAX || message == NULL) {
		must_die("cannot send this literal: %s", command);
	}
	return size;
}

void client_send(struct client *c, const char *command)
{
	assert(c->state == CLIENT_IDLE);
	char text[512];
	size_t n = (size_t)snprintf(text, sizeof(text), TAG);
	for (const char *p = command; *p != '\0' && n < sizeof(text) - 64; p++) {
		if (p[0] == '%' && p[1] == 'u') {
			n += (size_t)snprintf(text + n, 32, "u%05u", c->user);
			p++;
		} else if (p[0] == '%' && p[1] == 'p') {
			n += (size_t)snprintf(text + n, 32, "%s", c->target->password);
			p++;
		} else {
			text[n++] = *p;
		}
	}
	text[n++] = '\r';
	text[n++] = '\n';
	stream_write(c->stream, text, n);
	c->state = CLIENT_WAITING;
	bool is_synchronising = false;
	c->literal = literal_of(command, &is_synchronising);
	if (c->literal > 0 && !is_synchronising) {
		send_literal(c);
	}
	stream_flush(c->stream);
}

/* False: the client is gone. */
static bool on_line(struct client *c)
{
	const char *text = c->lines.text;
	size_t n = c->lines.n;
	bool is_mine = n > strlen(TAG) && memcmp(text, TAG, strlen(TAG)) == 0;
	if (c->state == CLIENT_GREETING) {
		c->state = CLIENT_IDLE;
		c->events->on_idle(c->owner);
		return true;
	}
	if (is_mine && c->state == CLIENT_WAITING) {
		if (memcmp(text + strlen(TAG), "OK", n - strlen(TAG) < 2 ? 1 : 2) != 0) {
			char why[128];
			snprintf(why, sizeof(why), "refused: %.*s", (int)(n < 100 ? n : 100), text);
			fail(c, why);
			return false;
		}
		c->state = CLIENT_IDLE;
		c->events->on_idle(c->owner);
	} else if (n > 0 && text[0] == '+' && c->literal > 0) {
		send_literal(c);
	}
	return true;
}

static void on_open(void *owner)
{
	struct client *c = owner;
	c->state = CLIENT_GREETING;
	c->events->on_open(c->owner);
}

static void on_data(void *owner, const char *bytes, size_t n)
{
	struct client *c = owner;
	const char *end = bytes + n;
	c->target->bytes += n;
	/* The owner may destroy the client in on_idle: its memory lives until the turn's end. */
	while (c->stream != NULL) {
		enum lines_event event = lines_read(&c->lines, &bytes, end);
		if (event == LINES_MORE) {
			return;
		}
		if (event == LINES_LINE && !on_line(c)) {
			return;
		}
	}
}

static void on_end(void *owner, const char *why)
{
	fail(owner, why != NULL ? why : "closed by the server");
}

struct client *client_create(struct client_target *target, unsigned user,
	const struct client_events *events, void *owner)
{
	static const struct stream_events stream_events = {on_open, on_data, on_end};
	struct client *c = must_alloc(sizeof(*c));
	c->target = target;
	c->user = user;
	c->events = events;
	c->owner = owner;
	uint32_t host = 2 + target->clients++ % OWN_ADDRESSES;
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffU) | host)};
	SSL_SESSION *ticket = NULL;
	if (target->ticket_count > 0) {
		ticket = target->tickets[--target->ticket_count];
	}
	c->stream = stream_connect(
		target->loop, &target->to, &from, target->tls, ticket, &stream_events, c);
	SSL_SESSION_free(ticket); /* the connection has its own reference */
	return c;
}

bool client_is_resumed(const struct client *c)
{
	return stream_is_resumed(c->stream);
}

void client_destroy(struct client **client)
{
	struct client *c = *client;
	*client = NULL;
	if (c != NULL) {
		stream_close(&c->stream);
		lines_finish(&c->lines);
		loop_free_later(c->target->loop, c);
	}
}
