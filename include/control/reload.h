/*
 * From a file to what serves by it, in phases: read makes and checks everything, bind opens the sockets
 * that are new; both may fail without a trace. Commit hands it all to the workers and cannot fail. The
 * start is a reload with nothing before it. Main thread.
 */
#ifndef IMAPMUX_CONTROL_RELOAD_H
#define IMAPMUX_CONTROL_RELOAD_H

#include "config/plan.h"
#include "control/door.h"
#include "control/sockets.h"
#include "worker/worker.h"

/* What serves now. Owned by control; generation is NULL before the first. */
struct running {
	struct generation *generation;
	struct sockets sockets;
	struct worker **workers; /* set between the first prepare and the first commit */
	unsigned worker_count;
	size_t added, dropped; /* listeners, by the latest commit */
};

/* What is ready to serve. */
struct reload {
	struct generation *generation;
	struct config_plan plan;
	struct sockets sockets;
	struct door door; /* of the admin socket; who commits hands it to control/admin */
};

/* Reads the file and makes a generation. False: errors has the lines and nothing is held. */
bool reload_read(struct reload *r, const struct running *now, const char *file,
	struct config_errors *errors) __attribute__((warn_unused_result));

/* Binds the added listeners, and the admin socket unless `door` has it. False: errors has the lines, and
 * all of r is freed. */
bool reload_bind(struct reload *r, const struct running *now, const struct door *door,
	struct config_errors *errors) __attribute__((warn_unused_result));

/* Tells the log which changed settings come into force with a restart only. */
void reload_warn(const struct reload *r);

/* Posts a RENEW to each worker, who reports RENEWED; stops what was dropped; sets level and form of the log.
 * The door is the caller's to hand on before. */
void reload_commit(struct reload *r, struct running *now);

/* Instead of commit: closes and frees all of it. */
void reload_abandon(struct reload *r);

#endif
