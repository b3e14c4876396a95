/*
 * What the files of the tracker share: the object, its two state machines, the set of commands in
 * flight, the table of commands. Nobody else includes this.
 *
 *	tracker.c          the object, what is known about it, answers of the proxy's own
 *	tracker_client.c   the client's bytes: lines, literals, what is held back or swallowed
 *	tracker_command.c  a client's line: refuse, answer here, or send on
 *	tracker_detached.c the same without a server connection; attach, detach (tracker_link_priv.h)
 *	tracker_enabled.c  what is enabled (tracker_link_priv.h)
 *	tracker_server.c   the server's bytes: which pass, which are looked at
 *	tracker_reply.c    a server's status line: what it ends, opens, selects
 *	in_flight.c        tags of commands that were sent and not yet answered
 *	server_line.c    what a server's response is, by its first and last bytes
 *	line_end.c       line ends in strings of the client
 *	verbs.c            what is known about each command
 */
#ifndef IMAPMUX_IMAP_TRACKER_PRIV_H
#define IMAPMUX_IMAP_TRACKER_PRIV_H

#include "imap/command.h"
#include "imap/lexer.h"
#include "imap/tracker.h"
#include "in_flight_priv.h"
#include "server_line_priv.h"
#include "verbs_priv.h"

/*
 *	  LINE --IDLE-------> IDLE_ASKED --"+"--> IDLE --DONE--> LINE
 *	   |---IDLE, detached--> IDLE_HERE --any line--> LINE
 *	   |  \--{n}, {n+}--> HELD ------"+"--> LITERAL -------> LINE (same command)
 *	   |                   \--tagged reply, {n+}--> SWALLOW_LITERAL
 *	   |--refused line with {n+}--> SWALLOW_LITERAL --> SWALLOW_LINE --> LINE
 *	   |--line too long-----------> SWALLOW_LINE (back and forth while it ends in {n+})
 *	    \-LOGOUT--> LOGOUT --nothing in flight--> ENDED        any --> FAILED
 *
 * A tagged reply for the open command brings HELD (with {n}), IDLE_ASKED and IDLE back to LINE.
 */
enum client_state {
	CLIENT_LINE,
	CLIENT_HELD,       /* input waits for what the server says to a literal header */
	CLIENT_LITERAL,    /* client_left octets go to the server */
	CLIENT_IDLE_ASKED, /* input waits for what the server says to IDLE */
	CLIENT_IDLE,
	CLIENT_IDLE_HERE,       /* the server knows nothing of it */
	CLIENT_SWALLOW_LITERAL, /* client_left octets are dropped */
	CLIENT_SWALLOW_LINE,    /* the rest of a refused command */
	CLIENT_LOGOUT,          /* input is dropped */
	CLIENT_ENDED,
	CLIENT_FAILED,
};

/*
 *	START --"* 5 EXISTS"...--> DATA --{n}--> LITERAL --> DATA
 *	      --"+"-------------> TEXT, or SWALLOW when the client did not ask for it
 *	      --too long--------> TEXT           any --line end--> START
 */
enum server_state {
	SERVER_START,   /* at a response's first byte, or its line is being gathered in `reply` */
	SERVER_DATA,    /* inside a response that has been passed on in part */
	SERVER_LITERAL, /* server_left octets of it */
	SERVER_TEXT,    /* a rest without literals */
	SERVER_SWALLOW, /* a rest that is not passed on */
};

/* Is a server connection at hand? */
enum tracker_link {
	LINK_ATTACHED,
	LINK_DETACHED,
	LINK_WANTED, /* detached, and the next command of the client waits for one */
};

/* A line of the client and what was read in it. */
struct client_line {
	struct span text;
	bool has_crlf;
	enum literal_form form;
	struct literal literal;
};

/* A session has one for all its life; so ordered that there are no gaps. */
struct tracker {
	struct capability_policy policy;
	const char *server_id;
	struct listings *listings;
	struct listing *listing; /* of the server's capabilities; NULL: not known */
	char *proxy_tag;
	size_t max_line;
	const char *dirt;
	char *wanted;  /* a waiting ENABLE: all that will be enabled; until it is answered */
	char *refusal; /* of the command that waits */
	struct buf enabled;
	enum fail failure;
	enum tracker_link link;
	enum tracker_selected selected;
	bool is_condstore_implicit;

