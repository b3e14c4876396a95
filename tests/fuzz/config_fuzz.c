/*
 * Whole configurations: whatever the file holds, there is a snapshot or an error, each error is one
 * line, and what was loaded keeps its promises.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "config/plan.h"
#include "route/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_snapshot(const struct config *c)
{
	assert(c->workers >= 1 && c->listener_count >= 1);
	for (size_t i = 0; i < c->listener_count; i++) {
		assert(strcmp(c->listeners[i].text, c->listeners[i].address.text) == 0);
	}
	for (size_t i = 0; i < c->rule_count; i++) {
		bool is_group;
		size_t index;
		assert(c->rules[i].kind == RULE_FILE ||
			config_find_target(c, c->rules[i].target, &is_group, &index));
	}
	for (size_t i = 0; i < c->group_count; i++) {
		assert(c->groups[i].backend_count > 0);
	}
	struct config_plan plan;
	config_plan_make(&plan, c, c);
	assert(plan.added == 0 && plan.dropped == 0 && plan.restart_count == 0);
	config_plan_finish(&plan);
}

static void check_errors(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		assert(strchr(errors->lines[i], '\n') == NULL);
	}
}

static void check_file(const char *path)
{
	struct config_errors errors = {0};
	struct config *c = config_load_to_check(path, &errors);
	assert(c != NULL || errors.count > 0);
	if (c != NULL && errors.count == 0) {
		check_snapshot(c);
	}
	bool is_fit = errors.count == 0;
	struct route_table *t = c != NULL ? route_table_create(c, &errors) : NULL;
	struct route r;
	if (t != NULL && is_fit && route_find(t, span_str("alice@example.org"), &r)) {
		assert(r.backend < c->backend_count);
		route_finish(&r);
	}
	check_errors(&errors);
	route_table_destroy(&t);
	config_unref(&c);
	config_errors_finish(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	log_setup(LOG_ERROR, LOG_LOGFMT);
	/* Anything that names files would lead out of the test. */
	if (size > 0 &&
		(memmem(data, size, "/", 1) != NULL || memmem(data, size, "@inc", 4) != NULL)) {
		return 0;
	}
	int fd = memfd_create("config", MFD_CLOEXEC);
	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	check_file(path);
	close(fd);
	return 0;
}
