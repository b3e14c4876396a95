/*
 * Types are written down once each: how text becomes a value, what libconfig's type must be, how wide
 * the field is. A default takes the same way as text in the file, so that it cannot mean another thing.
 */
#include "field.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/value.h"

static bool is_text_type(enum schema_type type)
{
	return type == SCHEMA_STRING || type == SCHEMA_WORD;
}

/* What the file should hold, in the words of a message. */
const char *field_expected(enum schema_type type)
{
	switch (type) {
	case SCHEMA_GROUP:
		return "a group: { key = value; }";
	case SCHEMA_LIST:
		return "a list of groups: ( { key = value; } )";
	case SCHEMA_BOOL:
		return "true or false";
	case SCHEMA_NUMBER:
		return "an integer";
	case SCHEMA_TIME:
		return "seconds or a duration such as \"500ms\", \"30s\", \"5m\", \"1h\"";
	case SCHEMA_SIZE:
		return "bytes or a size such as \"64k\", \"1m\"";
	case SCHEMA_NAMES:
		return "a list of strings: ( \"a\", \"b\" )";
	case SCHEMA_ADDRESS:
	case SCHEMA_MODE:
	case SCHEMA_STRING:
	case SCHEMA_WORD:
	case SCHEMA_CHOICE:
		break;
	}
	return "a string in quotes";
}

static bool bad(char *why, const char *what, const char *more)
{
	snprintf(why, FIELD_WHY_MAX, "%s%s", what, more);
	return false;
}

static bool check_bounds(const struct schema_key *key, uint64_t n, char *why)
{
	assert(key->min < key->max);
	char low[VALUE_TEXT_MAX];
	char high[VALUE_TEXT_MAX];
	if (n >= key->min && n <= key->max) {
		return true;
	}
	if (key->type == SCHEMA_TIME) {
		value_print_duration(key->min, low);
		value_print_duration(key->max, high);
	} else if (key->type == SCHEMA_SIZE) {
		value_print_size(key->min, low);
		value_print_size(key->max, high);
	} else {
		snprintf(low, sizeof low, "%" PRIu64, key->min);
		snprintf(high, sizeof high, "%" PRIu64, key->max);
	}
	snprintf(why, FIELD_WHY_MAX, "out of bounds: %s to %s", low, high);
	return false;
}

static bool parse_choice(const struct schema_key *key, const char *text, unsigned *n, char *why)
{
	assert(key->choices != NULL);
	if (value_choice(span_str(text), key->choices, n)) {
		return true;
	}
	snprintf(why, FIELD_WHY_MAX, "\"%.64s\" is none of %s", text, key->choices);
	return false;
}

/* Text of any type but NAMES to a value. The text is the default or stands in quotes in the file. */
static bool parse_text(const struct schema_key *key, const char *text, union field *v, char *why)
{
	struct span s = span_str(text);
	const char *reason = "";
	unsigned n;
	switch (key->type) {
	case SCHEMA_BOOL:
		return value_bool(s, &v->boolean) ||
		       bad(why, "must be ", field_expected(key->type));
	case SCHEMA_NUMBER:
		return (span_take_number(&s, &v->number) && s.n == 0) ||
		       bad(why, "must be ", field_expected(key->type));
	case SCHEMA_TIME:
		return value_duration(s, &v->number) ||
		       bad(why, "must be ", field_expected(key->type));
	case SCHEMA_SIZE:
		return value_size(s, &v->number) || bad(why, "must be ", field_expected(key->type));
	case SCHEMA_MODE:
		if (!value_mode(s, &n)) {
			return bad(why, "must be permission bits in octal such as \"0660\"", "");
		}
		v->number = n;
		return true;
	case SCHEMA_CHOICE:
		if (!parse_choice(key, text, &n, why)) {
			return false;
		}
		v->number = n;
		return true;
	case SCHEMA_WORD:
		if (!parse_choice(key, text, &n, why)) {
			return false;
		}
		v->string = xstrdup(text);
		return true;
	case SCHEMA_STRING:
		v->string = xstrdup(text);
		return true;
	case SCHEMA_ADDRESS:
		return address_parse(text, &v->address, &reason) || bad(why, reason, "");
	case SCHEMA_NAMES:
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
		break;
	}
	assert(key->type == SCHEMA_NAMES && text[0] == '\0');
	v->names = (struct config_names){0};
	return true;
}

static bool read_names(const config_setting_t *s, union field *v, char *why)
{
	/* ( ) and [ ] alike: which of them is which is not for operators to remember. */
	int count = config_setting_is_list(s) || config_setting_type(s) == CONFIG_TYPE_ARRAY
			    ? config_setting_length(s)
			    : -1;
	for (int i = 0; i < count; i++) {
		if (config_setting_get_string_elem(s, i) == NULL) {
			count = -1;
		}
	}
	if (count < 0) {
		return bad(why, "must be ", field_expected(SCHEMA_NAMES));
	}
	struct config_names names = {.items = xcalloc((size_t)count, sizeof(char *))};
	for (int i = 0; i < count; i++) {
		names.items[names.count++] = xstrdup(config_setting_get_string_elem(s, i));
	}
	v->names = names;
	return true;
}

