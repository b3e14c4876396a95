/*
 * The proxy's own ENABLE on a connection that a session is about to get (RFC 5161).
 *
 * Pure: sends `tag ENABLE words`, reads what the server enabled, and proves, as imap/scrub does, that
 * nothing else was in the stream. A server that refuses (NO, BAD) has enabled nothing; the connection is
 * as good as before. Only before anything is selected, on a connection on which nothing is enabled:
 * Cyrus and Dovecot 2.4 say nothing about what is enabled already. The caller owns the struct and the
 * time-out.
 */
#ifndef IMAPMUX_IMAP_ENABLE_H
#define IMAPMUX_IMAP_ENABLE_H

#include "imap/enabled.h"
#include "imap/response.h"

/* All that a server may say before our tagged reply, and one line of it. */
#define ENABLE_MAX_INPUT 16384
/* A longer prefix is a mistake of the caller. */
#define ENABLE_TAG_MAX 40

enum enable_verdict {
	ENABLE_MORE,  /* give more input */
	ENABLE_DONE,  /* answered: enable_result() is what the connection has */
	ENABLE_FAILED /* close it */
};

struct enable {
	char tag[ENABLE_TAG_MAX];
	size_t seen; /* private from here on: bytes of input so far */
	struct response_reader reader;
	struct buf enabled;
};

/* Appends the command; the tag is the prefix and "E". words is a class (imap/enabled.h), not empty. out
 * must have room for both. */
void enable_begin(struct enable *e, const char *tag_prefix, struct span words, struct buf *out);

/* Consumes all of *in (unless FAILED). ENABLE_DONE only when nothing is left over behind the tagged
 * reply; no call after it. */
enum enable_verdict enable_feed(struct enable *e, struct span *in);

/* After ENABLE_DONE: the class, canonical; valid until enable_finish. */
struct span enable_result(const struct enable *e);

/* Frees what is held. */
void enable_finish(struct enable *e);

#endif
