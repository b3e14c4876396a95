/*
 * Follows a signed-in session in both directions (POOLING.md section 7) and decides what passes.
 *
 * Pure: bytes in, bytes out through a sink, verdicts. Everything passes unchanged and unread except:
 * capability lists are rewritten; non-synchronising literals become synchronising ones toward the
 * server; LOGOUT, ID with internal keys, COMPRESS, STARTTLS, AUTHENTICATE, LOGIN, UNAUTHENTICATE are
 * answered here; malformed lines that could smuggle a command are refused. Of literals nothing is looked
 * at but line ends in a client's. Feeding byte by byte gives the same result as feeding all at once.
 *
 * The tracker also knows whether the server connection could serve another session afterwards: nothing
 * open (tracker_is_quiet), nothing sticky done (tracker_dirt), and which class it is now
 * (tracker_enabled). In doubt it says no.
 *
 *	create -> client, server ... -> TRACKER_LOGOUT ------------> quiet, dirt? -> destroy
 *	                             -> client_gone -> server ... -> quiet, dirt? -> destroy
 *
 * A session in no mailbox has no state but what is enabled (POOLING.md section 3a), so it needs no
 * server between two commands. Detached, the tracker answers here what needs none (CAPABILITY, NOOP,
 * ID, LOGOUT, IDLE, ENABLE of nothing new, BAD to what needs a mailbox) and asks for a connection for
 * all else:
 *
 *	ATTACHED --can_detach--> detach ----------------------------------> DETACHED
 *	   ^                                                                   | a command that needs one
 *	   '-- attach <-- TRACKER_ATTACH <-------------------------------------'
 *	                        '------------> refuse_next --> "tag NO", DETACHED
 *
 * One session owns it; any thread, one at a time. It owns memory only for what is half read, held back
 * or in flight: an idle one is some 400 bytes.
 */
#ifndef IMAPMUX_IMAP_TRACKER_H
#define IMAPMUX_IMAP_TRACKER_H

#include "base/buf.h"
#include "base/fail.h"
#include "imap/capability.h"
#include "imap/enabled.h"
#include "imap/listing.h"

struct tracker;

struct tracker_options {
	struct capability_policy
		capabilities; /* what it shows must live until tracker_client_gone */
	/* After sign-in, as the server sent them; what the client is told of them is kept, once. Empty:
	 * not known, then CAPABILITY is never answered here. */
	struct span server_capabilities;
	struct listings *listings; /* of this thread; must outlive the tracker. NULL: none */
	/* What the server says of itself, behind "* ID "; for ID while detached. Must live until
	 * tracker_client_gone. NULL, or not one line without literals: NIL is said. */
	const char *server_id;
	size_t max_line; /* limits.line: a client's command line without literals */
	/* Prefix of the proxy's own tags on the connection: refused to clients; copied. NULL while
	 * detached. */
	const char *proxy_tag;
	bool is_attached;    /* a server connection is at hand */
	struct span enabled; /* the class of the connection at hand (imap/enabled.h); copied */
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
/* Of tracker_refuse_next's text: a response code and a sentence. */
#define TRACKER_MAX_REFUSAL 200

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
	/* Client side, detached: the next command needs a connection of the class tracker_enabled().
	 * Nothing of it is consumed. Call tracker_attach or tracker_refuse_next, then feed the same bytes
	 * again; fed before, they bring the same verdict. */
	TRACKER_ATTACH,
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
 * Bytes from the server, attached only: always consumed whole unless the verdict is LOGOUT or FAILED. With LOGOUT the
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

/* True when no command, literal, continuation, IDLE, half line or unread byte is open either way. A
 * command that waits for a connection is open. */
bool tracker_is_quiet(const struct tracker *t);

/* True when the only thing open is an IDLE that the server (detached: the proxy) has agreed to: ending
 * the session now cuts nothing. */
bool tracker_is_idling(const struct tracker *t);

/* True between two responses of the server: a line written to the client now stands alone. */
bool tracker_can_interject(const struct tracker *t);

/*
 * Why the connection must not be parked: a word for the log, or NULL: it may, after a scrub, in the
 * class tracker_enabled(). Set by commands ("enable": one that cannot be read here; "qresync": used
 * without ENABLE; "notify", "language", "comparator", "unknown-command", "idle": a line other than
 * DONE; "line-end": in a string, which a server could repeat; in APPEND and REPLACE only if refused)
 * and by the server ("enable": an ENABLED that nobody asked for; "vanished": without QRESYNC or
 * UIDONLY; "unselected": FLAGS; "bye", "unknown-tag", "long-line", "odd-response", "early-reply",
 * "stray-continuation") or tracker_client_gone ("half-command"). The first stays. NULL while detached.
 */
const char *tracker_dirt(const struct tracker *t);

/* What scrub needs to know. */
enum tracker_selected { TRACKER_SELECTED_NO, TRACKER_SELECTED_YES, TRACKER_SELECTED_UNKNOWN };
enum tracker_selected tracker_selected(const struct tracker *t);

/* The selected mailbox' name exactly as the client wrote it (one line's astring; empty when it was
 * sent as a literal, is longer than TRACKER_MAX_MAILBOX, or nothing is selected). */
#define TRACKER_MAX_MAILBOX 1024
struct span tracker_mailbox(const struct tracker *t);

/*
 * What is enabled for the client, which is always what is enabled on its connection: given at the
 * start, grown by the server's "* ENABLED", and by CONDSTORE when that was switched on by being used
 * (RFC 7162 section 3.1). While TRACKER_ATTACH waits: the class that is wanted, with what a waiting
 * ENABLE asks for. Valid until the next call that changes the tracker; tracker_detach does not.
 */
struct span tracker_enabled(const struct tracker *t);

/*
 * True when CONDSTORE stands in tracker_enabled() only because the client or the server used it. Servers
 * differ in what they take for that, so scrub enables it in truth before the connection is parked. May
 * also be asked between tracker_detach and tracker_attach, about the connection given back.
 */
bool tracker_has_implicit_condstore(const struct tracker *t);

/*
 * True when a connection of this class may be attached: it has all that the client was told is enabled
 * (CONDSTORE that was only used was not told), and nothing but what is wanted. It may have less of what
 * a waiting ENABLE asks for.
 */
bool tracker_can_attach(const struct tracker *t, struct span enabled);

/*
 * A server connection is at hand: signed in, nothing selected, of this class. Detached and
 * tracker_can_attach only. The spans and the tag are copied. A waiting ENABLE will be answered here, when
 * it is fed again, from what is enabled now.
 */
void tracker_attach(struct tracker *t, struct span enabled, struct span server_capabilities,
	const char *proxy_tag);

/*
 * TRACKER_ATTACH waits, and no connection can be had: the waiting command will be answered "tag NO
 * text" when it is fed again, the octets of its literals dropped. The tracker stays detached. The text
 * is copied up to TRACKER_MAX_REFUSAL or the first control byte.
 */
void tracker_refuse_next(struct tracker *t, const char *text);

/*
 * True when the connection can be given back now: attached, quiet, known to have nothing selected, no
 * dirt. What the server still says is not the client's: the owner reads it (scrub does).
 */
bool tracker_can_detach(const struct tracker *t);

/* The connection is no longer at hand. tracker_can_detach only. */
void tracker_detach(struct tracker *t);

/* After TRACKER_FAILED: why. FAIL_NONE otherwise. */
enum fail tracker_failure(const struct tracker *t);

#endif
