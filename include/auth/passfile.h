/*
 * Password files: one password of a user a line, read into a passtable.
 *
 *	user:{SCHEME}value
 *
 * A user may have several lines, one for each scheme: a crypt hash for those who send their password,
 * SCRAM and CRAM-MD5 keys for those who do not. Lines that are empty or begin with # count for nothing. A
 * line with a mistake is an error with its number, and is never quoted: it may hold a password. Two lines
 * of one user and scheme are an error too: which password is good must not depend on their order.
 *
 * The bytes may be fed in pieces of any size. One thread.
 */
#ifndef IMAPMUX_AUTH_PASSFILE_H
#define IMAPMUX_AUTH_PASSFILE_H

#include "auth/passtable.h"
#include "config/errors.h"

/* A name, and the longest value there is: SCRAM keys with the largest salt take 200 bytes, hashes of
 * crypt(5) 383, passwords what CREDENTIALS_MAX allows. */
#define PASSFILE_LINE_MAX 8192
/* Longer names find no route either (route/table.h). */
#define PASSFILE_USER_MAX 1024

struct passfile;

/* A reader that fills table (before its seal). name stands in messages; name, table and errors must
 * outlive the reader. */
struct passfile *passfile_create(
	const char *name, struct passtable *table, struct config_errors *errors);
void passfile_destroy(struct passfile **f);

/* Reads a piece of the file. */
void passfile_feed(struct passfile *f, struct span bytes);

/* The file is complete: seals the table. False: there were errors, all are added. */
bool passfile_end(struct passfile *f);

/* Opens the regular file `name`, feeds all of it and ends; a file that others may read is warned about in
 * the log. False: errors tells why, for a file that cannot be read at the setting that names it. */
bool passfile_read(struct passfile *f, struct config_place named_at);

#endif
