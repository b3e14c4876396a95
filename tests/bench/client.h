/*
 * One IMAP client of the load generator: a connection, and one command at a time.
 *
 * A command is a line of text without tag. In it %u stands for the user, %p for the password. When it
 * ends in {N}, N bytes of a message follow once the server says "+"; in {N+}, at once.
 */
#ifndef IMAPMUX_BENCH_CLIENT_H
#define IMAPMUX_BENCH_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/loop.h"

#define CLIENT_TICKETS 256

struct client;

/* What all clients of a run have in common. */
struct client_target {
	struct loop *loop;
	struct sockaddr_in to;
	SSL_CTX *tls; /* NULL: plain */
	bool is_resuming;
	/* Tickets not used yet. Each serves once, as RFC 8446 (C.4) wants it of clients and as OpenSSL
	 * enforces it: a server that gives no new one to a session that it resumes is found out. */
	SSL_SESSION *tickets[CLIENT_TICKETS];
	size_t ticket_count;
	const char *password;
	uint32_t clients; /* created so far: spreads their own addresses over 127.0.0.x */
	uint64_t bytes;   /* received by all */
};

struct client_events {
	void (*on_open)(
		void *owner); /* connected, handshake done, if any; the greeting is still to come */
	void (*on_idle)(
		void *owner); /* greeting read, or the command's tagged OK: the next may be sent */
	void (*on_failed)(void *owner, const char *why); /* the last event; the owner destroys */
};

/* Before the first client: takes tickets from target->tls if it is resuming. */
void client_prepare(struct client_target *target);
/* After the last: frees the tickets. */
void client_finish(struct client_target *target);
/* Makes the text of messages that are appended; once. */
void client_prepare_message(void);

/* Connects as "u00042" (user 42). */
struct client *client_create(struct client_target *target, unsigned user,
	const struct client_events *events, void *owner);
/* Sends a command; the client must be idle. */
void client_send(struct client *client, const char *command);
bool client_is_resumed(const struct client *client);
/* Closes the connection; no event comes after it. NULL is accepted. */
void client_destroy(struct client **client);

#endif
