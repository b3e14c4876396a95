/*
 * Brings a quiet connection back to "signed in, nothing selected", and proves that it did.
 *
 * Pure. The barrier (POOLING.md section 1, "Park"): one command of the proxy's own and then exactly its
 * tagged OK; anything else than untagged lines before it means that the connection is not what we
 * believe, and it is closed. Also the check of a connection that has been parked for long (NOOP).
 */
#ifndef IMAPMUX_IMAP_SCRUB_H
#define IMAPMUX_IMAP_SCRUB_H

#include "base/buf.h"
#include "imap/tracker.h"

/* All that a server may say before our tagged OK; EXPUNGE storms stay below. */
#define SCRUB_MAX_INPUT 65536
#define SCRUB_TAG_MAX   40

enum scrub_verdict { SCRUB_MORE, SCRUB_CLEAN, SCRUB_FAILED };

struct scrub {
	char tag[SCRUB_TAG_MAX]; /* of the command that is waited for */
	int step;                /* private to scrub.c */
	size_t seen;             /* bytes of input so far */
	struct buf line;         /* an incomplete line */
	uint64_t literal_left;
};

/*
 * Appends the first command: UNSELECT when something is or may be selected and the server has it,
 * EXAMINE of the same mailbox and then CLOSE when it has not (never CLOSE of a read-write mailbox: it
 * expunges), NOOP when nothing is selected. False: no safe way (selection unknown without UNSELECT, or
 * the name is not known): close the connection. The tag is tag_prefix followed by a number.
 */
bool scrub_begin(struct scrub *s, const char *tag_prefix, enum tracker_selected selected,
	struct span mailbox, bool has_unselect, struct buf *out);

/* Only a NOOP: is this parked connection alive and in order? */
void scrub_begin_check(struct scrub *s, const char *tag_prefix, struct buf *out);

/* SCRUB_CLEAN only when nothing is left over behind the tagged OK. Consumes all of *in. */
enum scrub_verdict scrub_feed(struct scrub *s, struct span *in, struct buf *out);

void scrub_finish(struct scrub *s);

#endif
