/*
 * Listeners are matched by their address as written, settings that need a restart by the schema's mark:
 * a setting that gets the mark is compared here without another line.
 */
#include "config/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/schema.h"

static size_t find_listener(const struct config *c, const struct config_listener *wanted)
{
	for (size_t i = 0; c != NULL && i < c->listener_count; i++) {
		/* A socket cannot change its mind about IPv4: the new one is refused, which is told. */
		if (strcmp(c->listeners[i].text, wanted->text) == 0 &&
			c->listeners[i].takes_ipv4 == wanted->takes_ipv4) {
			return i;
		}
	}
	return CONFIG_PLAN_NEW;
}

static void plan_listeners(
	struct config_plan *p, const struct config *before, const struct config *after)
{
	size_t kept = 0;
	p->listener_count = after->listener_count;
	p->kept_from = xcalloc(after->listener_count, sizeof p->kept_from[0]);
	for (size_t i = 0; i < after->listener_count; i++) {
		p->kept_from[i] = find_listener(before, &after->listeners[i]);
		kept += p->kept_from[i] != CONFIG_PLAN_NEW;
	}
	size_t old_count = before != NULL ? before->listener_count : 0;
	/* An address stands in a configuration once, so none is kept twice. */
	assert(kept <= old_count);
	p->added = after->listener_count - kept;
	p->dropped = old_count - kept;
}

/* Only numbers and strings of struct config wait for a restart. */
static bool is_equal(
	const struct schema_key *key, const struct config *before, const struct config *after)
{
	const char *a = (const char *)before + key->offset;
	const char *b = (const char *)after + key->offset;
	assert(key->in == SCHEMA_IN_CONFIG);
	if (key->type == SCHEMA_STRING) {
		char *texts[2];
		memcpy(&texts[0], a, sizeof texts[0]);
		memcpy(&texts[1], b, sizeof texts[1]);
		return strcmp(texts[0], texts[1]) == 0;
	}
	assert(key->type == SCHEMA_NUMBER);
	return memcmp(a, b, sizeof(unsigned)) == 0;
}

void config_plan_make(
	struct config_plan *p, const struct config *before, const struct config *after)
{
	size_t count;
	const struct schema_key *keys = schema_keys(&count);
	assert(after != NULL);
	*p = (struct config_plan){0};
	plan_listeners(p, before, after);
	p->restart = xcalloc(count, sizeof p->restart[0]);
	for (size_t i = 0; i < count && before != NULL; i++) {
		if (keys[i].use == SCHEMA_RESTART && !is_equal(&keys[i], before, after)) {
			p->restart[p->restart_count++] = keys[i].path;
		}
	}
}

void config_plan_finish(struct config_plan *p)
{
	free(p->kept_from);
	free(p->restart);
	*p = (struct config_plan){0};
}
