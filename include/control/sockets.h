/*
 * The listening sockets of a generation, between bind (main thread, maybe as root) and the workers, and the
 * files of its unix sockets for as long as it listens. Main thread.
 */
#ifndef IMAPMUX_CONTROL_SOCKETS_H
#define IMAPMUX_CONTROL_SOCKETS_H

#include "config/config.h"
#include "control/socket_file.h"
#include "worker/message.h"

/* Of one listener. */
struct socket_place {
	size_t kept_from;        /* index in the generation before, or CONFIG_PLAN_NEW */
	int *fds;                /* one for each worker, -1: handed out; NULL: kept */
	struct socket_file file; /* unix: what was made */
	unsigned mode;           /* its permission bits */
};

struct sockets {
	struct socket_place *places; /* by index in config.listeners */
	size_t count;
	size_t workers;
};

/*
 * Binds what is new. kept_from is that of the plan. All listeners are tried, each that fails adds a line to errors; false: errors has
 * grown, and nothing is left behind.
 */
bool sockets_bind(struct sockets *s, const struct config *c, const size_t *kept_from,
	size_t workers, struct config_errors *errors) __attribute__((warn_unused_result));

/* Takes over the files of what was kept, with their new permissions; then before holds only what goes. */
void sockets_keep(struct sockets *s, struct sockets *before);

/* Puts the descriptors of one worker into a RENEW for him, which owns them from then on. */
void sockets_hand_out(struct sockets *s, size_t worker, struct message *renew);

/* Closes what was not handed out, removes the files. s may be bound again. */
void sockets_finish(struct sockets *s);

#endif
