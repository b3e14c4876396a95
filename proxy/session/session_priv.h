/*
 * What the files of this folder share. Nobody else includes it.
 */
#ifndef IMAPMUX_SESSION_SESSION_PRIV_H
#define IMAPMUX_SESSION_SESSION_PRIV_H

#include "auth/exchange.h"
#include "backend/pool.h"
#include "client/client.h"
#include "client/guard.h"
#include "imap/tracker.h"
#include "net/job.h"
#include "net/proxy_header.h"
#include "session/session.h"

#define SESSION_ID_LEN 17
/* So often it is looked whether a session is idle for too long, or its client has gone unseen. */
#define SESSION_LOOK_MS 60000

/* The address of who has gone before anybody asked for it. */
#define SESSION_PEER_UNKNOWN "unknown"

/* What a trusted peer has said of the client (listeners.trusted). Strings are owned; NULL: not said. */
struct session_origin {
	char via[64];             /* the peer itself; "": the client has connected here */
	bool is_tls, is_id_clear; /* the client has spoken TLS with the peer; id was told without */
	char *tls_version;
	char *authority;      /* name that the client asked for */
	char *session_id;     /* what the peer calls the connection */
	struct client_id *id; /* what its ID told; NULL: nothing */
};

struct session {
	struct list_node node; /* in host->sessions */
	struct session_host *host;
	struct generation *generation;
	size_t listener; /* index into the generation's configuration */
	struct client *client;
	struct auth *auth;        /* a sign-in that ends here, while nobody works on it */
	struct net_job *job;      /* somebody works on it, and has it */
	struct loan *loan;        /* asked for, or attached */
	struct stream *server;    /* attached: the loan's stream */
	struct tracker *tracker;  /* linked */
	struct wheel_timer timer; /* linked: idle time-out; refused: when to say so */
	struct wheel_timer quiet; /* attached: when to look whether the connection can go back */
	/* Proved by the server; kept for as long as the session lives, because each new attachment may
	 * need a new connection. */
	struct credentials credentials;
	char *server_id; /* linked: what the server says of itself; NULL: not known */
	char *id_pairs;  /* for the ID at the server, once the route is known; NULL: none */
	char *refusal;   /* what to say then */
	char *user;      /* as the client wrote it; NULL before the first sign-in */
	struct route route;
	enum mechanism mechanism;
	bool has_route;
	bool is_verified; /* the proxy has proved the user, and the credentials are a master's */
	bool is_trusted;  /* the address is no client's: not counted */
	bool is_user_counted; /* in the guard */
	bool is_ended;        /* session_end was called; only on_closed is awaited */
	bool has_server_bye;  /* the server said BYE, and the client has read it */
	bool is_wanted;       /* somebody waits for the connection that we hold */
	bool is_reused;       /* the sign-in was answered without asking the server */
	uint64_t accepted_ms, asked_ms, linked_ms, active_ms;
	uint64_t bytes_to_client, bytes_to_server;
	struct stream_name peer, local; /* as the client would say it, whatever is between */
	struct session_origin *origin;  /* NULL: nobody has said anything of it */
	char id[SESSION_ID_LEN];
};

struct session_parcel {
	struct list_node node;
	struct client_parcel *client;
	struct generation *generation;
	struct guard *guard;
	size_t listener;
	uint64_t accepted_ms;
	struct stream_name peer, local;
	struct session_origin *origin;
	bool is_trusted;
	char id[SESSION_ID_LEN];
};

/* A connection whose client is known by its address. */
struct session_arrival {
	struct generation *generation; /* a reference */
	size_t listener;
	uint64_t accepted_ms;
	struct stream_name peer, local;
	struct session_origin *origin; /* owned; NULL: there is none */
};

static inline const struct config *session_config(const struct session *s)
{
	return s->generation->config;
}

/* What is hidden from, and told to, the clients of this session; lives with its generation. */
static inline struct capability_policy session_policy(const struct session *s)
{
	const struct config *c = session_config(s);
	return (struct capability_policy){
		.hide = (const char *const *)c->hide,
		.hide_count = c->hide_count,
		.tells_reuse = c->tell_reuse,
		.number = s->generation->number,
	};
}

