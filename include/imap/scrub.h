/*
 * Brings a quiet connection back to "signed in, nothing selected", and proves that it did. What is
 * enabled stays: there is no way back.
 *
 * Pure. The barrier (POOLING.md section 1, "Park"): a command of the proxy's own and then exactly its
 * tagged OK. Anything else than untagged lines before it, or one byte behind it, means that the
 * connection is not what we believe, and it is closed: the reply to a command that somebody smuggled
 * would come out here, and not in the next session. Also the check of a connection that has been
 * parked for long (NOOP).
 *
 * The caller owns the struct and the time-out. Any thread, one at a time.
 */
#ifndef IMAPMUX_IMAP_SCRUB_H
#define IMAPMUX_IMAP_SCRUB_H

#include "base/buf.h"
#include "imap/tracker.h"

/* All that a server may say before our tagged OK; EXPUNGE storms stay below. */
#define SCRUB_MAX_INPUT 65536
/* A longer prefix is a mistake of the caller. */
#define SCRUB_TAG_MAX 40

enum scrub_verdict {
	SCRUB_MORE,  /* give more input (and send out, when something was appended) */
	SCRUB_CLEAN, /* nothing is selected, nothing is open: the connection may serve again */
	SCRUB_FAILED /* close it */
};

struct scrub {
	char tag[SCRUB_TAG_MAX]; /* of the command that is waited for */
	int step;                /* private to scrub.c from here on */
	size_t seen;             /* bytes of input so far */
	struct buf line;         /* an incomplete line */
	uint64_t literal_left;   /* octets that are not looked at */
	bool is_inside;          /* behind a literal: the line is not the beginning of a response */
	bool must_enable;        /* ENABLE CONDSTORE is still to come */
};

/*
 * Appends the first command: UNSELECT when something is or may be selected and the server has it;
 * EXAMINE of the same mailbox and then CLOSE when it has not (never CLOSE of a read-write mailbox: it
 * expunges); NOOP when nothing is selected. mailbox as tracker_mailbox gives it. The tag is
 * tag_prefix followed by a number.
 *
 * must_enable_condstore (tracker_has_implicit_condstore): the last command is ENABLE CONDSTORE, in the
 * place of NOOP or behind the others (it is not valid while a mailbox is selected, RFC 5161), so that
 * CONDSTORE is on whatever this server took for its use. NO or BAD to it: SCRUB_FAILED.
 *
 * False: no safe way (selection unknown and no UNSELECT, or the name
 * is not known), or out's cap: close the connection; nothing was appended and scrub_finish is not
 * needed.
 */
bool scrub_begin(struct scrub *s, const char *tag_prefix, enum tracker_selected selected,
	struct span mailbox, bool has_unselect, bool must_enable_condstore, struct buf *out)
	__attribute__((warn_unused_result));

/* Only a NOOP: is this parked connection alive and in order? out must have room for a short line. */
void scrub_begin_check(struct scrub *s, const char *tag_prefix, struct buf *out);

/*
 * Consumes all of *in (unless FAILED). A next command is appended to out when the one before has
 * succeeded. SCRUB_CLEAN only when nothing is left over behind the tagged OK; no call after it.
 */
enum scrub_verdict scrub_feed(struct scrub *s, struct span *in, struct buf *out);

/* Frees what is held. */
void scrub_finish(struct scrub *s);

#endif
