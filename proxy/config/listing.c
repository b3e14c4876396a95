/*
 * The way back from struct config to text. What the schema does not place in struct config (names that
 * were turned into indexes, pairs that became a list) has a function of its own here.
 */
#include "config/listing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "config/schema.h"
#include "config/value.h"

/* Paths of the schema with an index. */
#define LISTING_PATH_MAX 96
/* Lists of names; a longer one is cut. */
#define LISTING_NAMES_MAX 4096

struct listing {
	const struct config *config;
	listing_fn *tell;
	void *owner;
};

static void tell_at(const struct listing *l, const char *list, size_t index, const char *name,
	const char *value, bool is_default)
{
	char path[LISTING_PATH_MAX];
	snprintf(path, sizeof path, "%s[%zu].%s", list, index, name);
	l->tell(l->owner, path, value, is_default);
}

/* Word number n of "a|b|c". */
static void print_choice(const char *choices, unsigned n, char *out)
{
	struct span rest = span_str(choices);
	struct span word = span_take_until(&rest, "|");
	for (; n > 0 && span_take(&rest, '|'); n--) {
		word = span_take_until(&rest, "|");
	}
	assert(n == 0);
	snprintf(out, VALUE_TEXT_MAX, "%.*s", SPAN_ARG(word));
}

/* The value at `field`, as it would be written; room is VALUE_TEXT_MAX bytes. */
static const char *print_field(const struct schema_key *key, const char *field, char *room)
{
	union {
		bool boolean;
		unsigned number;
		uint64_t time;
		size_t size;
		char *string;
		struct address address;
	} v;
	switch (key->type) {
	case SCHEMA_BOOL:
		memcpy(&v.boolean, field, sizeof v.boolean);
		return v.boolean ? "true" : "false";
	case SCHEMA_NUMBER:
		memcpy(&v.number, field, sizeof v.number);
		snprintf(room, VALUE_TEXT_MAX, "%u", v.number);
		return room;
	case SCHEMA_MODE:
		memcpy(&v.number, field, sizeof v.number);
		snprintf(room, VALUE_TEXT_MAX, "0%o", v.number);
		return room;
	case SCHEMA_CHOICE:
		memcpy(&v.number, field, sizeof v.number);
		print_choice(key->choices, v.number, room);
		return room;
	case SCHEMA_TIME:
		memcpy(&v.time, field, sizeof v.time);
		value_print_duration(v.time, room);
		return room;
	case SCHEMA_SIZE:
		memcpy(&v.size, field, sizeof v.size);
		value_print_size(v.size, room);
		return room;
	case SCHEMA_STRING:
	case SCHEMA_WORD:
		memcpy(&v.string, field, sizeof v.string);
		return v.string;
	case SCHEMA_ADDRESS:
		memcpy(&v.address, field, sizeof v.address);
		return v.address.text;
	case SCHEMA_NAMES:
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
		break;
	}
	assert(!"no value of one field");
	return "";
}

/* The default in the words of print_field: "60s" is "1m". */
static bool is_initial(const struct schema_key *key, const char *value)
{
	char text[VALUE_TEXT_MAX];
	uint64_t n;
	if (key->initial == NULL) {
		return false;
	}
	if (key->type == SCHEMA_TIME && value_duration(span_str(key->initial), &n)) {
		value_print_duration(n, text);
		return strcmp(text, value) == 0;
	}
	if (key->type == SCHEMA_SIZE && value_size(span_str(key->initial), &n)) {
		value_print_size(n, text);
		return strcmp(text, value) == 0;
	}
	return strcmp(key->initial, value) == 0;
}

/* Names with a blank between. */
static void add_name(struct buf *text, const char *name, bool *fits)
{
	*fits = *fits && (buf_len(text) == 0 || buf_add_str(text, " ")) && buf_add_str(text, name);
}

/* Ends the text and gives it out; it lives in the buf. */
static const char *end_names(struct buf *text, bool fits)
{
	return buf_add(text, span_of("", 1)) && fits ? (const char *)buf_peek(text).p : "...";
}

static void list_names(const struct listing *l, const char *list, size_t index,
	const struct schema_key *key, const char *field)
{
	struct config_names names;
	struct buf text;
	bool fits = true;
	memcpy(&names, field, sizeof names);
	buf_init(&text, LISTING_NAMES_MAX);
	for (size_t i = 0; i < names.count; i++) {
		add_name(&text, names.items[i], &fits);
	}
	tell_at(l, list, index, schema_name(key), end_names(&text, fits), names.count == 0);
	buf_finish(&text);
}

/* What is taken from another key where it is not given. */
static bool is_derived(const struct schema_key *key, const char *element, const char *value)
{
	if (strcmp(key->path, "backends.server_name") != 0) {
		return false;
	}
	const struct config_backend *b = (const struct config_backend *)(const void *)element;
	return b->address.host != NULL && strcmp(value, b->address.host) == 0;
}

