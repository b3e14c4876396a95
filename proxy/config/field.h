/*
 * One value of the configuration on its way from the file to the field of a struct.
 *
 * Types and bounds are those of the key's row in the schema. What a value owns (strings) belongs to
 * whoever holds the union until field_store gives it to the struct.
 */
#ifndef IMAPMUX_CONFIG_FIELD_H
#define IMAPMUX_CONFIG_FIELD_H

#include "config/schema.h"
#include "raw.h"

union field {
	bool boolean;
	uint64_t number; /* NUMBER, TIME, SIZE, CHOICE, MODE */
	char *string;
	struct address address;
	struct config_names names;
};

/* Room for the reason why a value is refused. */
#define FIELD_WHY_MAX 256

/* The value of a setting; false with a reason in why[FIELD_WHY_MAX]. */
bool field_read(
	const struct schema_key *key, const config_setting_t *setting, union field *out, char *why);

/* The key's default, or an empty value where there is none. */
void field_initial(const struct schema_key *key, union field *out);

/* Equality with the default, and "false, 0, empty, none": what later work may already be set to. */
bool field_is_initial(const struct schema_key *key, const union field *v);
bool field_is_off(const struct schema_key *key, const union field *v);

/* An empty string or list. */
bool field_is_empty(const struct schema_key *key, const union field *v);

/* Puts the value at base + offset. */
void field_store(const struct schema_key *key, char *base, union field *v);

/* Frees what the value owns. */
void field_drop(const struct schema_key *key, union field *v);

/* "a list of groups: ( { key = value; } )": what the file should hold, for messages. */
const char *field_expected(enum schema_type type);

#endif
