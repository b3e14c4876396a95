#include "control/reload.h"

#include <assert.h>

bool reload_read(
	struct reload *r, const struct running *now, const char *file, struct config_errors *errors)
{
	const struct config *before = now->generation != NULL ? now->generation->config : NULL;
	unsigned number = now->generation != NULL ? now->generation->number + 1 : 1;
	*r = (struct reload){.generation = generation_create(file, number, errors), .door.fd = -1};
	if (r->generation == NULL) {
		return false;
	}
	config_plan_make(&r->plan, before, r->generation->config);
	return true;
}

bool reload_bind(struct reload *r, const struct running *now, const struct door *door,
	struct config_errors *errors)
{
	const struct config *c = r->generation->config;
	/* How many workers there are is settled by the first generation. */
	size_t workers = now->workers != NULL ? now->worker_count : c->workers;
	bool all_good = sockets_bind(&r->sockets, c, r->plan.kept_from, workers, errors);
	if (!door_bind(&r->door, c, door, errors) || !all_good) {
		reload_abandon(r);
		return false;
	}
	return true;
}

void reload_warn(const struct reload *r)
{
	for (size_t i = 0; i < r->plan.restart_count; i++) {
		log_say(LOG_WARN, "restart needed",
			"%s: changed in the file, but only a restart brings it",
			r->plan.restart[i]);
	}
}

void reload_commit(struct reload *r, struct running *now)
{
	assert(now->workers != NULL && now->worker_count == r->sockets.workers);
	assert(r->door.fd < 0);
	const struct config *c = r->generation->config;
	log_setup(c->log_level, c->log_format);
	now->added = r->plan.added;
	now->dropped = r->plan.dropped;
	/* Files of dropped sockets go while their sockets are still open, see sockets_finish. */
	sockets_keep(&r->sockets, &now->sockets);
	sockets_finish(&now->sockets);
	for (unsigned i = 0; i < now->worker_count; i++) {
		struct message *renew = message_renew(r->generation);
		sockets_hand_out(&r->sockets, i, renew);
		worker_post(now->workers[i], renew);
	}
	generation_unref(&now->generation);
	now->generation = r->generation;
	now->sockets = r->sockets;
	config_plan_finish(&r->plan);
	*r = (struct reload){0};
}

void reload_abandon(struct reload *r)
{
	door_finish(&r->door);
	sockets_finish(&r->sockets);
	config_plan_finish(&r->plan);
	generation_unref(&r->generation);
}
