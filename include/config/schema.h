/*
 * Every key of the configuration in one table: what drives reading, the finding of unknown keys and
 * near misses, and the checks that sample file and manual page are complete.
 *
 * A path is the names from the outside in: "pool.idle_timeout", "listeners.address" (a key of each
 * element of the list). Rows of a section stand behind the row of the section. Static data, pure.
 */
#ifndef IMAPMUX_CONFIG_SCHEMA_H
#define IMAPMUX_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
	SCHEMA_GROUP,   /* { ... }: a section */
	SCHEMA_LIST,    /* ( { ... }, ... ): a section whose keys each element has */
	SCHEMA_BOOL,    /* true or false; bool */
	SCHEMA_NUMBER,  /* an integer; unsigned */
	SCHEMA_TIME,    /* seconds or "5m"; uint64_t milliseconds */
	SCHEMA_SIZE,    /* bytes or "64k"; size_t */
	SCHEMA_STRING,  /* char * */
	SCHEMA_WORD,    /* one of choices; char * */
	SCHEMA_CHOICE,  /* one of choices; an enum whose values count them from 0 */
	SCHEMA_ADDRESS, /* "host:port" or "unix:/path"; struct address */
	SCHEMA_MODE,    /* "0660"; unsigned */
	SCHEMA_NAMES,   /* ( "a", "b" ); struct config_names */
};

enum schema_use {
	SCHEMA_RELOAD,  /* a reload brings a new value into force, for new sessions at least */
	SCHEMA_RESTART, /* only a restart does */
	SCHEMA_LATER,   /* belongs to later work: refused unless at its default or off */
};

/* Which struct `offset` counts from. */
enum schema_place {
	SCHEMA_NOWHERE,    /* the value is checked, then forgotten */
	SCHEMA_IN_CONFIG,  /* struct config */
	SCHEMA_IN_RAW,     /* struct raw, what is converted once all is read */
	SCHEMA_IN_ELEMENT, /* the element of the list that the key belongs to */
};

struct schema_key {
	const char *path;
	enum schema_type type;
	enum schema_use use;
	const char *initial; /* the default as text; NULL: the key must be given */
	uint64_t min, max;   /* bounds of NUMBER, TIME (ms), SIZE */
	const char *choices; /* "a|b|c" of WORD and CHOICE */
	enum schema_place in;
	size_t offset;
	size_t count_offset; /* of LIST: where the number of elements goes */
	size_t element_size; /* of LIST; each element begins with its struct config_place */
	const char *help;    /* one line */
};

/* The table. */
const struct schema_key *schema_keys(size_t *count);

/* The row of a path; NULL: there is no such key. */
const struct schema_key *schema_find(const char *path);

/* The row of a key within a section ("" is the top level); NULL: there is none. */
const struct schema_key *schema_find_in(const char *section, const char *name);

/* True when the key stands directly in the section. */
bool schema_is_in(const struct schema_key *key, const char *section);

/* The last name of the path. */
const char *schema_name(const struct schema_key *key);

/*
 * What was probably meant by an unknown name in a section: a key of the section that differs by a
 * slip of the finger, else a key of that very name elsewhere (its whole path). NULL: no idea.
 */
const char *schema_near_miss(const char *section, const char *name);

#endif
