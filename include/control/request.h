/*
 * A request line of the admin socket: words, separated by blanks.
 *
 *	show pools
 *	kick "a user with blanks"
 *	flush mail1
 *
 * A word may stand in double quotes, where \" is a quote and \\ a backslash: names of users may hold blanks.
 * Control characters stand nowhere; other bytes are taken as they are. Pure, any thread.
 */
#ifndef IMAPMUX_CONTROL_REQUEST_H
#define IMAPMUX_CONTROL_REQUEST_H

#include "base/buf.h"

/* Longest line, its end not counted: a command and two names. */
#define REQUEST_LINE_MAX 4096
/* A command, what to show or two names. */
#define REQUEST_WORDS_MAX 3

enum request_kind {
	REQUEST_POOLS, /* show pools, and so on */
	REQUEST_CLIENTS,
	REQUEST_SESSIONS,
	REQUEST_BACKENDS,
	REQUEST_USERS,
	REQUEST_STATS,
	REQUEST_CONFIG,
	REQUEST_VERSION,
	REQUEST_KICK,  /* who: a user or the id of a session */
	REQUEST_FLUSH, /* server and who; "" or "-": all */
	REQUEST_KIND_COUNT
};

struct request {
	enum request_kind kind;
	char *server, *who; /* owned; "" where not given */
};

/* Understands a line without its end. False: *why says what is wrong, for people. */
bool request_parse(struct span line, struct request *out, const char **why);

/* Frees the names; nothing else is done with r then. */
void request_finish(struct request *r);

/* Appends these words as a line with its end. False: they do not fit, or cannot be written. */
bool request_write(struct buf *out, const char *const *words, size_t count)
	__attribute__((warn_unused_result));

/* "pools"; NULL for what is not shown. And back: false, there is no such thing. */
const char *request_show_name(enum request_kind kind);
bool request_find_show(struct span name, enum request_kind *out);

#endif
