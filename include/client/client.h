/*
 * A client connection: from the accepted descriptor through the pre-auth dialogue to the last byte.
 *
 * Owned by a session, on one worker's thread. It drives imap/preauth over a stream until credentials are
 * complete, then hands bytes up. Events come from the loop, never from inside a call below. After
 * client_close only on_closed comes, in which the client is freed.
 *
 *	HANDSHAKE -> PREAUTH -> WAITING -> LINKED (-> DRAINING) -> CLOSING
 *	    ^          | ^         |
 *	    '-STARTTLS-' '-refused-'-> MOVING -> CLOSING here, WAITING on the home worker
 *	                  challenged
 */
#ifndef IMAPMUX_CLIENT_CLIENT_H
#define IMAPMUX_CLIENT_CLIENT_H

#include "config/config.h"
#include "imap/preauth.h"
#include "net/carry.h"

struct client;
struct client_parcel;

enum client_state {
	CLIENT_HANDSHAKE, /* TLS is being set up (a plain one passes through) */
	CLIENT_PREAUTH, /* dialogue until the credentials are complete, and while one is challenged */
	CLIENT_WAITING,  /* credentials handed up, not answered; nothing is read */
	CLIENT_MOVING,   /* about to be carried to another worker */
	CLIENT_LINKED,   /* signed in: bytes go up */
	CLIENT_DRAINING, /* as LINKED, but to be ended at the next quiet moment */
	CLIENT_CLOSING,  /* output is being flushed; on_closed follows */
	CLIENT_STATE_COUNT
};

struct client_events {
	/* Asked, not told: what this client may sign in with, now that its stream is open, and again when
	 * STARTTLS has made it secure. A mask of MECHANISM_BIT. */
	unsigned (*mechanisms)(void *owner);
	/* The same, once, when the stream is open: what every server offers that it could be. NULL: nothing. */
	struct span (*offered)(void *owner);
	void (*on_credentials)(void *owner); /* in WAITING: client_credentials() is complete */
	/* After client_challenge; in WAITING: the client's line, base64. Valid during the call. */
	void (*on_response)(void *owner, struct span line);
	/* After client_challenge; in PREAUTH: the exchange has ended without an answer, and the client has
	 * been told. Whatever judges the sign-in is to be stopped. */
	void (*on_cancelled)(void *owner);
	void (*on_movable)(void *owner); /* after client_begin_move: client_take may be called */
	size_t (*on_data)(void *owner, struct span in); /* LINKED; as in net/stream.h */
	void (*on_drained)(void *owner);                /* LINKED; as in net/stream.h */
	/* The peer left, broke a rule or ran into a bound: what it is to be told has been written. The
	 * owner calls client_close. detail may be "". */
	void (*on_gone)(void *owner, enum fail why, const char *detail);
	void (*on_closed)(void *owner);
};

/* What a client may do; all pointers must outlive the client (they belong to its generation). */
struct client_options {
	struct tls_context *tls; /* NULL: no TLS on this listener */
	enum tls_mode mode;
	bool may_sign_in_clear; /* credentials in clear are allowed */
	bool trusts_id;         /* as in imap/preauth.h */
	struct capability_policy capabilities;
	const struct config_limits *limits;
};

/* How long goodbye bytes may take to leave. */
#define CLIENT_LINGER_MS 5000

/* Takes over fd. NULL: the descriptor was not usable and is closed. */
struct client *client_create(struct net_loop *loop, int fd, const struct client_options *options,
	const struct client_events *events, void *owner);

/* In WAITING. The credentials may be moved out once; the answer is one of accept and refuse. */
struct credentials *client_credentials(struct client *c);
/* In WAITING: as preauth_take_id. */
struct client_id *client_take_id(struct client *c);
void client_accept(struct client *c, struct span capabilities, const char *text);

/* In WAITING; or in PREAUTH while the client owes the answer to a challenge: it is told when that comes,
 * and on_response and on_cancelled do not follow any more. */
void client_refuse(struct client *c, struct span text);

/*
 * In WAITING: asks the client for another line of the exchange (base64, may be empty); on_response or
 * on_cancelled follows, or on_gone. False: it was asked too often, and must be refused.
 */
bool client_challenge(struct client *c, struct span challenge) __attribute__((warn_unused_result));

/* In WAITING: gets ready to be carried; on_movable follows when the peer has read what it was sent, or
 * on_gone after preauth_timeout. client_take then ends this client
 * (on_closed comes) and gives a parcel for client_unpack on another thread. NULL: cannot be moved. */
void client_begin_move(struct client *c);
struct client_parcel *client_take(struct client *c);
struct client *client_unpack(struct net_loop *loop, struct client_parcel **parcel,
	const struct client_events *events, void *owner);
void client_parcel_drop(struct client_parcel **parcel);

/* In LINKED: marks that the session ends soon. */
void client_drain(struct client *c);

/* Writes "* BYE text" unless why has nothing to tell the client. */
void client_say_bye(struct client *c, enum fail why);

/* Flushes for at most linger_ms, then closes. May be called in any state, also again. */
void client_close(struct client *c, uint64_t linger_ms);

struct stream *client_stream(struct client *c);
enum client_state client_state(const struct client *c);
const char *client_state_name(enum client_state s);

/* The transition table, for the test that holds it to the drawing. */
bool client_can_move(enum client_state from, enum client_state to);

#endif
