/*
 * What is allowed, but does not do what one might think: told by the check command, never refused.
 */
#include <string.h>

#include "raw.h"

/* What is not done because a PROXY header binds a connection to its first client. */
static void note_send_proxy(struct raw *r)
{
	struct config *c = r->config;
	for (size_t i = 0; i < c->backend_count; i++) {
		struct config_backend *b = &c->backends[i];
		struct config_place place = raw_place_of(r, "backends", (int)i, "send_proxy");
		if (b->send_proxy == 0) {
			continue;
		}
		if (c->pool.spares > 0) {
			config_errors_add(&c->notes, place, "backends.send_proxy",
				"no spares for \"%s\": a connection is its client's from the "
				"first byte",
				b->name);
		}
		if (b->unauthenticate) {
			config_errors_add(&c->notes, place, "backends.send_proxy",
				"no unauthenticate for \"%s\": another user would show this one's "
				"address",
				b->name);
		}
	}
}

/* What only TLS has, toward a server that is reached in clear. */
static void note_no_tls(struct raw *r)
{
	struct config *c = r->config;
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct config_backend *b = &c->backends[i];
		const char *host = b->address.host != NULL ? b->address.host : "";
		const struct {
			const char *name, *key;
			bool is_set;
		} settings[] = {
			{"ca", "backends.ca", b->ca[0] != '\0'},
			{"server_name", "backends.server_name", strcmp(b->server_name, host) != 0},
			{"min_version", "backends.min_version", strcmp(b->min_version, "1.2") != 0},
		};
		for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++) {
			if (b->tls == TLS_NONE && settings[k].is_set) {
				config_errors_add(&c->notes,
					raw_place_of(r, "backends", (int)i, settings[k].name),
					settings[k].key,
					"not used: \"%s\" is reached in clear (tls = \"none\")",
					b->name);
			}
		}
	}
}

/* A rule behind one that takes everybody, and no rule at all. */
static void note_rules(struct raw *r)
{
	struct config *c = r->config;
	if (c->rule_count == 0) {
		config_errors_add(&c->notes, raw_place_of(r, "users", -1, ""), "users",
			"no rule: nobody can sign in");
	}
	for (size_t i = 0; i + 1 < c->rule_count; i++) {
		const struct config_rule *rule = &c->rules[i];
		if (rule->kind == RULE_MATCH && strcmp(rule->pattern, "*") == 0) {
			config_errors_add(&c->notes, c->rules[i + 1].place, "users",
				"not reached: the rule in line %u is for everybody",
				rule->place.line);
			return;
		}
	}
}

void raw_note(struct raw *r)
{
	note_rules(r);
	note_send_proxy(r);
	note_no_tls(r);
}