	struct buf line;  /* a part of a client's line */
	size_t text_used; /* of max_line, by earlier lines of the open command */
	uint64_t client_left;
	uint64_t drained;        /* of TRACKER_MAX_DRAIN */
	const struct verb *verb; /* NULL: the next line begins a command */
	char *own_tag;           /* LOGOUT, IDLE_HERE */
	struct tail swallowed;   /* end of what was swallowed of a line */
	bool is_nonsync;         /* HELD: the client does not wait */
	bool is_blocked;         /* the last verdict for the client was BLOCKED */
	bool is_gone;
	enum client_state client;

	struct buf reply;   /* a server's line that is not yet whole */
	struct buf answers; /* of the proxy, until the server's response ends */
	uint64_t server_left;
	struct tail passed; /* end of what was passed on of a line */
	bool is_awaited; /* TEXT, SWALLOW: the line is the "+" that the client's state waits for */
	bool has_bye;
	bool is_overlapping; /* two commands in flight change the selection: which was last? */
	enum server_state server;

	struct in_flight in_flight;
	char *mailbox;      /* NULL: not known */
	char *next_mailbox; /* of the SELECT in flight */
};

/* tracker.c */
void tracker_dirty(struct tracker *t, const char *why);

/* Nothing reaches a client that has gone. */
void tracker_to_client(struct tracker *t, const struct tracker_sink *sink, struct span bytes);

/* An answer of the proxy's own: at once, or behind the response that is just being passed on. The
 * caller has asked for room before it took the command in. */
void tracker_answer(struct tracker *t, const struct tracker_sink *sink, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool tracker_has_room_for_answer(const struct tracker *t);
void tracker_flush_answers(struct tracker *t, const struct tracker_sink *sink);

/* Answers LOGOUT if it waits and nothing else is open. */
void tracker_try_logout(struct tracker *t, const struct tracker_sink *sink);

/* Ends the session with BYE; returns TRACKER_FAILED. */
enum tracker_verdict tracker_fail(
	struct tracker *t, const struct tracker_sink *sink, enum fail why);

/* Sends DONE and leaves IDLE. */
void tracker_end_idle(struct tracker *t, const struct tracker_sink *sink);

/* tracker_command.c */

/* Answers the command here: what follows its line is dropped. tag may be empty: untagged. */
enum tracker_verdict tracker_refuse(struct tracker *t, const struct client_line *line,
	struct span tag, const char *answer, const struct tracker_sink *sink);

/* A client's line is whole; text is without its line end, which was CRLF or not. */
enum tracker_verdict tracker_on_line(
	struct tracker *t, struct span text, bool has_crlf, const struct tracker_sink *sink);

/* A line longer than max_line has begun like this; the caller swallows it. */
enum tracker_verdict tracker_on_long_line(
	struct tracker *t, struct span head, const struct tracker_sink *sink);

/* tracker_client.c */

/* True when the client's bytes are taken now. */
bool tracker_can_read(const struct tracker *t);

/* The next line begins a command. */
void tracker_expect_command(struct tracker *t);

/* Begins to drop the octets of a refused literal, then the rest of its command. Not FAIL_NONE: too
 * many; the caller fails the session. */
enum fail tracker_swallow(struct tracker *t, uint64_t octets);

/* tracker_reply.c: a whole status line or capability list of the server, with its line end */

/* True: the client gets what was written to out instead of the line. */
bool tracker_rewrite(struct tracker *t, struct span line, struct buf *out);

/* Draws the consequences (after the line was passed on). Not FAIL_NONE: the session cannot go on. */
enum fail tracker_on_reply(struct tracker *t, struct span line);

/* A "+" that the client's state waited for is whole. */
void tracker_on_go_ahead(struct tracker *t, const struct tracker_sink *sink);

#endif
