/*
 * What is read before it can be converted: names that point to other parts of the file.
 *
 * Lives from the start of config_load to its end. The tree is kept that long, so that a check that
 * looks at several keys can name the line of the one that is wrong.
 */
#ifndef IMAPMUX_CONFIG_RAW_H
#define IMAPMUX_CONFIG_RAW_H

#include <libconfig.h>

#include "config/config.h"
#include "source.h"

struct raw_group {
	struct config_place place;
	char *name;
	struct config_names backends;
};

struct raw_rule {
	struct config_place place;
	char *match, *regex, *file, *backend, *group, *login; /* "" is "not given" */
};

struct raw {
	struct source source;
	config_t tree;
	struct config *config;
	struct config_errors *errors;
	struct config_certificate pair; /* tls.certificate, tls.key */
	struct config_names hide;
	struct raw_group *groups;
	size_t group_count;
	struct raw_rule *rules;
	size_t rule_count;
};

/* Where a setting stands. */
struct config_place raw_place(const struct raw *r, const config_setting_t *setting);

/* Where a key stands: in element `index` of a list ("users"), or in a group (index -1). The key's
 * own line, else the element's, else the section's. */
struct config_place raw_place_of(
	const struct raw *r, const char *section, int index, const char *name);

/* read.c: fills config and raw from the tree, by the schema. */
void raw_read(struct raw *r);

/* targets.c: backends, groups and rules: names to indexes, raw groups and rules to final ones. */
void raw_resolve(struct raw *r);

/* check.c: the rest of what one key alone cannot tell: files, users, what may be in clear. */
void raw_check(struct raw *r);

/* A file that is opened later must be there now. True: it is, or none is named. */
bool raw_check_readable(
	struct raw *r, struct config_place place, const char *key, const char *file);

/* check_auth.c: sign-ins that end at the proxy. */
void raw_check_auth(struct raw *r);

/* notes.c: what takes no effect beside other settings. */
void raw_note(struct raw *r);

/* config.c: the certificates go, and their number is 0. */
void config_drop_certificates(struct config_tls *tls);

/* read.c: frees what was not moved into the config. */
void raw_finish(struct raw *r);

#endif
