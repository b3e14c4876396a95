/*
 * A pool with a fake server behind it and borrowers before it, all on one loop. A borrower drives the
 * tracker as a session does.
 */
#ifndef IMAPMUX_LIB_POOL_RIG_H
#define IMAPMUX_LIB_POOL_RIG_H

#include "backend/pool.h"
#include "lib/fake.h"
#include "lib/looper.h"

struct pool_rig {
	struct looper looper;
	struct fake fake;
	struct config
		config; /* what the pool was configured with last; change and configure again */
	struct counters counters;
	struct budget *budget;
	struct pool *pool;
	int empties;    /* on_empty came */
	bool is_inside; /* inside a call to the pool: no event may come */
};

int pool_rig_make(void **state);
int pool_rig_unmake(void **state); /* drains; everything must go */

/* Each call to the pool is made like this: an event from inside it fails the test. */
#define POOL_CALL(r, call)                                                                         \
	do {                                                                                       \
		assert_false((r)->is_inside);                                                      \
		(r)->is_inside = true;                                                             \
		call;                                                                              \
		(r)->is_inside = false;                                                            \
	} while (0)

void pool_rig_configure(struct pool_rig *r);
/* Until so many connections are in the state, and a few turns more: it must stay like this. */
void pool_rig_wait(struct pool_rig *r, enum backend_state state, size_t count);
/* A moment in which everything that is on its way arrives. */
void pool_rig_settle(struct pool_rig *r);
/* It is later by so much, and what is due has happened. */
void pool_rig_jump(struct pool_rig *r, uint64_t ms);
/* Connections in any state but CLOSING. */
size_t pool_rig_alive(const struct pool_rig *r);

struct borrower {
	struct pool_rig *rig;
	struct loan *loan; /* NULL: over */
	struct tracker *tracker;
	struct stream *server;
	struct buf heard; /* what the client would get */
	struct pool_request request;
	const char *authzid; /* NULL: none */
	const char *first;   /* the first message of a mechanism, base64, instead of a password */
	enum mechanism mechanism; /* of it */
	int challenged;
	char challenge[64]; /* the last */
	const char *name;   /* as the client wrote it; NULL: the usual one */
	int ready, refused, failed, ended, byes, logouts;
	bool is_wrong_credential;
	bool is_reused;
	enum fail why;
	char detail[256];
	char text[256];
	const char *kept; /* what loan_return said when the LOGOUT was answered */
	void (*on_ready)(struct borrower *b);
	int wanted; /* on_wanted came */
	void (*on_wanted)(struct borrower *b);
};

/* Asks as alice with the password, from a secure connection; the request may be changed before. */
void borrower_init(struct borrower *b, struct pool_rig *r);
void borrower_ask(struct borrower *b, const char *password);
/* Asks, waits until it is ready, takes the stream. */
void borrower_link(struct borrower *b, struct pool_rig *r, const char *password);
/* The client says; waits until what it has heard in all is this. */
void borrower_say(struct borrower *b, const char *text);
void borrower_hear(struct borrower *b, const char *text);
/* The session ends. NULL: the connection goes on to be parked. */
const char *borrower_return(struct borrower *b, enum fail why);
/* Links, returns at once and waits until it is parked. */
void borrower_park(struct pool_rig *r, const char *password);
void borrower_finish(struct borrower *b);

#endif
