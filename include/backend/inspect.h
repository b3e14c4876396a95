/*
 * What an operator sees of the pool: copies, made on the worker's thread, that may then go to another.
 *
 * A report has a row for each server that the pool has to do with, or that a caller adds, and on request
 * one for each user at a server. Reports of several workers are added up by pool_report_merge.
 * Numbers of connections are lengths of lists; what has happened is a tally, kept for each server by
 * name and never reset, also over reloads.
 */
#ifndef IMAPMUX_BACKEND_INSPECT_H
#define IMAPMUX_BACKEND_INSPECT_H

#include "backend/pool.h"

/* Events at one server. */
enum pool_event {
	POOL_EVENT_HIT,    /* lent from what was parked */
	POOL_EVENT_MISS,   /* a new connection was needed */
	POOL_EVENT_UP,     /* signed in, or refused in order: the server works */
	POOL_EVENT_FAILED, /* no connection, or it broke before it was signed in */
	POOL_EVENT_COUNT
};

struct pool_tally {
	uint64_t count[POOL_EVENT_COUNT];
	uint64_t last_ms[POOL_EVENT_COUNT]; /* loop time of the latest, in a report: how long ago */
	enum fail why;                      /* of the latest failure */
};

/* Parked connections with the same set enabled. */
struct pool_class_row {
	char *class; /* as imap/enabled writes it; "": clean */
	size_t parked;
};

struct pool_server_row {
	char *server;
	size_t states[BACKEND_STATE_COUNT];
	struct pool_class_row *classes; /* of those that are parked */
	size_t class_count;
	size_t waiting; /* sessions that wait for a connection */
	uint64_t longest_wait_ms;
	struct pool_tally tally;
	enum offer_state offer; /* of a configured server; else OFFER_UNKNOWN */
	char *offered;          /* its list before sign-in, when it was reached last; NULL: never */
};

/* A user with signed-in connections at a server. */
struct pool_user_row {
	char *server, *login;
	size_t connections, lent, parked;
};

/* Starts as {0}. Owns everything in it. */
struct pool_report {
	struct pool_server_row *servers;
	size_t server_count;
	struct pool_user_row *users; /* by server and login */
	size_t user_count;
};

/* Notes an event; why is that of POOL_EVENT_FAILED, else FAIL_NONE. Worker's thread. */
void pool_note(struct pool *p, const char *server, enum pool_event event, enum fail why);
void pool_notes_finish(struct pool *p);

/* Fills an empty report. Worker's thread. */
void pool_inspect(const struct pool *p, bool with_users, struct pool_report *out);

/* True while the loan waits in line, without a connection on its way. */
bool loan_is_waiting(const struct loan *l);

struct pool_flushed {
	size_t connections; /* closed */
	size_t credentials; /* forgotten */
};

/*
 * Closes what is parked (and, when no login is named, spare) at the server of this name for this login, and
 * forgets which credentials were proved, those included that the server is asked about now; NULL: at all
 * servers, for all. Case does not matter. Sessions go on, but what they hold is not parked any more.
 */
struct pool_flushed pool_flush(struct pool *p, const char *server, const char *login);

/* The row of that name, added when there is none; valid until the next call. Any thread, as below. */
struct pool_server_row *pool_report_server(struct pool_report *r, struct span name);

/* Adds what is in `from`. */
void pool_report_merge(struct pool_report *to, const struct pool_report *from);

/* Frees what is inside; r is empty afterwards. */
void pool_report_finish(struct pool_report *r);

#endif
