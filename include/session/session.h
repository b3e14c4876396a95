/*
 * A session joins one client and one server connection: accept, sign-in, route, lend, relay, park.
 *
 * A session is made when a client connects and frees itself when both sides are done with; nobody else
 * holds a pointer to it. All of it runs on one worker's thread; the only way to another is the carry,
 * once the user is known (route/home).
 */
#ifndef IMAPMUX_SESSION_SESSION_H
#define IMAPMUX_SESSION_SESSION_H

#include "base/counter.h"
#include "base/list.h"
#include "net/loop.h"
#include "session/generation.h"

struct pool;
struct session_parcel;
struct guard;
struct budget;
struct intake_voices;
struct listings;

/* What the sessions of one worker share. Owned by the worker, who fills in the public part. */
struct session_host {
	struct net_loop *loop;
	struct counters *counters;
	struct generation
		*generation;      /* what new sessions begin under; the host owns a reference */
	struct guard *guard;      /* limits that count across workers; shared, thread-safe */
	struct budget *budget;    /* connections to servers; shared, thread-safe */
	unsigned worker, workers; /* this one's number, and how many there are */
	/* Hands a parcel to another worker, who calls session_adopt. Takes it over, also on failure. */
	void (*carry)(void *owner, unsigned worker, struct session_parcel *parcel);
	/* A server allows no more connections, and other workers hold some: each of them should get
	 * session_host_make_room. Comes again while it is so. */
	void (*on_scarce)(void *owner);
	/* The last session has ended while draining, and the pool is empty. */
	void (*on_drained)(void *owner);
	void *owner;

	struct pool *pool;            /* private from here on */
	struct listings *listings;    /* what its sessions are told of servers */
	struct list sessions;         /* every session of this worker */
	struct list intakes;          /* connections that still owe their PROXY header */
	struct intake_voices *voices; /* which of them were complained about lately */
	struct wheel_timer drained;   /* tells on_drained from the next turn */
	struct wheel_timer refused;   /* armed: a client was refused at the door not long ago */
	unsigned refused_more;        /* since then, not told in the log */
	bool is_draining;
};

/* Fills the private part (makes the pool); the public part must be set. */
void session_host_init(struct session_host *h);

/* New sessions begin under g from now on (takes over the reference); connections parked for servers that
 * changed or went are dropped. */
void session_host_renew(struct session_host *h, struct generation *g);

/*
 * Begins to end: parked connections are closed, clients before sign-in get BYE, sessions are ended with
 * BYE as soon as no command is in flight. on_drained follows (at once from the next turn when nothing is
 * left). New clients must not be given any more; parcels are dropped.
 */
void session_host_drain(struct session_host *h);

/* Ends every session now (BYE, no waiting). on_drained follows as above. */
void session_host_stop(struct session_host *h);

/* Another worker waits for connections to a server: what is not in use is closed, or given back soon. */
void session_host_make_room(struct session_host *h);

/* Frees the pool and the reference. Only after on_drained. */
void session_host_finish(struct session_host *h);

/* A client has connected to listener number `listener` of h->generation. Takes over fd. */
void session_accept(struct session_host *h, int fd, size_t listener);

/* On the home worker: goes on with a client that another worker carried here. Takes over the parcel. */
void session_adopt(struct session_host *h, struct session_parcel *parcel);

/* Ends a parcel that cannot be delivered: the connection is closed. Any thread. */
void session_parcel_drop(struct session_parcel *parcel);

/* The parcel's place in an inbox. */
struct list_node *session_parcel_node(struct session_parcel *parcel);
struct session_parcel *session_parcel_of(struct list_node *node);

#endif
