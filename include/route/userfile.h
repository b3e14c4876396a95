/*
 * Map files: one user a line, read into a usertable.
 *
 *	user TAB backend-or-group [TAB login]
 *
 * Blanks serve where a line has no tab (a user name with blanks needs tabs); several tabs in a row
 * are one. A # at the start of a line or behind a blank or tab begins a comment. Of two lines for
 * one user the first counts, and the second is warned about in the log. login is a template
 * (route/login.h), checked here.
 *
 * The bytes may be fed in pieces of any size. One thread.
 */
#ifndef IMAPMUX_ROUTE_USERFILE_H
#define IMAPMUX_ROUTE_USERFILE_H

#include "base/span.h"
#include "config/errors.h"
#include "route/usertable.h"

/* Two names of the longest kind with a target between them. */
#define USERFILE_LINE_MAX 4096

/* What the lines may point to. */
struct userfile_targets {
	/* Number (below 65536) of the backend or group of that name; false: there is none. */
	bool (*find)(const void *owner, const char *name, unsigned *number);
	/* The name that was probably meant, or NULL. */
	const char *(*near_miss)(const void *owner, const char *name);
	const void *owner;
};

struct userfile;

/* A reader that fills table (before its seal). name stands in messages; name, table and errors must
 * outlive the reader. */
struct userfile *userfile_create(const char *name, struct userfile_targets targets,
	struct usertable *table, struct config_errors *errors);
void userfile_destroy(struct userfile **f);

/* Reads a piece of the file. */
void userfile_feed(struct userfile *f, struct span bytes);

/* The file is complete: seals the table. False: there were errors, all are added; the table is
 * sealed nevertheless, with the good lines. */
bool userfile_end(struct userfile *f);

/* Opens the regular file `name`, feeds all of it and ends. False: errors tells why, for a file that cannot
 * be read at the setting that names it. */
bool userfile_read(struct userfile *f, struct config_place named_at);

#endif
