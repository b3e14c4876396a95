/*
 * The pool of one worker: server connections that are dialled, signed in, lent, cleaned and parked.
 *
 * A session asks for a loan: a connection signed in as its user. A parked connection whose credential
 * was proved not long ago is lent at once; otherwise a new one is dialled and the server itself decides.
 * When the session ends it gives the loan back with the tracker that followed it; the pool drains,
 * scrubs and parks the connection, or closes it when anything is in doubt (POOLING.md). A wrong
 * password never touches what is parked. All on the worker's thread.
 *
 * Parked connections are found by server, login, proof of the credential, and class: what is enabled on
 * them (imap/enabled). Nobody gets a connection of another class than he asked for.
 *
 * Limits: a user has at most pool.max_per_user connections at a server, and a server at most
 * backends.max_connections from all workers together, on their way or on their way out included. A loan
 * that finds no room waits in the order of its user (queue.c tells more), never longer than
 * pool.queue_timeout.
 *
 * A connection's state is the list it is in (backend_state below); one function makes every move, so
 * the numbers shown to an operator are list lengths.
 */
#ifndef IMAPMUX_BACKEND_POOL_H
#define IMAPMUX_BACKEND_POOL_H

#include "backend/budget.h"
#include "base/counter.h"
#include "base/fail.h"
#include "config/config.h"
#include "imap/credentials.h"
#include "imap/signin.h"
#include "imap/tracker.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

struct pool;
struct loan;

/*
 * DIALING -> HANDSHAKE <-> SIGNIN -> LENT -> SCRUBBING -> PARKED -> LENT ...
 *                           ^ |       ^  ^     |  ^           |
 *                           | |       |  '-checked'  '---check---'
 *                           | '-> ENABLING <------------------'
 *                           '-> SPARE                              every state -> CLOSING
 *                        behind UNAUTHENTICATE: SCRUBBING -> SPARE or SIGNIN
 */
enum backend_state {
	BACKEND_DIALING,   /* being resolved and connected */
	BACKEND_HANDSHAKE, /* TLS is being set up (a plain one passes through) */
	BACKEND_SIGNIN,    /* dialogue until the user is signed in */
	BACKEND_SPARE,     /* greeting and capabilities read, waits for anybody to sign in */
	BACKEND_ENABLING,  /* signed in; our own ENABLE is on its way for the loan */
	BACKEND_LENT,      /* a session owns the stream */
	BACKEND_SCRUBBING, /* being drained and cleaned, or checked before it is lent */
	BACKEND_PARKED,    /* signed in, clean, waiting for the same user */
	BACKEND_CLOSING,   /* LOGOUT is on its way, or on_closed follows */
	BACKEND_STATE_COUNT
};

/* A connection in draining may still say this much, and has this long, before it is given up. */
#define POOL_DRAIN_BYTES 65536
#define POOL_DRAIN_MS    2000
#define POOL_SCRUB_MS    5000
/*
 * A spare is closed at this age: before the server does it, which would cost whoever takes it at that
 * moment a second attempt. Courier closes at one minute without a word, Dovecot at three with a BYE.
 */
#define POOL_SPARE_AGE_MS 50000
/* How long LOGOUT and what is pending may take to leave when a connection is closed. */
#define POOL_LINGER_MS 2000

/* What a loan tells the session. Never from inside a call below. After on_refused and on_failed the loan
 * is of no use any more, and loan_cancel frees it (also from inside them). */
struct loan_events {
	void (*on_ready)(void *owner); /* as if pool_borrow had said ready */
	/* The server said NO. text is for the client (imap/signin.h). */
	void (*on_refused)(void *owner, struct span text, bool is_wrong_credential);
	/* No connection could be had, or it broke before it was ready; FAIL_QUEUE_USER or
	 * FAIL_QUEUE_SERVER: none was free for pool.queue_timeout. detail is for the log. */
	void (*on_failed)(void *owner, enum fail why, const char *detail);
	/* A line of the server's for the client: loan_respond follows. Passwords: may be NULL. */
	void (*on_challenge)(void *owner, struct span line);
	/* Of a ready loan, any number of times; may be NULL: somebody waits for a connection of this
	 * user or at this server. Who can give his back should, as soon as he can. */
	void (*on_wanted)(void *owner);
};

/* What is asked for; everything is copied except server, tls and limits, which must outlive the loan
 * (the session's generation holds them). */
struct pool_request {
	const struct config_backend *server;
	struct tls_context *tls; /* NULL: plain */
	const struct config_limits *limits;
	struct span login;
	struct span signer; /* the master user who signs in for login, kept apart; or empty */
	bool is_secure;     /* the client's own connection is TLS or local */
	bool is_proved; /* the session was accepted before: only the connection is new, and what is
	                        parked under its proof may be lent beyond credential_ttl */
	struct span enabled; /* the class that is wanted, as imap/enabled writes it; empty: clean */
	const struct credentials *credentials; /* copied; wiped when the server has answered */
	struct signin_identity identity; /* strings must live until the loan is ready or over */
};

