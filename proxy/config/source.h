/*
 * The text of a configuration with its includes put in, each line knowing where it came from.
 *
 * libconfig's own @include is not used: it takes paths from one folder only, ends the process when
 * the path is a folder, and cuts integers to 32 bits without a word. Here a relative path counts
 * from the file that names it, and an integer that needs 64 bits is marked as such.
 */
#ifndef IMAPMUX_CONFIG_SOURCE_H
#define IMAPMUX_CONFIG_SOURCE_H

#include "base/span.h"
#include "config/errors.h"

/* Includes within includes; deeper is a circle. */
#define SOURCE_DEPTH_MAX 10

/* Bounds the work when files include one another many times. */
#define SOURCE_FILES_MAX 256

/* A configuration is written by hand or by a script; users belong into map files. */
#define SOURCE_BYTES_MAX (16u << 20)

struct source {
	char *text; /* ends in NUL */
	size_t len, room;
	struct config_place *lines; /* of line 1, 2, ... of the text */
	size_t line_count;
	char **files; /* owns the names that places point to */
	size_t file_count;
};

/* Reads the file into *s, which starts as {0}. False: errors tells why. */
bool source_read(struct source *s, const char *file, struct config_errors *errors);

/* Where line n (from 1) of the text came from. */
struct config_place source_place(const struct source *s, unsigned n);

/* That line without the blanks around it. */
struct span source_line(const struct source *s, unsigned n);

/* Frees all; the names of files too, unless they were taken away (files = NULL, file_count = 0). */
void source_finish(struct source *s);

#endif
