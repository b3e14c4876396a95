/*
 * The file of a unix socket that was bound here, for as long as it is the one that was made.
 *
 * Another process may have put its own socket in that place since (a new imapmux that takes over from a
 * draining one): such a file is neither removed nor changed. Main thread.
 */
#ifndef IMAPMUX_CONTROL_SOCKET_FILE_H
#define IMAPMUX_CONTROL_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts as {0}: no file. */
struct socket_file {
	char *path;   /* NULL: none. Owned */
	dev_t device; /* which file was made at that path */
	ino_t inode;
};

/* Notes the file that bind has just made at this path. Its number stays taken while the socket is open. */
void socket_file_remember(struct socket_file *f, const char *path);

/* True while that very file stands there. */
bool socket_file_is_ours(const struct socket_file *f);

/* Removes it if it is ours; f is empty afterwards. Before the socket is closed: then its number may go to
 * another file. */
void socket_file_remove(struct socket_file *f);

/* Hands the file over to *to, which must be empty; from is empty afterwards. */
void socket_file_move(struct socket_file *to, struct socket_file *from);

#endif
