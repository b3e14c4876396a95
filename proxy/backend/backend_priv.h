/*
 * What the files of this folder share: the structs behind backend/pool.h. Nobody else includes it.
 */
#ifndef IMAPMUX_BACKEND_BACKEND_PRIV_H
#define IMAPMUX_BACKEND_BACKEND_PRIV_H

#include "backend/pool.h"
#include "backend/proof.h"
#include "base/hash.h"
#include "base/list.h"
#include "imap/errand.h"
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
	struct list notes;     /* inspect.c: what has happened at which server */
	struct config *config; /* the newest; a reference */
	struct config_pool settings;
	size_t max_parked; /* this worker's share of max_idle */
	size_t max_spares; /* and of spares, at each server */
	bool is_draining;
	void (*on_empty)(void *owner);
	void *on_empty_owner;
	struct net_task empty; /* tells it */
	void (*on_scarce)(void *owner);
	void *on_scarce_owner;
	struct list woken;        /* struct pool_user: something changed for whoever waits there */
	struct net_task queue;    /* serves them */
	bool is_retry_due;        /* another worker has given something back */
	struct wheel_timer retry; /* looks again for what other workers have given back */
	struct hash_key tag_key;  /* for proxy tags */
	uint64_t tag_count;
	struct buf offered;       /* what pool_offered has found last */
	unsigned offered_version; /* for this version */
	bool is_offered_known;    /* false: look anew */
};

/* A server; counted: it lives as long as it is configured, or has users, loans or connections. */
struct pool_server {
	struct list_node node; /* in pool->servers */
	struct pool *pool;
	size_t refs;
	char *identity; /* everything that makes it that server, as text */
	char *name;
	char *id;                 /* what it says of itself; NULL: not known */
	unsigned max_connections; /* in all workers; 0: no limit */
	struct budget_place *place;
	struct list states[BACKEND_STATE_COUNT]; /* struct backend.server_node */
	bool must_ask;       /* others for their connections, when the queue is served */
	bool has_given;      /* connections back to the budget since the queue was served */
	bool is_others_turn; /* of what is given back next */
	size_t leaving;      /* connections that were closed to make room, and are not gone yet */
	const struct config_backend *config; /* of pool->config; NULL: not configured */
	struct tls_context *tls;             /* a reference; NULL: plain, or not configured */
	struct wheel_timer refill;           /* of spares */
	unsigned failures;                   /* in a row, of connecting to it */
	uint64_t rested_ms;                  /* no spare is opened before */
	struct wheel_timer probe;            /* when to look whether somebody has to ask it */
	struct list caps;                    /* struct caps */
	struct list turns; /* struct pool_user, in the order in which they get a connection */
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
	enum proof_kind kind; /* of proof, of secret */
	bool is_unproved;     /* on its way with a credential that the server has not proved yet */
	bool is_leaving;      /* counted as such */
	bool must_enable; /* CONDSTORE was only used: it is enabled before the connection is parked */
	bool is_condemned;                   /* not to be parked any more */
	bool is_spare;                       /* was one before its loan came, or is */
	bool is_probe;                       /* only to learn what the server offers */
	bool has_learnt;                     /* that */
	const struct config_backend *config; /* until it is ready to sign in */
	struct tls_context *tls;             /* the same */
	const struct config_limits *limits;  /* the same */
	struct net_task start;               /* signs in on what was a spare */
	struct dial *dial;                   /* DIALING */
	struct stream *stream;               /* from HANDSHAKE on */
	struct signin *signin;               /* HANDSHAKE, SIGNIN */
	struct loan *loan;                   /* whom it is for; NULL: nobody */
	struct proof proof;                  /* of the credential it was signed in with */
	struct proof secret;                 /* of the password in it */
	struct caps *capabilities;           /* signed in: the server's list */
	struct buf enabled;                  /* its class (imap/enabled.h) */
	struct errand *errand;               /* ENABLING; SCRUBBING by UNAUTHENTICATE */
	char tag[BACKEND_TAG_MAX];
	struct tracker *tracker; /* SCRUBBING, while it is being drained */
	struct scrub *scrub;     /* SCRUBBING, while our own command is answered */
	size_t drained;          /* bytes thrown away in draining */
	uint64_t created_ms, parked_ms;
	struct wheel_timer timer;
};

/* backend.c: the object. The connection must have been taken from the budget; loan NULL: for nobody. */
struct backend *backend_create(struct pool_server *s, struct loan *l);
void backend_move(struct backend *b, enum backend_state next);
void backend_close(struct backend *b, enum fail why);
void backend_end_errand(struct backend *b);
void backend_log_whose(const struct backend *b, struct log_line *line); /* server, login */
void backend_evict(struct backend *b); /* one of no use now makes room; counted until it is gone */
void backend_write(struct backend *b, struct buf *out); /* sends and empties */
extern const struct stream_events backend_stream_events;

/* signin.c: DIALING, HANDSHAKE, SIGNIN. */
void backend_dial(struct backend *b);
void backend_signin_open(struct backend *b);
size_t backend_signin_data(struct backend *b, struct span in);
void backend_signin_broken(struct backend *b, enum fail why, const char *detail);
void backend_respond(struct backend *b, struct span line); /* its loan was challenged */
void backend_signin_start(struct backend *b);              /* its dialogue is at SIGNIN_READY */

/* preface.c: makes the buffer and writes what the server wants before its greeting, or nothing. */
void backend_write_preface(const struct backend *b, struct buf *out);

/* spare.c: connections that wait before sign-in. */
void spare_init(struct pool_server *s);
void spare_configure(struct pool_server *s); /* other settings; or it is not configured any more */
void spare_plan(struct pool_server *s);      /* one may be missing: looked at soon */
void spare_ready(struct backend *b);         /* it is one now, or still */
void spare_broken(struct backend *b, enum fail why); /* it, or on its way to be one */
bool spare_take(struct loan *l);                     /* for this loan; false: there is none */
void spare_close_all(struct pool *p);
size_t spares_flush(struct pool *p, const char *server); /* as pool_flush */
void spare_server_failed(struct pool_server *s);
void spare_server_well(struct pool_server *s);

/* probe.c: what servers offer before sign-in. */
void probe_init(struct pool_server *s);
void probe_plan(struct pool_server *s); /* it was configured, or is not any more */
void probe_close_all(struct pool *p);   /* the end: no more of them */
void probe_greeted(struct backend *b);  /* its list has been read; a probe ends here */
/* It has ended; perhaps before that. */
void probe_failed(struct backend *b, enum fail why, const char *detail);

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

/* leave.c: SCRUBBING by UNAUTHENTICATE. False: that is not possible here. */
bool backend_leave(struct backend *b, bool is_selected);
void backend_leave_data(struct backend *b, struct span *in);

/* caps.c: a capability list, shared by whoever was told it; counted. */
struct caps {
	struct list_node node; /* in server->caps */
	size_t refs;
	char text[];
};
struct caps *caps_get(struct list *known, struct span text); /* found or made; a reference */
struct caps *caps_ref(struct caps *c);
void caps_unref(struct caps **c); /* nulls; NULL inside is fine */

/* server.c */
struct pool_server *server_find(
	struct pool *p, const struct config_backend *config); /* a reference */
struct pool_server *server_ref(struct pool_server *s);
void server_unref(struct pool_server *s);
void server_learn_id(struct pool_server *s, struct span id);
void servers_configure(struct pool *p, struct tls_context *const *tls); /* by pool->config */
void servers_forget(struct pool *p); /* the end: as if none were configured */

#endif
