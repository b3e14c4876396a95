/*
 * Exact names of all rules stand in one hash table with the number of their rule; globs, expressions
 * and map files are tried in order, but only those before the exact match. So the first match wins
 * whatever the kinds, and ten thousand exact rules cost what one costs.
 */
#include "route/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "config/nearest.h"
#include "route/glob.h"
#include "route/login.h"
#include "route/pick.h"
#include "route/regex.h"
#include "route/userfile.h"

static_assert(LOGIN_GROUPS == REGEX_GROUPS, "login_expand takes what regex_match fills");

/* A backend, or a group with its members. */
struct target {
	const size_t *backends; /* of a group; NULL: the backend itself */
	bool is_used;           /* something leads to it */
	struct pick_member *members;
	size_t count;
};

struct rule {
	unsigned target;       /* of match and regex */
	struct regex *regex;   /* of regex */
	struct usertable *map; /* of file */
};

struct route_table {
	const struct config *config;
	struct target *targets; /* backends, then groups */
	size_t target_count;
	struct rule *rules;      /* as many as in the config */
	struct usertable *exact; /* exact name -> rule, as the entry's line */
	size_t *scan;            /* the other rules, in order */
	size_t scan_count;
};

/* What a rule says about a user. */
struct hit {
	size_t rule;
	unsigned target;
	struct span login; /* the template */
	unsigned line;
	struct span groups[REGEX_GROUPS];
};

static bool find_target(const void *owner, const char *name, unsigned *number)
{
	const struct config *c = owner;
	bool is_group;
	size_t index;
	if (!config_find_target(c, name, &is_group, &index)) {
		return false;
	}
	/* Groups are numbered behind the backends. */
	*number = (unsigned)(is_group ? c->backend_count + index : index);
	return true;
}

static bool use_target(const struct route_table *t, const char *name, unsigned *number)
{
	if (!find_target(t->config, name, number)) {
		return false;
	}
	t->targets[*number].is_used = true;
	return true;
}

/* For map files. */
static bool file_target(const void *owner, const char *name, unsigned *number)
{
	return use_target(owner, name, number);
}

static const char *near_miss(const void *owner, const char *name)
{
	const struct config *c = ((const struct route_table *)owner)->config;
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < c->backend_count; i++) {
		nearest_try(&nearest, c->backends[i].name);
	}
	for (size_t i = 0; i < c->group_count; i++) {
		nearest_try(&nearest, c->groups[i].name);
	}
	return nearest.best;
}

static void add_targets(struct route_table *t)
{
	const struct config *c = t->config;
	assert(t->targets == NULL);
	t->target_count = c->backend_count + c->group_count;
	t->targets = xcalloc(t->target_count, sizeof t->targets[0]);
	/* Members are hashed once here, users at each sign-in. */
	for (size_t i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		struct target *target = &t->targets[c->backend_count + i];
		target->backends = g->backends;
		target->count = g->backend_count;
		target->members = xcalloc(g->backend_count, sizeof target->members[0]);
		for (size_t k = 0; k < g->backend_count; k++) {
			const struct config_backend *b = &c->backends[g->backends[k]];
			target->members[k] = pick_member(b->name, b->weight);
		}
	}
}

static void add_exact(struct route_table *t, size_t i, struct config_errors *errors)
{
	const struct config_rule *rule = &t->config->rules[i];
	struct usertable_entry e = {.user = span_str(rule->pattern), .line = (unsigned)i};
	if (e.user.n > ROUTE_USER_MAX || !usertable_add(t->exact, &e)) {
		config_errors_add(
			errors, rule->pattern_place, "users.match", "the name is too long");
	}
}

static void add_regex(struct route_table *t, size_t i, struct config_errors *errors)
{
	char why[REGEX_WHY_MAX];
	const struct config_rule *rule = &t->config->rules[i];
	t->rules[i].regex = regex_create(rule->pattern, why);
	if (t->rules[i].regex == NULL) {
		config_errors_add(errors, rule->pattern_place, "users.regex", "%s", why);
	}
}

