/*
 * Asks the table that sign-ins ask, so that it cannot tell another thing than what happens. No server
 * and no running proxy is needed.
 */
#include "control/command_route.h"

#include <assert.h>
#include <stdio.h>

#include "control/command_check.h"
#include "route/home.h"
#include "route/table.h"

static const char *const kind_names[] = {
	[RULE_MATCH] = "match", [RULE_REGEX] = "regex", [RULE_FILE] = "file"};

/* Names come from strangers and end on a terminal; UTF-8 passes, control characters do not. */
static void print_text(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c < ' ' || c == 0x7f) {
			printf("\\x%02x", c);
		} else {
			putchar(c);
		}
	}
}

static void print_line(const char *name, const char *text)
{
	printf("%s: ", name);
	print_text(text);
	putchar('\n');
}

static void print_pair(const char *name, const char *text)
{
	if (text[0] != '\0') {
		printf("; %s = \"", name);
		print_text(text);
		putchar('"');
	}
}

static void print_rule(const struct config *c, const struct route *r)
{
	assert(r->rule < c->rule_count && r->backend < c->backend_count);
	const struct config_rule *rule = &c->rules[r->rule];
	bool is_group = false;
	size_t index = 0;
	printf("rule: %s:%u: %s = \"", rule->place.file, rule->place.line, kind_names[rule->kind]);
	print_text(rule->pattern);
	putchar('"');
	(void)config_find_target(c, rule->target, &is_group, &index);
	print_pair(is_group ? "group" : "backend", rule->target);
	print_pair("login", rule->login);
	putchar('\n');
	if (rule->kind == RULE_FILE) {
		printf("map: %s:%u\n", rule->pattern, r->line);
	}
}

static int show(const struct config *c, const struct route_table *t, const char *user)
{
	struct route r;
	if (!route_find(t, span_str(user), &r)) {
		fprintf(stderr, "no rule matches this user\n");
		return 1;
	}
	print_rule(c, &r);
	printf("backend: %s %s\n", c->backends[r.backend].name,
		c->backends[r.backend].address.text);
	print_line("login", r.login);
	printf("worker: %u of %u\n", home_worker(span_str(user), c->workers), c->workers);
	route_finish(&r);
	return 0;
}

int command_route(const char *config_file, const char *user)
{
	struct config_errors errors = {0};
	struct route_table *table = NULL;
	struct config *c = config_load_to_check(config_file, &errors);
	/* With errors in the file the map files are still looked at: all errors in one run. */
	if (c != NULL) {
		table = route_table_create(c, &errors);
	}
	command_print_errors(&errors);
	int status = c == NULL || errors.count > 0 ? 2 : show(c, table, user);
	route_table_destroy(&table);
	config_unref(&c);
	config_errors_finish(&errors);
	return status;
}
