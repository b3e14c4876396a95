/*
 * The closed set of messages between control and the workers. (The only other thing that crosses threads
 * is a carried client: worker to worker, in an inbox of its own.)
 *
 *	control -> worker   RENEW    here is a generation and where to listen; the first one begins the work
 *	                    DRAIN    stop listening, let the sessions come to their end
 *	                    STOP     stop listening, end the sessions now
 *	                    QUERY    tell about your clients or your pool, end a session, ...
 *	worker -> worker    SCARCE   somebody waits here for a connection to a server: make room
 *	worker -> control   RENEWED  a RENEW was carried out
 *	                    ANSWER   to a QUERY, with its number; none comes when ENDED does
 *	                    ENDED    drained or stopped: the thread is about to end and may be joined
 *
 * A message owns what it holds. It belongs to the sender until inbox_post takes it, then to the receiver,
 * who destroys it when it is handled; a refused post leaves it with the sender, who destroys it.
 */
#ifndef IMAPMUX_WORKER_MESSAGE_H
#define IMAPMUX_WORKER_MESSAGE_H

#include "base/list.h"
#include "config/plan.h"
#include "session/generation.h"
#include "session/inspect.h"

enum message_kind {
	MESSAGE_RENEW,
	MESSAGE_DRAIN,
	MESSAGE_STOP,
	MESSAGE_SCARCE,
	MESSAGE_QUERY,
	MESSAGE_RENEWED,
	MESSAGE_ANSWER,
	MESSAGE_ENDED,
};

/* What one listener of the new generation is accepted from, by its index in config.listeners. */
struct message_socket {
	int fd; /* a new one, owned by the message until the worker sets it to -1; or -1 */
	size_t kept_from; /* as in struct config_plan: whose socket goes on serving */
};

struct message {
	struct list_node node; /* in an inbox */
	enum message_kind kind;

	/* MESSAGE_RENEW; sockets of the generation before that nothing keeps are closed */
	struct generation *generation; /* a reference */
	struct message_socket *sockets;
	size_t socket_count;

	/* MESSAGE_QUERY, MESSAGE_ANSWER */
	uint64_t number;              /* the asker's */
	struct inspect_query query;   /* MESSAGE_QUERY */
	struct inspect_report report; /* MESSAGE_ANSWER */

	/* MESSAGE_RENEWED, MESSAGE_ANSWER, MESSAGE_ENDED */
	unsigned worker;
	size_t failures; /* MESSAGE_RENEWED: listeners that could not be started */
};

/*
 * A RENEW for a generation (a reference is taken) with one entry for each of its listeners, all
 * { -1, CONFIG_PLAN_NEW }: the caller fills them in.
 */
struct message *message_renew(struct generation *g);

/* A DRAIN, a STOP or a SCARCE. */
struct message *message_order(enum message_kind kind);

/* A QUERY; the strings of q are copied. */
struct message *message_query(uint64_t number, const struct inspect_query *q);

/* A RENEWED, an ANSWER (its number and report are the caller's to fill in) or an ENDED of the given worker. */
struct message *message_report(enum message_kind kind, unsigned worker);

/* Closes and releases what is still inside. Nulls; NULL inside is fine. Any thread. */
void message_destroy(struct message **m);

/* The message that the node of an inbox belongs to. */
struct message *message_of(struct list_node *node);

#endif
