/*
 * From libconfig's tree to structs, by the schema: each section is walked twice, once over what the
 * file says (what is unknown?) and once over what the schema says (what is given, what is missing?).
 * An error is noted and the default taken in its place, so that one run finds all errors.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "field.h"

static void read_section(
	struct raw *r, const config_setting_t *group, const char *section, char *element);

struct config_place raw_place(const struct raw *r, const config_setting_t *setting)
{
	return source_place(&r->source, config_setting_source_line(setting));
}

struct config_place raw_place_of(
	const struct raw *r, const char *section, int index, const char *name)
{
	const config_setting_t *s = config_lookup(&r->tree, section);
	if (s != NULL && index >= 0) {
		s = config_setting_get_elem(s, (unsigned)index);
	}
	if (s == NULL) {
		return source_place(&r->source, 0);
	}
	const config_setting_t *key =
		config_setting_is_group(s) ? config_setting_get_member(s, name) : NULL;
	return raw_place(r, key != NULL ? key : s);
}

/* Longer than any path of the schema, with room for an unknown name behind it. */
#define PATH_MAX_SHOWN 256

static void complain(struct raw *r, struct config_place where, const char *section,
	const char *name, const char *why)
{
	char path[PATH_MAX_SHOWN];
	snprintf(path, sizeof path, "%s%s%s", section, section[0] != '\0' ? "." : "", name);
	config_errors_add(r->errors, where, path, "%s", why);
}

static void find_unknown(struct raw *r, const config_setting_t *group, const char *section)
{
	int count = config_setting_length(group);
	for (int i = 0; i < count; i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(s);
		if (schema_find_in(section, name) != NULL) {
			continue;
		}
		char why[FIELD_WHY_MAX] = "unknown key";
		const char *meant = schema_near_miss(section, name);
		if (meant != NULL) {
			snprintf(why, sizeof why, "unknown key (did you mean \"%s\"?)", meant);
		}
		complain(r, raw_place(r, s), section, name, why);
	}
}

/* The value that the file gives, or false after a complaint. */
static bool read_given(
	struct raw *r, const struct schema_key *key, const config_setting_t *s, union field *v)
{
	char why[FIELD_WHY_MAX];
	if (!field_read(key, s, v, why)) {
		complain(r, raw_place(r, s), "", key->path, why);
		return false;
	}
	if (key->initial == NULL && field_is_empty(key, v)) {
		complain(r, raw_place(r, s), "", key->path, "must not be empty");
	}
	/* Taken in silence such a key would promise what is not done; off promises nothing. */
	if (key->use == SCHEMA_LATER && !field_is_off(key, v) && !field_is_initial(key, v)) {
		assert(key->initial != NULL); /* what is not supported need not be given */
		snprintf(why, sizeof why, "not supported yet; leave it at its default, %s",
			key->initial[0] != '\0' ? key->initial : "empty");
		complain(r, raw_place(r, s), "", key->path, why);
	}
	return true;
}

static char *base_of(const struct schema_key *key, struct raw *r, char *element)
{
	switch (key->in) {
	case SCHEMA_IN_CONFIG:
		return (char *)r->config;
	case SCHEMA_IN_RAW:
		return (char *)r;
	case SCHEMA_IN_ELEMENT:
		assert(element != NULL);
		return element;
	case SCHEMA_NOWHERE:
		break;
	}
	return NULL;
}

static void read_scalar(struct raw *r, const struct schema_key *key, const config_setting_t *group,
	const config_setting_t *s, char *element)
{
	union field v;
	if (s == NULL || !read_given(r, key, s, &v)) {
		if (s == NULL && key->initial == NULL) {
			assert(group != NULL); /* nothing at the top of the file must be given */
			complain(r, raw_place(r, group), "", key->path, "missing");
		}
		field_initial(key, &v);
	}
	char *base = base_of(key, r, element);
	if (base != NULL) {
		field_store(key, base, &v);
	} else {
		field_drop(key, &v);
	}
}

static bool is_list_of_groups(const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_ARRAY) {
		return config_setting_length(s) == 0; /* [ ] */
	}
	bool is_good = config_setting_is_list(s);
	for (int i = 0; is_good && i < config_setting_length(s); i++) {
		is_good = config_setting_is_group(config_setting_get_elem(s, (unsigned)i));
	}
	return is_good;
}

static void read_list(struct raw *r, const struct schema_key *key, const config_setting_t *s)
{
	if (s != NULL && !is_list_of_groups(s)) {
		char why[FIELD_WHY_MAX];
		snprintf(why, sizeof why, "must be %s", field_expected(key->type));
		complain(r, raw_place(r, s), "", key->path, why);
		s = NULL;
	}
	size_t count = s != NULL ? (size_t)config_setting_length(s) : 0;
	char *items = xcalloc(count, key->element_size);
	char *base = base_of(key, r, NULL);
	memcpy(base + key->offset, &items, sizeof items);
	memcpy(base + key->count_offset, &count, sizeof count);
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *group = config_setting_get_elem(s, (unsigned)i);
		char *element = items + i * key->element_size;
		struct config_place place = raw_place(r, group);
		memcpy(element, &place, sizeof place);
		read_section(r, group, key->path, element);
	}
}

static void read_group(struct raw *r, const struct schema_key *key, const config_setting_t *s)
{
	if (s != NULL && !config_setting_is_group(s)) {
		char why[FIELD_WHY_MAX];
		snprintf(why, sizeof why, "must be %s", field_expected(key->type));
		complain(r, raw_place(r, s), "", key->path, why);
		s = NULL;
	}
	read_section(r, s, key->path, NULL);
}

/* group is NULL where the file does not have the section: all its keys get their defaults. */
static void read_section(
	struct raw *r, const config_setting_t *group, const char *section, char *element)
{
	size_t count;
	const struct schema_key *keys = schema_keys(&count);
	if (group != NULL) {
		find_unknown(r, group, section);
	}
	for (size_t i = 0; i < count; i++) {
		const struct schema_key *key = &keys[i];
		if (!schema_is_in(key, section)) {
			continue;
		}
		const config_setting_t *s = NULL;
		if (group != NULL) {
			s = config_setting_get_member(group, schema_name(key));
		}
		if (key->type == SCHEMA_GROUP) {
			read_group(r, key, s);
		} else if (key->type == SCHEMA_LIST) {
			read_list(r, key, s);
		} else {
			read_scalar(r, key, group, s, element);
		}
	}
}

void raw_read(struct raw *r)
{
	assert(r->config != NULL);
	read_section(r, config_root_setting(&r->tree), "", NULL);
	r->config->tls.place = raw_place_of(r, "tls", -1, "");
}

static void drop_names(struct config_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		free(names->items[i]);
	}
	free(names->items);
	*names = (struct config_names){0};
}

void raw_finish(struct raw *r)
{
	for (size_t i = 0; i < r->group_count; i++) {
		free(r->groups[i].name);
		drop_names(&r->groups[i].backends);
	}
	for (size_t i = 0; i < r->rule_count; i++) {
		struct raw_rule *rule = &r->rules[i];
		char *texts[] = {rule->match, rule->regex, rule->file, rule->backend, rule->group,
			rule->login};
		for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
			free(texts[k]);
		}
	}
	drop_names(&r->hide);
	free(r->groups);
	free(r->rules);
	free(r->pair.certificate);
	free(r->pair.key);
	config_destroy(&r->tree);
	source_finish(&r->source);
}
