/*
 * Follows a signed-in session in both directions (POOLING.md section 7) and decides what passes.
 *
 * Pure: bytes in, bytes out through a sink, verdicts. Everything passes unchanged and unread except:
 * capability lists are rewritten; non-synchronising literals become synchronising ones toward the
 * server; LOGOUT, ID with internal keys, COMPRESS, STARTTLS, AUTHENTICATE, LOGIN, UNAUTHENTICATE are
 * answered here; malformed lines that could smuggle a command are refused. Octets of literals are
 * counted, not looked at. Feeding byte by byte gives the same result as feeding all at once.
 *
 * The tracker also knows whether the server connection could serve another session afterwards: nothing
 * open (tracker_is_quiet) and nothing sticky done (tracker_dirt). In doubt it says no.
 *
 *	create -> client, server ... -> TRACKER_LOGOUT ------------> quiet, dirt? -> destroy
 *	                             -> client_gone -> server ... -> quiet, dirt? -> destroy
 *
 * One session owns it; any thread, one at a time. It owns memory only for what is half read, held back
 * or in flight: an idle one is some 400 bytes.
 */
#ifndef IMAPMUX_IMAP_TRACKER_H
#define IMAPMUX_IMAP_TRACKER_H

#include "base/buf.h"
#include "base/fail.h"
#include "imap/capability.h"

struct tracker;

struct tracker_options {
	struct capability_policy capabilities; /* must outlive the tracker */
	struct span server_capabilities; /* after sign-in, as the server sent them; not kept */
	size_t max_line;                 /* limits.line: a client's command line without literals */
	const char *proxy_tag; /* prefix of the proxy's own tags: refused to clients; copied */
};

/* Commands in flight before the client is no longer read (Dovecot itself works on 4). */
#define TRACKER_MAX_IN_FLIGHT 64
/* A literal outside APPEND and REPLACE: search strings, mailbox names. */
#define TRACKER_MAX_LITERAL 65536
/* Octets of refused non-synchronising literals of one command that are read and dropped: a client that
 * was told of no such APPENDLIMIT sends the whole mail before it looks at the answer. */
#define TRACKER_MAX_DRAIN (UINT64_C(128) << 20)
/* A line of the server that has to be seen whole: status responses and capability lists. */
#define TRACKER_MAX_SERVER_LINE 65536
/* Answers of the proxy's own that wait for the end of a server's response. */
#define TRACKER_MAX_ANSWERS 8192

/* Where output goes. The spans are valid during the call only. Neither function may call back. */
struct tracker_sink {
	void *owner;
	void (*to_client)(void *owner, struct span bytes);
	void (*to_server)(void *owner, struct span bytes);
};

enum tracker_verdict {
	TRACKER_MORE,      /* all input is consumed */
	TRACKER_BLOCKED,   /* client side: the rest is not consumed until the server has answered */
	TRACKER_UNBLOCKED, /* server side: all consumed, and the client's rest can be fed again */
	TRACKER_LOGOUT, /* the client has been answered BYE and OK: end the session, keep the server */
	TRACKER_SERVER_BYE, /* server side: the server said BYE (relayed); it will close */
	TRACKER_FAILED, /* tracker_failure(): the session cannot go on (BYE was written if useful) */
};

struct tracker *tracker_create(const struct tracker_options *options);

/* Frees all and nulls the pointer; NULL is accepted. */
void tracker_destroy(struct tracker **t);

/*
 * Bytes from the client. A command goes out when its line is whole; octets of literals at once. LOGOUT
 * behind commands in flight is answered when they have ended, so TRACKER_LOGOUT may come from either
 * function; what the client sends behind LOGOUT is dropped.
 */
enum tracker_verdict tracker_client(
	struct tracker *t, struct span *in, const struct tracker_sink *sink);

/*
 * Bytes from the server: always consumed whole unless the verdict is LOGOUT or FAILED. With LOGOUT the
 * rest is for whoever has the connection next (scrub_feed accepts untagged lines).
 */
enum tracker_verdict tracker_server(
	struct tracker *t, struct span *in, const struct tracker_sink *sink);

/*
 * The client has gone: no more input from it. Ends an IDLE by DONE toward the server. From now on
 * nothing is written to the client. Feed the server's bytes until tracker_is_quiet, or give up.
 * False: a half-sent command or literal makes the connection useless; close it now.
 */
bool tracker_client_gone(struct tracker *t, const struct tracker_sink *sink);

/* True when no command, literal, continuation, IDLE, half line or unread byte is open either way. */
bool tracker_is_quiet(const struct tracker *t);

/* True when the only thing open is an IDLE that the server has agreed to: ending the session now cuts
 * nothing. */
bool tracker_is_idling(const struct tracker *t);

/* True between two responses of the server: a line written to the client now stands alone. */
bool tracker_can_interject(const struct tracker *t);

/*
 * Why the connection must not be parked: a word for the log, or NULL: it may, after a scrub. Set by
 * commands ("enable", "notify", "condstore", "language", "comparator", "unknown-command", "idle": a
 * line other than DONE) and by the server ("enable", "condstore", "bye", "unknown-tag", "long-line",
 * "odd-response", "stray-continuation", "early-reply"), or by tracker_client_gone ("half-command"). The
 * first reason stays.
 */
const char *tracker_dirt(const struct tracker *t);

/* What scrub needs to know. */
enum tracker_selected { TRACKER_SELECTED_NO, TRACKER_SELECTED_YES, TRACKER_SELECTED_UNKNOWN };
enum tracker_selected tracker_selected(const struct tracker *t);

/* The selected mailbox' name exactly as the client wrote it (one line's astring; empty when it was
 * sent as a literal, is longer than TRACKER_MAX_MAILBOX, or nothing is selected). */
#define TRACKER_MAX_MAILBOX 1024
struct span tracker_mailbox(const struct tracker *t);

/* After TRACKER_FAILED: why. FAIL_NONE otherwise. */
enum fail tracker_failure(const struct tracker *t);

#endif
