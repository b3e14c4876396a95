/*
 * The admin socket between bind and the loop: where the operator's commands come in.
 *
 * A unix socket with mode 0600. Bound before privileges are dropped, then given to the user that the
 * process becomes, so that root and he may connect. A failure at the default path is a warning and the
 * proxy does without; at a path that the configuration names it is an error. Main thread.
 */
#ifndef IMAPMUX_CONTROL_DOOR_H
#define IMAPMUX_CONTROL_DOOR_H

#include "config/config.h"
#include "control/socket_file.h"

struct door {
	int fd; /* listens; -1: none, or handed out */
	struct socket_file file;
	bool is_kept; /* the one before goes on */
};

/*
 * Binds what c asks for, unless `now` (NULL: nothing yet) is open at that path already. False: errors has
 * grown, and nothing is left behind.
 */
bool door_bind(struct door *d, const struct config *c, const struct door *now,
	struct config_errors *errors) __attribute__((warn_unused_result));

/* Lets go: removes the file, closes what was not handed out. */
void door_finish(struct door *d);

#endif