static void add_file(struct route_table *t, size_t i, struct config_errors *errors)
{
	const struct config_rule *rule = &t->config->rules[i];
	struct userfile_targets targets = {file_target, near_miss, t};
	size_t errors_before = errors->count;
	t->rules[i].map = usertable_create();
	struct userfile *f = userfile_create(rule->pattern, targets, t->rules[i].map, errors);
	bool is_good = userfile_read(f, rule->pattern_place);
	assert(is_good == (errors->count == errors_before));
	(void)is_good;
	(void)errors_before;
	userfile_destroy(&f);
}

static void check_login(struct route_table *t, size_t i, struct config_errors *errors)
{
	const struct config_rule *rule = &t->config->rules[i];
	const struct regex *regex = t->rules[i].regex;
	const char *why = "";
	if (rule->kind == RULE_REGEX && regex == NULL) {
		return; /* how many groups there are is not known */
	}
	if (!login_check(span_str(rule->login), regex != NULL ? regex_groups(regex) : 0, &why)) {
		config_errors_add(errors, rule->login_place, "users.login", "%s", why);
	}
}

static void add_rule(struct route_table *t, size_t i, struct config_errors *errors)
{
	const struct config_rule *rule = &t->config->rules[i];
	/* Unknown only where config_load_to_check has complained and this table is thrown away. */
	(void)use_target(t, rule->target, &t->rules[i].target);
	if (rule->kind == RULE_MATCH && !glob_is_pattern(rule->pattern)) {
		add_exact(t, i, errors);
	} else {
		t->scan[t->scan_count++] = i;
	}
	if (rule->kind == RULE_REGEX) {
		add_regex(t, i, errors);
	} else if (rule->kind == RULE_FILE) {
		add_file(t, i, errors);
	}
	check_login(t, i, errors);
}

static void on_repeated(
	void *owner, const struct usertable_entry *later, const struct usertable_entry *first)
{
	const struct route_table *t = owner;
	const struct config_rule *rules = t->config->rules;
	log_say(LOG_WARN, "rule is never reached: an earlier one matches the same name",
		"%s:%u: %s (line %u)", rules[later->line].place.file, rules[later->line].place.line,
		rules[later->line].pattern, rules[first->line].place.line);
}

struct route_table *route_table_create(const struct config *c, struct config_errors *errors)
{
	size_t errors_before = errors->count;
	struct route_table *t = xcalloc(1, sizeof *t);
	t->config = c;
	t->rules = xcalloc(c->rule_count, sizeof t->rules[0]);
	t->scan = xcalloc(c->rule_count, sizeof t->scan[0]);
	t->exact = usertable_create();
	add_targets(t);
	if (t->target_count > UINT16_MAX) {
		config_errors_add(errors, (struct config_place){c->file, 0}, "backends",
			"more than 65535 backends and groups");
	} else {
		for (size_t i = 0; i < c->rule_count; i++) {
			add_rule(t, i, errors);
		}
	}
	usertable_seal(t->exact, on_repeated, t);
	if (errors->count > errors_before) {
		route_table_destroy(&t);
	}
	return t;
}

void route_table_destroy(struct route_table **t)
{
	struct route_table *gone = *t;
	*t = NULL;
	if (gone == NULL) {
		return;
	}
	for (size_t i = 0; i < gone->config->rule_count; i++) {
		regex_destroy(&gone->rules[i].regex);
		usertable_destroy(&gone->rules[i].map);
	}
	for (size_t i = 0; i < gone->target_count; i++) {
		free(gone->targets[i].members);
	}
	usertable_destroy(&gone->exact);
	free(gone->targets);
	free(gone->rules);
	free(gone->scan);
	free(gone);
}

static enum regex_verdict try_map(const struct rule *rule, struct span user, struct hit *out)
{
	struct usertable_entry e;
	if (!usertable_find(rule->map, user, &e)) {
		return REGEX_NO;
	}
	out->target = e.target;
	out->login = e.login;
	out->line = e.line;
	return REGEX_YES;
}