/* The budget is shared by the pools of all workers and outlives them. */
struct pool *pool_create(struct net_loop *loop, struct counters *counters, struct budget *budget);

/*
 * New settings and servers: connections to servers that changed or went are closed if they are parked or
 * spare, and are not parked when they come back; caps apply from the next parking on. The pool keeps a
 * reference to c. tls: contexts by backend index (references are taken), NULL where, or when all, are
 * plain. workers: how many share max_idle and spares.
 */
void pool_configure(
	struct pool *p, struct config *c, struct tls_context *const *tls, unsigned workers);

/*
 * Somebody here waits for a connection to a server, and other workers hold some; or somebody there waits, and
 * one was given back here: on_scarce comes, from the loop, again and again while it is so. Each of the
 * others should be told by pool_make_room, which closes what is not in use for whoever waits there,
 * asks its sessions (on_wanted), and serves whom it can now.
 */
void pool_on_scarce(struct pool *p, void (*on_scarce)(void *owner), void *owner);
void pool_make_room(struct pool *p);

/* Closes all that is parked or being cleaned, and parks nothing more. */
void pool_drain(struct pool *p);

/* Only when pool_is_empty. Nulls; NULL inside is fine. */
void pool_destroy(struct pool **p);
bool pool_is_empty(const struct pool *p);

/* Called whenever the pool has become empty, from the loop. */
void pool_on_empty(struct pool *p, void (*on_empty)(void *owner), void *owner);

/*
 * The server's capability list for the user when this very credential was proved within
 * credential_ttl and a signed-in connection of the user lives, so that the client can be accepted
 * without a connection of its own; else NULL. Valid until the next call. login, is_secure, server and
 * credentials of the request are looked at.
 */
const char *pool_known(struct pool *p, const struct pool_request *request);

/*
 * What a server of the configuration says of itself, as signin_server_id: as it did when somebody last
 * signed in there; NULL: it is not known. Valid until the next call.
 */
const char *pool_server_id(const struct pool *p, const struct config_backend *server);
/* A server of any configuration as the newest one has it; NULL: that one has it no more, or changed. */
const struct config_backend *pool_newest(const struct pool *p, const struct config_backend *server);

/*
 * Never NULL. loan_is_ready tells whether on_ready is still to come. A connection of exactly the wanted
 * class is lent, or a clean one on which ENABLE was sent for it: see loan_enabled.
 */
struct loan *pool_borrow(struct pool *p, const struct pool_request *request,
	const struct loan_events *events, void *owner);
bool loan_is_ready(const struct loan *l);
bool loan_is_reused(const struct loan *l); /* the connection was parked before */

/* Of a ready loan: the stream (call stream_set_owner at once, then stream_resume), and the server's
 * capability list at sign-in; valid until the loan ends. */
struct stream *loan_stream(const struct loan *l);
struct span loan_capabilities(const struct loan *l);

/*
 * The class of the connection of a ready loan: what the server says is enabled on it. Less than what was
 * wanted when the server refused; never anything that was not wanted, but for what it implies. Valid
 * until the loan ends.
 */
struct span loan_enabled(const struct loan *l);

/* Prefix of the tags that the proxy itself uses on this connection; random, so that no client guesses
 * it. Valid until the loan ends. */
const char *loan_proxy_tag(const struct loan *l);

/* After on_challenge: the client's answer, base64 or empty. */
void loan_respond(struct loan *l, struct span line);

/* Gives up a loan that is not ready; the connection is closed. Nulls. */
void loan_cancel(struct loan **l);

/*
 * Ends a ready loan. tracker NULL: the connection is closed because of why. Otherwise the pool takes the
 * tracker over, drains and scrubs, and parks or closes; an untidy end is logged at debug level with
 * its reason. Returns NULL when the connection goes on to be parked, else the reason it is not. Nulls.
 */
const char *loan_return(struct loan **l, struct tracker **tracker, enum fail why);

/*
 * Ends a ready loan whose session lives on without it (tracker_detach): nothing is open, nothing is
 * selected, nothing sticky was done except what enabled, the class, says. NOOP (ENABLE CONDSTORE when
 * that is new in it), then parked. Returns as loan_return. Nulls.
 */
const char *loan_give_back(struct loan **l, struct span enabled);

/* Number of connections in a state, over all users. */
size_t pool_count(const struct pool *p, enum backend_state state);
const char *backend_state_name(enum backend_state state);
bool backend_can_move(enum backend_state from, enum backend_state to);

#endif
