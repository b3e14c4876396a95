/*
 * The log: one line per event on stderr, logfmt or JSON, hostile bytes escaped, no secret ever.
 *
 * A line is built on the caller's stack and written by one write(2), so lines of several threads do
 * not mix. `time`, `level` and `msg` come first; then key=value pairs in the order they were added.
 * A value that would not fit ends in "..." (LOG_LINE_MAX bounds a line). Any thread; log_setup is
 * called by the main thread at start and reload.
 *
 *	struct log_line line;
 *	log_begin(&line, LOG_INFO, "sign-in");
 *	log_span(&line, "user", user);
 *	log_number(&line, "ms", elapsed);
 *	log_end(&line);
 */
#ifndef IMAPMUX_BASE_LOG_H
#define IMAPMUX_BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* A line longer than this is cut: one client must not fill a disk. Below PIPE_BUF, so that a line
 * written to a pipe is atomic. */
#define LOG_LINE_MAX 2048

struct log_line {
	char text[LOG_LINE_MAX];
	size_t len;
	bool is_wanted; /* false: below the level, all calls do nothing */
};

/* Sets level and form for all threads. */
void log_setup(enum log_level level, enum log_format format);

/* True when lines of the level are written; saves building costly values. */
bool log_wants(enum log_level level);

/* msg is one of the program's own texts. */
void log_begin(struct log_line *line, enum log_level level, const char *msg);
void log_span(struct log_line *line, const char *key, struct span value);
void log_str(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line);

/* A whole line with one printf-formatted value under the key `detail`. */
void log_say(enum log_level level, const char *msg, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
