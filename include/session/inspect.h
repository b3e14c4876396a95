/*
 * What an operator may ask a worker, and its answer: copies without a pointer into the worker's data.
 *
 * The query is asked on the control thread and answered on the worker's (worker/message.h), so nobody
 * ever locks what belongs to a worker. Names in a report are what clients wrote: any bytes but NUL.
 */
#ifndef IMAPMUX_SESSION_INSPECT_H
#define IMAPMUX_SESSION_INSPECT_H

#include "backend/inspect.h"
#include "net/stream.h"
#include "session/session.h"

/* Room for the id of a session, a NUL included. */
#define INSPECT_ID_LEN 17

enum inspect_kind {
	INSPECT_CLIENTS, /* every client connection, from accept to the last byte */
	INSPECT_POOL,    /* a row for each server */
	INSPECT_USERS,   /* a row for each user at a server, and every client connection */
	INSPECT_KICK,    /* ends sessions */
	INSPECT_FLUSH,   /* closes parked connections */
};

/* Strings are owned; "" where not needed. */
struct inspect_query {
	enum inspect_kind kind;
	char *server; /* FLUSH: its name, "" for all */
	char *who; /* KICK: a session's id, or a user as the client or the server calls him (ASCII case is
	                 ignored); FLUSH: the user exactly as the server calls him, "" for all */
};

/* A client connection. */
struct inspect_client {
	char id[INSPECT_ID_LEN];
	unsigned worker;
	const char *state; /* static, of client/client.h */
	const char *tls;   /* static: "TLSv1.3" or "" */
	struct stream_name peer;
	char *listener; /* its address as configured; owned */
	uint64_t age_ms;
	char *user;           /* as the client wrote it; NULL before a sign-in. Owned */
	char *login, *server; /* NULL before a route is found. Owned */
	bool is_signed_in;
	/* Signed in: */
	bool is_attached; /* has a server connection now */
	bool is_pooled;   /* the sign-in was answered from a parked connection */
	uint64_t session_ms, idle_ms, bytes_to_client, bytes_to_server;
};

/* Starts as {0}. Owns everything in it. */
struct inspect_report {
	struct inspect_client *clients;
	size_t client_count;
	struct pool_report pool;
	size_t done;      /* sessions ended, connections closed */
	size_t forgotten; /* proofs of credentials */
};

/* Copies the strings. */
void inspect_query_init(
	struct inspect_query *q, enum inspect_kind kind, const char *server, const char *who);
void inspect_query_finish(struct inspect_query *q);

/* Does what is asked and tells about it in an empty report. Worker's thread, not from inside an event of a
 * session. */
void session_host_inspect(
	struct session_host *h, const struct inspect_query *q, struct inspect_report *out);

/* Adds what is in `from`, which is empty afterwards. Any thread. */
void inspect_report_merge(struct inspect_report *to, struct inspect_report *from);

/* Frees what is inside; r is empty afterwards. Any thread. */
void inspect_report_finish(struct inspect_report *r);

#endif
