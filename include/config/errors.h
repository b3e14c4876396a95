/*
 * What is wrong with a configuration: all of it, in the order found, each line with its place.
 *
 * Filled by config_load, route_table_create and the builders of TLS contexts, printed by whoever
 * asked for them. An error names the key as it is written in the file, with the path before it
 * ("pool.idle_timeout"). Main thread only.
 */
#ifndef IMAPMUX_CONFIG_ERRORS_H
#define IMAPMUX_CONFIG_ERRORS_H

#include <stddef.h>

/* Where in a file something stands, for messages of later checks (certificates, map files). */
struct config_place {
	const char *file; /* NULL: no file; not owned */
	unsigned line;    /* 0: the file as a whole */
};

/* A line reads "FILE:LINE: key: what is wrong (did you mean "x"?)". Starts as {0}. */
struct config_errors {
	char **lines;
	size_t count;
};

/*
 * Adds a line. An empty key or a place without file or line is left out. Control characters of what
 * is quoted become '?', so that a line stays a line.
 */
void config_errors_add(struct config_errors *e, struct config_place where, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Frees the lines; the struct is empty afterwards and may be filled again. */
void config_errors_finish(struct config_errors *e);

#endif
