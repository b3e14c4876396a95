/*
 * A command of the proxy's own on a connection between two sessions, and what the server makes of it:
 * ENABLE for the session that is about to get it (RFC 5161), UNAUTHENTICATE behind one that has left
 * (RFC 8437).
 *
 * Pure: sends one command, reads to its tagged reply, and proves, as imap/scrub does, that nothing else
 * was in the stream: neither the reply to a command that somebody smuggled, nor a byte behind the
 * end. The caller owns the struct and the time-out. Any thread, one at a time.
 */
#ifndef IMAPMUX_IMAP_ERRAND_H
#define IMAPMUX_IMAP_ERRAND_H

#include "imap/enabled.h"
#include "imap/response.h"

/* All that a server may say before our tagged reply (EXPUNGE storms stay below), and one line of it. */
#define ERRAND_MAX_INPUT 65536
#define ERRAND_MAX_LINE  16384
/* A longer prefix is a mistake of the caller. */
#define ERRAND_TAG_MAX 40

enum errand_verdict {
	ERRAND_MORE,    /* give more input */
	ERRAND_OK,      /* done; what was learnt can be asked for */
	ERRAND_REFUSED, /* tagged NO or BAD: the connection is what it was before */
	ERRAND_FAILED   /* close it */
};

struct errand {
	char tag[ERRAND_TAG_MAX];
	bool is_selected; /* private from here on */
	size_t seen;      /* bytes of input so far */
	struct response_reader reader;
	struct buf enabled;
	struct buf capabilities;
};

/*
 * Appends the command; its tag is the prefix and "E". command: verb and arguments, the proxy's own text.
 * is_selected: a mailbox is or may be selected, so that responses about it are no surprise. out must
 * have room.
 */
void errand_begin(struct errand *e, const char *tag_prefix, struct span command, bool is_selected,
	struct buf *out);

/* Consumes all of *in (unless FAILED). OK and REFUSED only when nothing is left over behind the tagged
 * reply; no call after them. */
enum errand_verdict errand_feed(struct errand *e, struct span *in);

/* What "* ENABLED" named, as a class (imap/enabled.h). Cyrus and Dovecot 2.4 name nothing that was enabled
 * before. Valid until errand_finish. */
struct span errand_enabled(const struct errand *e);

/* The newest capability list; empty: none came. Valid until errand_finish. */
struct span errand_capabilities(const struct errand *e);

/* Frees what is held. */
void errand_finish(struct errand *e);

#endif