static bool read_integer(
	const struct schema_key *key, const config_setting_t *s, union field *v, char *why)
{
	/* source.c saw to it that the tree has all bits. */
	long long n = config_setting_get_int64(s);
	if (key->type != SCHEMA_NUMBER && key->type != SCHEMA_TIME && key->type != SCHEMA_SIZE) {
		return bad(why, "must be ", field_expected(key->type));
	}
	if (n < 0) {
		return bad(why, "must not be negative", "");
	}
	v->number = (uint64_t)n;
	if (key->type == SCHEMA_TIME && !value_seconds((uint64_t)n, &v->number)) {
		v->number = UINT64_MAX; /* fails the bounds */
	}
	return true;
}

bool field_read(const struct schema_key *key, const config_setting_t *s, union field *v, char *why)
{
	bool is_good;
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		is_good = read_integer(key, s, v, why);
		break;
	case CONFIG_TYPE_STRING:
		/* "5" is no integer and "true" no truth: a quote there is a slip. */
		if (key->type == SCHEMA_BOOL || key->type == SCHEMA_NUMBER ||
			key->type == SCHEMA_NAMES) {
			return bad(why, "must be ", field_expected(key->type));
		}
		is_good = parse_text(key, config_setting_get_string(s), v, why);
		break;
	case CONFIG_TYPE_BOOL:
		if (key->type != SCHEMA_BOOL) {
			return bad(why, "must be ", field_expected(key->type));
		}
		v->boolean = config_setting_get_bool(s) != CONFIG_FALSE;
		return true;
	default:
		if (key->type != SCHEMA_NAMES) {
			return bad(why, "must be ", field_expected(key->type));
		}
		return read_names(s, v, why);
	}
	bool has_bounds =
		key->type == SCHEMA_NUMBER || key->type == SCHEMA_TIME || key->type == SCHEMA_SIZE;
	return is_good && (!has_bounds || check_bounds(key, v->number, why));
}

void field_drop(const struct schema_key *key, union field *v)
{
	if (is_text_type(key->type)) {
		free(v->string);
	} else if (key->type == SCHEMA_ADDRESS) {
		address_finish(&v->address);
	} else if (key->type == SCHEMA_NAMES) {
		for (size_t i = 0; i < v->names.count; i++) {
			free(v->names.items[i]);
		}
		free(v->names.items);
	}
}

static_assert(sizeof(enum tls_mode) == sizeof(unsigned), "choices are stored as unsigned");

void field_store(const struct schema_key *key, char *base, union field *v)
{
	assert(base != NULL && key->in != SCHEMA_NOWHERE);
	char *field = base + key->offset;
	unsigned number = (unsigned)v->number;
	size_t size = (size_t)v->number;
	switch (key->type) {
	case SCHEMA_BOOL:
		memcpy(field, &v->boolean, sizeof v->boolean);
		break;
	case SCHEMA_NUMBER:
	case SCHEMA_CHOICE:
	case SCHEMA_MODE:
		memcpy(field, &number, sizeof number);
		break;
	case SCHEMA_TIME:
		memcpy(field, &v->number, sizeof v->number);
		break;
	case SCHEMA_SIZE:
		memcpy(field, &size, sizeof size);
		break;
	case SCHEMA_STRING:
	case SCHEMA_WORD:
		memcpy(field, &v->string, sizeof v->string);
		break;
	case SCHEMA_ADDRESS:
		memcpy(field, &v->address, sizeof v->address);
		break;
	case SCHEMA_NAMES:
		memcpy(field, &v->names, sizeof v->names);
		break;
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
		assert(!"sections are no values");
	}
}

void field_initial(const struct schema_key *key, union field *out)
{
	char why[FIELD_WHY_MAX];
	*out = (union field){0};
	if (key->type == SCHEMA_ADDRESS) {
		assert(key->initial == NULL);
		return;
	}
	bool is_good = parse_text(key, key->initial != NULL ? key->initial : "", out, why);
	assert(is_good);
	(void)is_good;
}

bool field_is_empty(const struct schema_key *key, const union field *v)
{
	if (key->type == SCHEMA_NAMES) {
		return v->names.count == 0;
	}
	return is_text_type(key->type) && v->string[0] == '\0';
}

bool field_is_off(const struct schema_key *key, const union field *v)
{
	switch (key->type) {
	case SCHEMA_BOOL:
		return !v->boolean;
	case SCHEMA_NUMBER:
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
		return v->number == 0;
	case SCHEMA_STRING:
	case SCHEMA_WORD:
		return v->string[0] == '\0' || strcmp(v->string, "none") == 0;
	case SCHEMA_NAMES:
		return v->names.count == 0;
	default:
		return false;
	}
}

bool field_is_initial(const struct schema_key *key, const union field *v)
{
	union field initial;
	bool is_equal;
	field_initial(key, &initial);
	if (is_text_type(key->type)) {
		is_equal = strcmp(v->string, initial.string) == 0;
	} else if (key->type == SCHEMA_NAMES) {
		is_equal = v->names.count == 0;
	} else {
		is_equal = key->type == SCHEMA_BOOL ? v->boolean == initial.boolean
						    : v->number == initial.number;
	}
	field_drop(key, &initial);
	return is_equal;
}
