/*
 * Loans and their queue, for the files of this folder.
 */
#ifndef IMAPMUX_BACKEND_LOAN_PRIV_H
#define IMAPMUX_BACKEND_LOAN_PRIV_H

#include "backend_priv.h"

/* What is asked for. */
struct wish {
	const struct config_backend *config;
	struct tls_context *tls;
	const struct config_limits *limits;
	char *key; /* of the user, see user.c */
	size_t key_len;
	struct secret login, signer;
	struct credentials credentials; /* until the server has answered */
	struct proof proof;
	enum proof_kind kind;
	uint64_t expires_ms; /* no proof answers for it from then on */
	struct buf class;    /* what is to be enabled */
	struct signin_identity identity;
	uint64_t since_ms;       /* waits since */
	struct wheel_timer wait; /* and no longer than this */
};

struct loan {
	struct pool *pool;
	struct pool_server *server;
	struct pool_user *user;
	struct backend *backend;
	struct wish *wish;     /* NULL once it is ready: for most of a session's time */
	struct list_node node; /* in the user's queue */
	const struct loan_events *events;
	void *owner;
	bool is_ready, is_reused, is_proved;
	bool has_retried;   /* the server's [LIMIT] was answered by a second try */
	bool needs_new;     /* what is parked is not to be trusted any more */
	bool is_missed;     /* counted as a miss */
	bool is_told;       /* ready, and its session knows that somebody waits */
	bool is_for_server; /* waits for a connection to the server, not for one of the user's */
	bool is_challenged; /* its client has seen something of this very connection */
};

/* loan.c */
enum served { SERVED, BLOCKED_BY_USER, BLOCKED_BY_SERVER };
enum served loan_serve(struct loan *l); /* ready, or a connection is on its way; else nothing */
void loan_become_ready(struct loan *l); /* its connection is LENT from here on */
void loan_fail(struct loan *l, enum fail why, const char *detail); /* told; it is over */
/* Digest of its password, while it has that: until the server has answered. Made only where it is needed. */
struct proof loan_secret(const struct loan *l);
void loan_again(struct loan *l); /* its connection was of no use: it gets a new one, first of all */

/* queue.c: who waits for a connection. */
void queue_init(struct pool *p);
void queue_finish(struct pool *p);
void queue_join(struct loan *l);
void queue_join_first(struct loan *l);
bool queue_may_take(const struct pool_user *u);       /* a new connection: it is his turn */
void queue_leave(struct loan *l);                     /* nothing happens when it does not wait */
void queue_wake(struct pool *p, struct pool_user *u); /* NULL: nobody in particular */

#endif
