/*
 * A line of a server: tagged, untagged or "+", its status and its response code (RFC 9051 section 7).
 * Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_RESPONSE_H
#define IMAPMUX_IMAP_RESPONSE_H

#include "base/buf.h"

enum response_kind {
	RESPONSE_EMPTY,    /* an empty line: noise (Cyrus sends one before some BADs) */
	RESPONSE_UNTAGGED, /* "* ..." */
	RESPONSE_CONTINUE, /* "+ ..." */
	RESPONSE_TAGGED,   /* anything else; the tag may be none of ours */
};

enum response_status {
	RESPONSE_DATA, /* no status response: CAPABILITY, 23 EXISTS, ... */
	RESPONSE_OK,
	RESPONSE_NO,
	RESPONSE_BAD,
	RESPONSE_BYE,
	RESPONSE_PREAUTH,
};

/* Parts of the line they were taken from; they live as long as it does. */
struct response {
	enum response_kind kind;
	enum response_status status;
	struct span tag;       /* RESPONSE_TAGGED only */
	struct span word;      /* "OK", "CAPABILITY", "23" */
	struct span code;      /* the first word inside "[...]" behind a status; empty: none */
	struct span code_args; /* what stands behind it in the brackets */
	struct span text;      /* the rest of the line */
};

/* Splits a line (without its end). Never fails: what is unknown is RESPONSE_DATA or a foreign tag. */
struct response response_parse(struct span line);

/* True when the response is the status of the command with this tag. */
bool response_is_tagged(const struct response *r, const char *tag);

/*
 * Cuts a server's stream into lines for a dialogue that waits for few of them. What stands behind a
 * literal is skipped with it, unlooked at: nothing that a dialogue waits for has one.
 */
struct response_reader {
	struct buf line;
	uint64_t literal_left;
	bool is_behind_literal; /* the line at hand goes on with a response that had a literal */
	bool is_done;           /* line was handed out and goes with the next call */
};

enum response_read {
	RESPONSE_READ_MORE,     /* all input is consumed */
	RESPONSE_READ_LINE,     /* *line is the next one, valid until the next call */
	RESPONSE_READ_TOO_LONG, /* a line beyond max_line, or an impossible literal; the end */
};

void response_reader_init(struct response_reader *r, size_t max_line);
void response_reader_finish(struct response_reader *r);

/* Consumes from *in, at most up to the end of a line. Resumable at every byte. */
enum response_read response_reader_feed(
	struct response_reader *r, struct span *in, struct span *line);

#endif
