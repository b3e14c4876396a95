/*
 * Files beside the configuration that hold one entry a line (map files, password files): bytes in, lines
 * out.
 *
 * The bytes may be fed in pieces of any size; only a line that is cut by the end of a piece is copied, and
 * wiped behind its use: it may hold a password. A carriage return before the line's end is no part
 * of it, nor is the mark with which editors of some systems begin a file. A line with a mistake is
 * counted and skipped, so that one run shows the mistakes of the whole file. One thread.
 */
#ifndef IMAPMUX_CONFIG_LINEFILE_H
#define IMAPMUX_CONFIG_LINEFILE_H

#include "base/span.h"
#include "config/errors.h"

/* Mistakes shown of one file, further ones are only counted: a wrong separator is in every line. */
#define LINEFILE_SHOWN_MAX 20

struct linefile {
	const char *name; /* opened by linefile_read, and in messages; not owned */
	struct config_errors *errors;
	size_t max_line; /* a longer line is a mistake */
	/* The line at hand, whose number is `line`; valid during the call. */
	void (*take)(void *owner, struct span line);
	void *owner;
	unsigned line;
	size_t mistakes;
	char *part; /* private: a line whose end has not come yet */
	size_t part_len;
	bool part_is_too_long;
};

/* The caller's memory; name, errors and owner must outlive it. */
void linefile_init(struct linefile *f, const char *name, size_t max_line,
	struct config_errors *errors, void (*take)(void *owner, struct span line), void *owner);
void linefile_finish(struct linefile *f);

/* Takes the lines that end in this piece of the file. */
void linefile_feed(struct linefile *f, struct span bytes);

/* Opens the regular file `name` and feeds all of it; one that cannot be read is a mistake of the setting
 * that names it. is_secret: it is warned in the log when others may read it. */
void linefile_read(
	struct linefile *f, bool is_secret, struct config_place named_at, const char *key);

/* The file is complete: takes a last line that has no end. */
void linefile_end(struct linefile *f);

/* Counts a mistake. True: it is one of those to show, the caller adds it to errors. */
bool linefile_count(struct linefile *f);

/* A mistake in the line at hand. */
void linefile_fail(struct linefile *f, const char *why);

/* At the very end: adds how many mistakes were not shown. True: there was none. */
bool linefile_is_good(struct linefile *f);

#endif
