/*
 * What the files of this folder share: the structs behind backend/pool.h. Nobody else includes it.
 */
#ifndef IMAPMUX_BACKEND_BACKEND_PRIV_H
#define IMAPMUX_BACKEND_BACKEND_PRIV_H

#include "backend/pool.h"
#include "backend/proof.h"
#include "base/hash.h"
#include "base/list.h"
#include "imap/enable.h"
#include "imap/scrub.h"
#include "net/dial.h"

/* Our own commands: a tag, a verb, at most a mailbox name as the client wrote it (limits.line). */
#define BACKEND_OUT_MAX (1 << 20)
#define BACKEND_TAG_MAX 24

struct pool {
	struct net_loop *loop;
	struct counters *counters;
	struct budget *budget;
	struct pool_user *users; /* uthash, by server identity and login */
	struct list servers;     /* struct pool_server */
	struct list states[BACKEND_STATE_COUNT];
	struct list notes; /* inspect.c: what has happened at which server */
	struct config_pool settings;
	size_t max_parked; /* this worker's share of max_idle */
	bool is_draining;
	void (*on_empty)(void *owner);
	void *on_empty_owner;
	struct net_task empty; /* tells it */
	void (*on_scarce)(void *owner);
	void *on_scarce_owner;
	struct list woken;        /* struct pool_user: something changed for whoever waits there */
	struct net_task queue;    /* serves them */
	struct wheel_timer retry; /* looks again for what other workers have given back */
	struct hash_key tag_key;  /* for proxy tags */
	uint64_t tag_count;
};

/* A server; counted: it lives as long as it is configured, or has users, loans or connections. */
struct pool_server {
	struct list_node node; /* in pool->servers */
	struct pool *pool;
	size_t refs;
	char *identity; /* everything that makes it that server, as text */
	char *name;
	bool is_configured;       /* else it is on its way out: nothing is parked */
	unsigned max_connections; /* in all workers; 0: no limit */
	struct budget_place *place;
	struct list states[BACKEND_STATE_COUNT]; /* struct backend.server_node */
	size_t leaving; /* connections that were closed to make room, and are not gone yet */
	size_t users;   /* that are known here */
	struct list
		turns; /* struct pool_user: wait for a connection to this server, in this order */
};

/* A user at a server; lives as long as one of his connections or loans does. */
struct pool_user;

/* A connection to a server. */
struct backend {
	struct list_node node;        /* in pool->states[state] */
	struct list_node server_node; /* in server->states[state] */
	struct list_node user_node;   /* signed in, not CLOSING: in one of the user's lists */
	struct pool *pool;
	struct pool_server *server;
	struct pool_user *user; /* whose it is, or is to be */
	int state;
	bool is_unproved;      /* on its way with a credential that the server has not proved yet */
	bool is_leaving;       /* counted as such */
	bool is_condemned;     /* not to be parked any more */
	struct dial *dial;     /* DIALING */
	struct stream *stream; /* from HANDSHAKE on */
	struct signin *signin; /* HANDSHAKE, SIGNIN */
	struct loan *loan;     /* whom it is for; NULL: nobody */
	struct proof proof;    /* of the credential it was signed in with */
	struct proof secret;   /* of the password in it */
	char *capabilities;    /* signed in: the server's list */
	struct buf enabled;    /* its class (imap/enabled.h) */
	struct enable *enable; /* ENABLING */
	char tag[BACKEND_TAG_MAX];
	struct tracker *tracker; /* SCRUBBING, while it is being drained */
	struct scrub *scrub;     /* SCRUBBING, while our own command is answered */
	size_t drained;          /* bytes thrown away in draining */
	uint64_t created_ms, parked_ms;
	struct wheel_timer timer;
};

struct loan {
	struct pool *pool;
	struct pool_server *server;
	struct pool_user *user;
	struct backend *backend;
	struct list_node node; /* in the user's queue */
	const struct loan_events *events;
	void *owner;
	bool is_ready, is_reused, is_proved;
	bool has_retried;   /* the server's [LIMIT] was answered by a second try */
	bool needs_new;     /* what is parked is not to be trusted any more */
	bool is_told;       /* ready, and its session knows that somebody waits */
	bool is_for_server; /* waits for a connection to the server, not for one of the user's */
	const struct config_backend *config;
	struct tls_context *tls;
	const struct config_limits *limits;
	char *key; /* of the user, see user.c */
	size_t key_len;
	struct secret login;
	struct credentials credentials; /* until the server has answered */
	struct proof proof, secret;
	struct buf wanted; /* the class */
	struct signin_identity identity;
	uint64_t since_ms;       /* waits since */
	struct wheel_timer wait; /* and no longer than this */
};

/* backend.c: the object. The connection must have been taken from the budget; loan NULL: for nobody. */
struct backend *backend_create(struct pool_server *s, struct loan *l);
void backend_move(struct backend *b, enum backend_state next);
void backend_close(struct backend *b, enum fail why);
void backend_evict(struct backend *b); /* a parked one makes room; counted until it is gone */
void backend_write(struct backend *b, struct buf *out); /* sends and empties */
extern const struct stream_events backend_stream_events;

/* loan.c */
enum served { SERVED, BLOCKED_BY_USER, BLOCKED_BY_SERVER };
enum served loan_serve(struct loan *l); /* ready, or a connection is on its way; else nothing */
void loan_become_ready(struct loan *l); /* its connection is LENT from here on */
void loan_fail(struct loan *l, enum fail why, const char *detail); /* told; it is over */
void loan_again(struct loan *l); /* its connection was of no use: it gets a new one, first of all */

/* queue.c: who waits for a connection. */
void queue_init(struct pool *p);
void queue_finish(struct pool *p);
void queue_join(struct loan *l);
void queue_join_first(struct loan *l);
bool queue_may_take(const struct pool_user *u);       /* a new connection: it is his turn */
void queue_leave(struct loan *l);                     /* nothing happens when it does not wait */
void queue_wake(struct pool *p, struct pool_user *u); /* NULL: nobody in particular */

/* signin.c: DIALING, HANDSHAKE, SIGNIN. */
void backend_dial(struct backend *b);
void backend_signin_open(struct backend *b);
size_t backend_signin_data(struct backend *b, struct span in);
void backend_signin_broken(struct backend *b, enum fail why, const char *detail);

/* enable.c: ENABLING. */
void backend_enable(struct backend *b); /* for its loan; SIGNIN or PARKED before */
size_t backend_enable_data(struct backend *b, struct span in);
void backend_enable_broken(struct backend *b, enum fail why, const char *detail);

/* park.c: SCRUBBING, PARKED. */
const char *backend_take_back(struct backend *b, struct tracker **tracker);
const char *backend_give_back(struct backend *b, struct span enabled);
void backend_check(struct backend *b);
size_t backend_scrub_data(struct backend *b, struct span in);
void backend_scrub_broken(struct backend *b, enum fail why);
void backend_arm_parked(struct backend *b);
bool backend_is_too_old(const struct backend *b);

/* server.c */
struct pool_server *server_find(
	struct pool *p, const struct config_backend *config); /* a reference */
struct pool_server *server_ref(struct pool_server *s);
void server_unref(struct pool_server *s);
void servers_configure(struct pool *p, const struct config *c);
void servers_forget(struct pool *p); /* the end: as if none were configured */

#endif
