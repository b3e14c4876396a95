/*
 * The commands that ask a running proxy: imapmux show, kick, flush.
 *
 * All print the answer for people on stdout, or with wants_json the document as it came. Errors go to
 * stderr. Exit status: CONTROL_OK; CONTROL_FAILED: not reachable, not allowed, or there was nothing to kick;
 * CONTROL_INVALID: the command line or the configuration is wrong.
 */
#ifndef IMAPMUX_CONTROL_COMMAND_ADMIN_H
#define IMAPMUX_CONTROL_COMMAND_ADMIN_H

#include <stdbool.h>

/* Where to ask, in this order: the socket, that of the configuration, the default one. */
struct command_admin {
	const char *config; /* NULL: none given */
	const char *socket; /* NULL: none given */
	bool wants_json;
};

int command_show(const struct command_admin *a, const char *what);
int command_kick(const struct command_admin *a, const char *who);

/* NULL: of all servers, of all users. */
int command_flush(const struct command_admin *a, const char *server, const char *user);

#endif
