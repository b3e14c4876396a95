/*
 * Users at servers, for the files of this folder: what they have, what they wait for, which credentials the
 * server has proved. An entry lives as long as a connection or a loan of its user does, so that
 * strangers cannot fill the table; what is proved is forgotten with the last signed-in connection.
 */
#ifndef IMAPMUX_BACKEND_USER_PRIV_H
#define IMAPMUX_BACKEND_USER_PRIV_H

#include <uthash.h>

#include "backend/inspect.h"
#include "loan_priv.h"

/* Different passwords of one user that answer at the same time (app passwords); the oldest goes. */
#define POOL_PROOFS_PER_USER 8

/*
 * Of max_per_user, this part (rounded up) may be on its way with credentials that nobody has proved:
 * strangers who try passwords hold up the user's own sessions no more than that.
 */
#define POOL_UNPROVED_PART 2

struct pool_user {
	UT_hash_handle hh;
	struct pool_server *server;
	char *key; /* server identity, login, authorization identity, signer: each ends in NUL */
	size_t key_len;
	size_t refs;               /* connections and loans */
	size_t connections;        /* in any state, also on their way: what max_per_user counts */
	size_t unproved;           /* of these: on their way with an unproved credential */
	size_t leaving;            /* of these: closed to make room, and not gone yet */
	struct list parked;        /* struct backend.user_node: signed in, oldest first */
	struct list lent;          /* the same */
	struct list busy;          /* the same: SCRUBBING or ENABLING */
	struct list waiting;       /* struct loan.node, in their order */
	struct list_node turn;     /* in server->turns: the first of them waits for the server */
	struct list_node woken;    /* in pool->woken */
	struct list proofs;        /* struct known_proof, oldest first */
	struct caps *capabilities; /* the server's newest list for him; NULL: not signed in */
};

/* user.c */
void users_init(void);           /* before the first of the others */
void users_wake(struct pool *p); /* other limits: whoever waits is looked at again */
/* Of whom the request is for; initialises the buffer. */
void user_key(struct buf *key, const struct pool_server *s, const struct pool_request *request);
struct span user_login(const struct pool_user *u);
struct pool_user *user_find(struct pool *p, struct span key);
struct pool_user *user_enter(
	struct pool *p, const struct loan *l); /* found or made; one reference */
void user_release(struct pool_user *u);
bool user_has_room(const struct pool_user *u, const struct loan *l); /* for a new connection */
void user_take(struct backend *b, struct loan *l);                   /* a new connection for him */
void user_signed_in(struct backend *b, const struct loan *l);        /* just now: proved */
void user_moved(struct backend *b);                                  /* to another state */
void user_signed_out(struct backend *b);                             /* it is nobody's now */
void user_left(struct backend *b);                                   /* it has gone */
void user_park(struct backend *b);                                   /* caps may close others */
/* A parked connection of this class whose proof answers for the loan; NULL: none. */
struct backend *user_find_parked(
	const struct pool_user *u, const struct loan *l, struct span class);
/* True: what is parked for the loan's credential has other things enabled. */
bool user_has_other_class(const struct pool_user *u, const struct loan *l);
/* One that is about to be parked: its barrier has been sent. */
struct backend *user_find_scrubbed(const struct pool_user *u, const struct loan *l);
/* The oldest parked one, else one that is about to be parked for nobody in particular; NULL: none. */
struct backend *user_find_unused(const struct pool_user *u);
/* Forgets and closes what is parked where all that is named is so (pool_flush). */
struct pool_flushed users_flush(struct pool *p, const char *server, const char *login);
/* As pool_known; of asked only what known_is_fresh looks at. */
const char *user_known(struct pool *p, struct span key, const struct wish *asked);

/* known.c: what is proved. */
bool known_is(const struct pool_user *u, const struct loan *l);       /* once */
bool known_is_fresh(const struct pool_user *u, const struct wish *w); /* within credential_ttl */
void known_learn(struct backend *b);     /* the server said OK now: b->proof, b->secret */
void known_refuse(const struct loan *l); /* it said that the credential is wrong */
void known_forget(struct pool_user *u);  /* all of it */
/* And of what it opened nothing is lent again. */
struct pool_flushed known_flush(struct pool_user *u);
void known_drop_user(struct backend *b); /* also closes what else is parked for him */

#endif
