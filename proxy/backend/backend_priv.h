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

/* Different passwords of one user that answer at the same time (app passwords); the oldest goes. */
#define POOL_PROOFS_PER_USER 8

/* A connection that was closed to make room at the server: after this long the server has seen it go. */
#define POOL_ROOM_MS 200

/* A credential that the server accepted, and when it last did. */
struct known_proof {
	struct list_node node;
	struct proof proof;
	uint64_t proved_ms;
	bool is_doubted; /* the server must be asked again, whatever the time */
};

/* A user at a server; lives as long as a signed-in connection of his does. */
struct pool_user;

struct pool {
	struct net_loop *loop;
	struct counters *counters;
	struct pool_user *users; /* uthash, by server identity and login */
	struct list states[BACKEND_STATE_COUNT];
	struct config_pool settings;
	char **servers; /* identities (user.c) of those that connections may be parked for */
	size_t server_count;
	size_t max_parked; /* this worker's share of max_idle */
	bool is_draining;
	void (*on_empty)(void *owner);
	void *on_empty_owner;
	struct net_task empty;   /* tells it */
	struct hash_key tag_key; /* for proxy tags */
	uint64_t tag_count;
};

#define BACKEND_TAG_MAX 24

/* A connection to a server. */
struct backend {
	struct list_node node;      /* in pool->states[state] */
	struct list_node user_node; /* in the user's list of parked connections */
	struct pool *pool;
	int state;
	struct dial *dial;      /* DIALING */
	struct stream *stream;  /* from HANDSHAKE on */
	struct signin *signin;  /* HANDSHAKE, SIGNIN */
	struct loan *loan;      /* whom it is for; NULL: nobody */
	struct pool_user *user; /* signed in */
	struct proof proof;     /* of the credential it was signed in with */
	char *capabilities;     /* signed in: the server's list */
	struct buf enabled;     /* its class (imap/enabled.h) */
	struct enable *enable;  /* ENABLING */
	char tag[BACKEND_TAG_MAX];
	struct tracker *tracker; /* SCRUBBING, while it is being drained */
	struct scrub *scrub;     /* SCRUBBING, while our own command is answered */
	size_t drained;          /* bytes thrown away in draining */
	uint64_t created_ms, parked_ms;
	struct wheel_timer timer;
};

struct loan {
	struct pool *pool;
	struct backend *backend;
	const struct loan_events *events;
	void *owner;
	bool is_ready, is_reused, is_proved;
	bool is_retry; /* room was made at the server for it */
	const struct config_backend *server;
	struct tls_context *tls;
	const struct config_limits *limits;
	char *key; /* of the user, see user.c */
	size_t key_len;
	struct secret login;
	struct credentials credentials; /* until the server has answered */
	struct proof proof;
	struct buf wanted; /* the class */
	struct signin_identity identity;
};

/* Our own commands: a tag, a verb, at most a mailbox name as the client wrote it (limits.line). */
#define BACKEND_OUT_MAX (1 << 20)

/* backend.c: the object. */
struct backend *backend_create(struct pool *p, struct loan *l);
void backend_move(struct backend *b, enum backend_state next);
void backend_close(struct backend *b, enum fail why);
void backend_write(struct backend *b, struct buf *out); /* sends and empties */
extern const struct stream_events backend_stream_events;

/* loan.c */
void loan_dial(struct loan *l);         /* a new connection for it */
bool loan_take_parked(struct loan *l);  /* one is lent, or on its way to be */
void loan_become_ready(struct loan *l); /* its connection is LENT from here on */
void loan_fail(struct loan *l, enum fail why, const char *detail); /* told; it is over */

/* signin.c: DIALING, HANDSHAKE, SIGNIN. */
void backend_dial(struct backend *b);
void backend_dial_later(struct backend *b); /* after POOL_ROOM_MS */
void backend_signin_open(struct backend *b);
size_t backend_signin_data(struct backend *b, struct span in);
void backend_signin_broken(struct backend *b, enum fail why, const char *detail);

/* enable.c: ENABLING. */
void backend_enable(struct backend *b); /* for its loan; SIGNIN, SCRUBBING or PARKED before */
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

/* user.c: users and what is parked for them. */
void pool_users_init(void); /* before the first of the others */
void pool_user_key(struct loan *l);
void pool_user_attach(struct backend *b, const struct loan *l); /* signed in just now: proved */
void pool_user_detach(struct backend *b);
void pool_user_park(struct backend *b);                            /* caps may close others */
const char *pool_user_known(struct pool *p, const struct loan *l); /* as pool_known */
/* A parked connection of this class whose proof answers for the loan; NULL: none. */
struct backend *pool_user_find(struct pool *p, const struct loan *l, struct span class);
void pool_user_disprove(
	struct pool *p, const struct loan *l);         /* the server refused this credential */
void pool_user_drop(struct backend *b, enum fail why); /* closes all parked of its user */
bool pool_user_is_kept(const struct backend *b);       /* its server is still one of ours */
char *pool_server_identity(const struct config_backend *s);
/* Closes the oldest parked connection of the loan's user; false: there is none. */
bool pool_user_make_room(struct pool *p, const struct loan *l);

#endif
