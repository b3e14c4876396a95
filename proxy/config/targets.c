/*
 * Backends, groups and the rules that point to them: each name is valid, unique and known.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/nearest.h"
#include "raw.h"

/* Names stand in map files, logs and tables: nothing that separates fields there. */
#define TARGET_NAME_MAX   64
#define TARGET_NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum target { NO_TARGET, TARGET_BACKEND, TARGET_GROUP };

static bool is_given(const char *text)
{
	return text[0] != '\0';
}

/* The first backend or group of that name. */
static enum target find_target(const struct raw *r, const char *name, size_t *index)
{
	for (size_t i = 0; i < r->config->backend_count; i++) {
		if (strcmp(r->config->backends[i].name, name) == 0) {
			*index = i;
			return TARGET_BACKEND;
		}
	}
	for (size_t i = 0; i < r->group_count; i++) {
		if (strcmp(r->groups[i].name, name) == 0) {
			*index = i;
			return TARGET_GROUP;
		}
	}
	return NO_TARGET;
}

/* The name of element `index` of a section, which is found first when it is the first of its name. */
static void check_name(struct raw *r, enum target kind, size_t index, const char *name)
{
	const char *section = kind == TARGET_BACKEND ? "backends" : "groups";
	const char *key = kind == TARGET_BACKEND ? "backends.name" : "groups.name";
	struct config_place place = raw_place_of(r, section, (int)index, "name");
	size_t length = strlen(name);
	size_t first = 0;
	if (length == 0) {
		return; /* missing or empty: said already */
	}
	if (length > TARGET_NAME_MAX || strspn(name, TARGET_NAME_BYTES) != length) {
		config_errors_add(r->errors, place, key,
			"must be 1 to 64 letters, digits, dots, underscores and hyphens");
	} else if (find_target(r, name, &first) != kind || first != index) {
		config_errors_add(r->errors, place, key, "\"%s\" is taken already", name);
	}
}

static void complain_unknown(struct raw *r, struct config_place place, const char *key,
	const char *what, const char *name)
{
	struct nearest nearest;
	nearest_init(&nearest, name);
	/* Only names of the kind that is wanted: another kind would be the next error. */
	bool is_group = strcmp(what, "group") == 0;
	for (size_t i = 0; i < r->config->backend_count && !is_group; i++) {
		nearest_try(&nearest, r->config->backends[i].name);
	}
	for (size_t i = 0; i < r->group_count && is_group; i++) {
		nearest_try(&nearest, r->groups[i].name);
	}
	if (nearest.best != NULL) {
		config_errors_add(r->errors, place, key, "unknown %s \"%s\" (did you mean \"%s\"?)",
			what, name, nearest.best);
	} else {
		config_errors_add(r->errors, place, key, "unknown %s \"%s\"", what, name);
	}
}

/* The name must be that of a backend or of a group, as wanted. */
static bool check_target(struct raw *r, struct config_place place, const char *key,
	const char *name, enum target wanted, size_t *index)
{
	enum target found = find_target(r, name, index);
	if (found == wanted) {
		return true;
	}
	if (found == NO_TARGET) {
		complain_unknown(r, place, key, wanted == TARGET_GROUP ? "group" : "backend", name);
	} else {
		config_errors_add(r->errors, place, key, "\"%s\" is a %s, not a %s", name,
			found == TARGET_GROUP ? "group" : "backend",
			wanted == TARGET_GROUP ? "group" : "backend");
	}
	return false;
}

static void check_backend(struct raw *r, size_t i)
{
	struct config_backend *b = &r->config->backends[i];
	assert(i < r->config->backend_count);
	check_name(r, TARGET_BACKEND, i, b->name);
	if (is_given(b->server_name)) {
		return;
	}
	if (b->address.host != NULL) {
		free(b->server_name);
		b->server_name = xstrdup(b->address.host);
	} else if (b->address.path != NULL && b->tls != TLS_NONE && b->verify) {
		config_errors_add(r->errors, raw_place_of(r, "backends", (int)i, "tls"),
			"backends.server_name",
			"a unix socket has no host name to verify: set server_name, or verify = "
			"false");
	}
}

