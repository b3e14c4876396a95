/*
 * Cuts a byte stream of IMAP into lines with their literals; serves commands and responses alike.
 *
 * A literal of at most LINES_KEPT bytes becomes part of the text (a password, say); of a longer one (a
 * message) only the length is known, its bytes are counted away without being looked at.
 */
#ifndef IMAPMUX_BENCH_LINES_H
#define IMAPMUX_BENCH_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define LINES_KEPT ((size_t)4096)

struct lines {
	char *text; /* what was read of the current line, without its line ends; not terminated */
	size_t n, capacity;
	size_t line;    /* where the text behind the last literal begins */
	size_t literal; /* bytes of a literal that are still to come */
	bool is_synchronising;
	bool is_kept; /* the literal becomes part of the text */
	bool is_done; /* the text was handed out: the next byte begins a new line */
};

enum lines_event {
	LINES_MORE,    /* all bytes are used */
	LINES_LITERAL, /* a literal follows; with is_synchronising the peer waits for "+" */
	LINES_LINE,    /* text is a whole line with its literals, valid until the next call */
};

/* Zeroed memory is a fresh reader. */
void lines_finish(struct lines *lines);

/* Reads from *bytes on (at most until end), and moves *bytes behind what was used. */
enum lines_event lines_read(struct lines *lines, const char **bytes, const char *end);

#endif
