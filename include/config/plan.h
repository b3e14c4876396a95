/*
 * A reload before it happens: what of the old configuration stays, what comes, what goes.
 *
 * Made on the main thread from two snapshots; nothing is done here. A listener stays (its socket is
 * kept, no client is refused meanwhile) when its address as written is the same: a second socket could
 * not be bound beside the first. Its TLS mode and permission bits become those of the new file.
 * Settings that only a restart brings into force are named.
 */
#ifndef IMAPMUX_CONFIG_PLAN_H
#define IMAPMUX_CONFIG_PLAN_H

#include "config/config.h"

/* In kept_from: the listener is new. */
#define CONFIG_PLAN_NEW SIZE_MAX

struct config_plan {
	size_t *kept_from; /* by index in the new config.listeners: index in the old, or NEW */
	size_t listener_count;
	size_t added, dropped;
	const char **restart; /* paths of changed settings that wait for a restart ("workers") */
	size_t restart_count;
};

/* Compares. before is NULL at the start: everything is new and nothing waits. Fills *p, which owns
 * its arrays and nothing else; it may outlive both snapshots. */
void config_plan_make(
	struct config_plan *p, const struct config *before, const struct config *after);

/* Frees the arrays; p is empty afterwards. */
void config_plan_finish(struct config_plan *p);

#endif