static void list_element(
	const struct listing *l, const struct schema_key *list, size_t index, const char *element)
{
	size_t count;
	char room[VALUE_TEXT_MAX];
	const struct schema_key *keys = schema_keys(&count);
	for (size_t i = 0; i < count; i++) {
		if (keys[i].in != SCHEMA_IN_ELEMENT || !schema_is_in(&keys[i], list->path)) {
			continue;
		}
		if (keys[i].type == SCHEMA_NAMES) {
			list_names(l, list->path, index, &keys[i], element + keys[i].offset);
		} else {
			const char *value = print_field(&keys[i], element + keys[i].offset, room);
			tell_at(l, list->path, index, schema_name(&keys[i]), value,
				is_initial(&keys[i], value) ||
					is_derived(&keys[i], element, value));
		}
	}
}

static void list_elements(const struct listing *l, const struct schema_key *list)
{
	const char *base = (const char *)l->config;
	const char *items;
	size_t count;
	memcpy(&items, base + list->offset, sizeof items);
	memcpy(&count, base + list->count_offset, sizeof count);
	/* The default pair became the first of the certificates; it is told as tls.certificate. */
	size_t hidden = strcmp(list->path, "tls.names") == 0 && count > 0 ? 1 : 0;
	for (size_t i = hidden; i < count; i++) {
		list_element(l, list, i - hidden, items + i * list->element_size);
	}
}

static void tell_hidden(const struct listing *l, const char *path)
{
	const struct config *c = l->config;
	struct buf text;
	bool fits = true;
	buf_init(&text, LISTING_NAMES_MAX);
	for (size_t i = 0; i < c->hide_count; i++) {
		add_name(&text, c->hide[i], &fits);
	}
	l->tell(l->owner, path, end_names(&text, fits), c->hide_count == 0);
	buf_finish(&text);
}

static void list_group(const struct listing *l, size_t index)
{
	const struct config *c = l->config;
	const struct config_group *g = &c->groups[index];
	struct buf text;
	bool fits = true;
	buf_init(&text, LISTING_NAMES_MAX);
	for (size_t i = 0; i < g->backend_count; i++) {
		assert(g->backends[i] < c->backend_count);
		add_name(&text, c->backends[g->backends[i]].name, &fits);
	}
	tell_at(l, "groups", index, "name", g->name, false);
	tell_at(l, "groups", index, "backends", end_names(&text, fits), false);
	buf_finish(&text);
}

static void list_rule(const struct listing *l, size_t index)
{
	static const char *const kinds[] = {
		[RULE_MATCH] = "match", [RULE_REGEX] = "regex", [RULE_FILE] = "file"};
	const struct config_rule *rule = &l->config->rules[index];
	bool is_group = false;
	size_t target;
	tell_at(l, "users", index, kinds[rule->kind], rule->pattern, false);
	if (config_find_target(l->config, rule->target, &is_group, &target)) {
		tell_at(l, "users", index, is_group ? "group" : "backend", rule->target, false);
	}
	if (rule->login[0] != '\0') {
		tell_at(l, "users", index, "login", rule->login, false);
	}
}

/* What was converted on its way into struct config. */
static void list_converted(const struct listing *l, const struct schema_key *key)
{
	const struct config *c = l->config;
	const struct config_certificate *pair =
		c->tls.certificate_count > 0 ? &c->tls.certificates[0] : NULL;
	if (strcmp(key->path, "tls.certificate") == 0) {
		l->tell(l->owner, key->path, pair != NULL ? pair->certificate : "", pair == NULL);
	} else if (strcmp(key->path, "tls.key") == 0) {
		l->tell(l->owner, key->path, pair != NULL ? pair->key : "", pair == NULL);
	} else if (strcmp(key->path, "capabilities.hide") == 0) {
		tell_hidden(l, key->path);
	} else if (strcmp(key->path, "groups") == 0) {
		for (size_t i = 0; i < c->group_count; i++) {
			list_group(l, i);
		}
	} else {
		assert(strcmp(key->path, "users") == 0);
		for (size_t i = 0; i < c->rule_count; i++) {
			list_rule(l, i);
		}
	}
}

void config_list(const struct config *c, listing_fn *tell, void *owner)
{
	struct listing l = {.config = c, .tell = tell, .owner = owner};
	size_t count;
	char room[VALUE_TEXT_MAX];
	const struct schema_key *keys = schema_keys(&count);
	for (size_t i = 0; i < count; i++) {
		const struct schema_key *key = &keys[i];
		if (key->use == SCHEMA_LATER || key->type == SCHEMA_GROUP) {
			continue;
		}
		if (key->in == SCHEMA_IN_RAW) {
			list_converted(&l, key);
		} else if (key->type == SCHEMA_LIST) {
			list_elements(&l, key);
		} else if (key->in == SCHEMA_IN_CONFIG) {
			const char *value = print_field(key, (const char *)c + key->offset, room);
			tell(owner, key->path, value, is_initial(key, value));
		}
	}
}