static enum regex_verdict try_rule(
	const struct route_table *t, size_t i, struct span user, struct hit *out)
{
	const struct config_rule *rule = &t->config->rules[i];
	assert(i < t->config->rule_count);
	out->rule = i;
	out->target = t->rules[i].target;
	out->login = span_str(rule->login);
	switch (rule->kind) {
	case RULE_MATCH:
		return glob_match(rule->pattern, user) ? REGEX_YES : REGEX_NO;
	case RULE_REGEX:
		return regex_match(t->rules[i].regex, user, out->groups);
	case RULE_FILE:
		return try_map(&t->rules[i], user, out);
	}
	return REGEX_NO;
}

/* The first rule that matches. */
static bool find_hit(const struct route_table *t, struct span user, struct hit *out)
{
	struct usertable_entry exact;
	assert(user.n > 0 && user.n <= ROUTE_USER_MAX);
	bool is_exact = usertable_find(t->exact, user, &exact);
	size_t end = is_exact ? exact.line : t->config->rule_count;
	for (size_t i = 0; i < t->scan_count && t->scan[i] < end; i++) {
		enum regex_verdict verdict = try_rule(t, t->scan[i], user, out);
		if (verdict == REGEX_LIMIT) {
			/* Whether an earlier rule holds is unknown: a later one must not answer. */
			log_say(LOG_WARN, "rule gave up on a user name", "%s:%u: %s",
				t->config->rules[t->scan[i]].place.file,
				t->config->rules[t->scan[i]].place.line,
				t->config->rules[t->scan[i]].pattern);
			return false;
		}
		if (verdict == REGEX_YES) {
			return true;
		}
	}
	if (is_exact) {
		assert(exact.line < t->config->rule_count);
		const struct config_rule *rule = &t->config->rules[exact.line];
		out->rule = exact.line;
		out->target = t->rules[exact.line].target;
		out->login = span_str(rule->login);
	}
	return is_exact;
}

static size_t pick_backend(const struct route_table *t, unsigned number, struct span user)
{
	assert(number < t->target_count);
	const struct target *target = &t->targets[number];
	if (target->backends == NULL) {
		return number;
	}
	assert(target->count > 0);
	return target->backends[pick_one(target->members, target->count, user)];
}

bool route_find(const struct route_table *t, struct span user, struct route *out)
{
	struct hit hit = {.rule = 0};
	/* Names are C strings from here on: "bob\0@evil" must not pass a rule and end as "bob". */
	if (user.n == 0 || user.n > ROUTE_USER_MAX || span_find(user, '\0') < user.n) {
		return false;
	}
	if (!find_hit(t, user, &hit)) {
		return false;
	}
	char *login = login_expand(hit.login, user, hit.groups);
	if (login == NULL) {
		return false;
	}
	*out = (struct route){
		.backend = pick_backend(t, hit.target, user),
		.rule = hit.rule,
		.where = t->config->rules[hit.rule].pattern,
		.line = hit.line,
		.login = login,
	};
	return true;
}

bool route_table_leads_to(const struct route_table *t, size_t backend)
{
	const struct config *c = t->config;
	assert(backend < c->backend_count);
	if (t->targets[backend].is_used) {
		return true;
	}
	for (size_t i = 0; i < c->group_count; i++) {
		const struct target *group = &t->targets[c->backend_count + i];
		for (size_t k = 0; k < group->count && group->is_used; k++) {
			if (group->backends[k] == backend) {
				return true;
			}
		}
	}
	return false;
}

void route_finish(struct route *r)
{
	free(r->login);
	*r = (struct route){0};
}

size_t route_table_memory(const struct route_table *t)
{
	size_t sum = sizeof *t + usertable_memory(t->exact) +
		     t->target_count * sizeof t->targets[0] +
		     t->config->rule_count * (sizeof t->rules[0] + sizeof t->scan[0]);
	for (size_t i = 0; i < t->config->rule_count; i++) {
		const struct rule *rule = &t->rules[i];
		sum += rule->regex != NULL ? regex_memory(rule->regex) : 0;
		sum += rule->map != NULL ? usertable_memory(rule->map) : 0;
	}
	for (size_t i = 0; i < t->target_count; i++) {
		sum += t->targets[i].count * sizeof t->targets[i].members[0];
	}
	return sum;
}