/*
 * The session keeps its server connection as long as it lives. A token may have expired when the session
 * needs another connection, and what SCRAM sent was good for one exchange only. Whom the proxy has proved
 * is signed in by a master user, at any time.
 */
static inline bool session_must_stay(const struct session *s)
{
	return !s->is_verified &&
	       (MECHANISM_BIT(s->mechanism) & (MECHANISMS_TOKEN | MECHANISMS_SCRAM)) != 0;
}

/* session.c: a session for the client on fd. Takes over fd and what the arrival owns. */
void session_begin(struct session_host *h, int fd, struct session_arrival *arrival);

/* The one exit. Parks or closes the server connection, logs, closes the client. */
void session_end(struct session *s, enum fail why, const char *detail);
void session_arm_look(struct session *s); /* linked: the timer `timer` */
extern const struct client_events session_client_events;

/* admission.c: from credentials to linked. */
void session_admit(struct session *s);
void session_refuse(struct session *s, struct span text); /* now; the client may try again */

/*
 * The one way to refuse a user or a password (no route, wrong, not proved to the proxy itself): counts the
 * failure against address and user, logs the line that fail2ban reads, and answers with the text when
 * the delay is over. In WAITING or while the client owes the answer to a challenge, with s->user set.
 */
void session_refuse_credential(
	struct session *s, enum fail why, const char *detail, struct span text);
bool session_note_refused_token(struct session *s);
void session_forget_user(struct session *s);
void session_on_movable(void *owner);
void session_on_response(void *owner, struct span line);
void session_on_cancelled(void *owner);

/* What the pool needs to know for a connection of this user, of the given class. */
struct pool_request session_request(const struct session *s, struct span enabled);

/* attach.c: between two commands a linked session may do without a server connection. */
void session_attach(struct session *s); /* TRACKER_ATTACH: asks for one */
void session_give_back_if_quiet(struct session *s);
void session_wanted(void *owner);
void session_on_quiet(void *owner); /* the timer `quiet` */
const char *session_return_loan(struct session *s, enum fail why);

/* relay.c: linked. capabilities is what the server lists for this user. */
void session_link(struct session *s, struct span capabilities);
void session_use_loan(struct session *s); /* the loan is ready: its stream is ours */
size_t session_client_data(void *owner, struct span in);
void session_client_drained(void *owner);
bool session_can_end_now(const struct session *s); /* draining: nothing would be cut */

/* report.c: the log lines. */
void session_log_signin(const struct session *s);
void session_log_refusal(
	const struct session *s, enum fail why, const char *detail, uint64_t delay_ms);
void session_log_turned_away(struct session_host *h, enum fail why, const char *address);
void session_log_turned_away_more(void *owner); /* the timer of it */
void session_log_end(const struct session *s, enum fail why, const char *detail,
	const char *not_parked, bool had_server);

/* origin.c */
struct session_origin *session_origin_create(void);
void session_origin_destroy(struct session_origin **o);
/* From a PROXY header; via is the address of who sent it. */
struct session_origin *session_origin_of(const struct proxy_header *header, const char *via);
/* Whether the networks that a listener trusts hold the address. */
bool session_trusts(const struct config_listener *l, const char *address);
/* What the guard counts the client as. */
const char *session_counted_address(const char *address, bool is_trusted);

/* Takes what the client's ID told. False: the session has ended. */
bool session_take_id(struct session *s);
/* Proxies that may still follow, this one not counted; 0: none, they form a circle. */
unsigned session_proxy_ttl(const struct session *s);

/* What servers are told of the client; shows what the session owns. */
struct signin_identity session_identity(const struct session *s);

/* forward.c */
bool session_forward_check(const struct config *c, struct config_errors *errors);
char *session_id_pairs(const struct session *s); /* owned by the caller; the route is known */

/* intake.c: connections that have not brought their PROXY header yet. */
void intake_begin(struct session_host *h, int fd, struct session_arrival *arrival);
void intake_close_all(struct session_host *h);

/* host.c */
void session_host_left(struct session_host *h); /* a session has gone */

#endif