static bool has_member(const struct config_group *g, size_t backend)
{
	for (size_t i = 0; i < g->backend_count; i++) {
		if (g->backends[i] == backend) {
			return true;
		}
	}
	return false;
}

static void resolve_group(struct raw *r, size_t i, struct config_group *out)
{
	static const char key[] = "groups.backends";
	struct raw_group *raw = &r->groups[i];
	struct config_place place = raw_place_of(r, "groups", (int)i, "backends");
	check_name(r, TARGET_GROUP, i, raw->name);
	out->place = raw->place;
	out->name = xstrdup(raw->name);
	out->backends = xcalloc(raw->backends.count, sizeof out->backends[0]);
	for (size_t k = 0; k < raw->backends.count; k++) {
		size_t index = 0;
		const char *name = raw->backends.items[k];
		if (!check_target(r, place, key, name, TARGET_BACKEND, &index)) {
			continue;
		}
		/* Twice would be a double share in silence; that is what weight is for. */
		if (has_member(out, index)) {
			config_errors_add(r->errors, place, key, "\"%s\" stands here twice", name);
			continue;
		}
		out->backends[out->backend_count++] = index;
	}
	assert(out->backend_count <= raw->backends.count);
}

/* Which of match, regex, file is given; false: not exactly one. */
static bool rule_pattern(const struct raw *r, size_t i, struct config_rule *out)
{
	const struct raw_rule *raw = &r->rules[i];
	const char *patterns[] = {raw->match, raw->regex, raw->file};
	static const enum rule_kind kinds[] = {RULE_MATCH, RULE_REGEX, RULE_FILE};
	static const char *const keys[] = {"match", "regex", "file"};
	const char *pattern = "";
	unsigned given = 0;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		if (is_given(patterns[k])) {
			given++;
			pattern = patterns[k];
			out->kind = kinds[k];
			out->pattern_place = raw_place_of(r, "users", (int)i, keys[k]);
		}
	}
	assert(given <= sizeof kinds / sizeof kinds[0]);
	out->pattern = xstrdup(pattern);
	return given == 1;
}

static void check_rule_target(
	struct raw *r, size_t i, const struct raw_rule *raw, struct config_place place)
{
	size_t index = 0;
	if (is_given(raw->backend) == is_given(raw->group)) {
		config_errors_add(r->errors, place, "users",
			"a rule with match or regex needs one of backend, group");
	} else if (is_given(raw->backend)) {
		(void)check_target(r, raw_place_of(r, "users", (int)i, "backend"), "users.backend",
			raw->backend, TARGET_BACKEND, &index);
	} else {
		(void)check_target(r, raw_place_of(r, "users", (int)i, "group"), "users.group",
			raw->group, TARGET_GROUP, &index);
	}
}

static void resolve_rule(struct raw *r, size_t i, struct config_rule *out)
{
	const struct raw_rule *raw = &r->rules[i];
	out->place = raw->place;
	out->target = xstrdup(is_given(raw->backend) ? raw->backend : raw->group);
	out->login = xstrdup(raw->login);
	out->login_place = raw_place_of(r, "users", (int)i, "login");
	if (!rule_pattern(r, i, out)) {
		config_errors_add(r->errors, raw->place, "users",
			"a rule needs exactly one of match, regex, file");
	} else if (out->kind != RULE_FILE) {
		check_rule_target(r, i, raw, raw->place);
	} else if (is_given(out->target) || is_given(out->login)) {
		config_errors_add(r->errors, raw->place, "users.file",
			"backend, group and login stand in the lines of the file");
	}
}

void raw_resolve(struct raw *r)
{
	struct config *c = r->config;
	for (size_t i = 0; i < c->backend_count; i++) {
		check_backend(r, i);
	}
	assert(c->groups == NULL && c->rules == NULL);
	c->groups = xcalloc(r->group_count, sizeof c->groups[0]);
	for (; c->group_count < r->group_count; c->group_count++) {
		resolve_group(r, c->group_count, &c->groups[c->group_count]);
	}
	c->rules = xcalloc(r->rule_count, sizeof c->rules[0]);
	for (; c->rule_count < r->rule_count; c->rule_count++) {
		resolve_rule(r, c->rule_count, &c->rules[c->rule_count]);
	}
}
