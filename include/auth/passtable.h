/*
 * Who has which password, in which form: many users in little memory, as route/usertable has them.
 *
 * A user has at most one entry of each scheme. Names are found in any (ASCII) case, like those of map
 * files, and bear one spelling, that of the file. What is freed is wiped. Filled and sealed on one
 * thread, then immutable: searches may run on any thread. The hash is keyed per process.
 */
#ifndef IMAPMUX_AUTH_PASSTABLE_H
#define IMAPMUX_AUTH_PASSTABLE_H

#include "auth/scheme.h"

/* Where offsets of 32 bits end. */
#define PASSTABLE_BYTES_MAX (UINT32_MAX - 1)

struct passtable;

struct passtable_entry {
	struct span user, value; /* at most 65535 bytes each */
	enum scheme scheme;
	unsigned line; /* where it came from */
};

struct passtable *passtable_create(void);
void passtable_destroy(struct passtable **t);

/* Copies the entry to the end. False: the table is full. Only before passtable_seal. */
bool passtable_add(struct passtable *t, const struct passtable_entry *e);

/* Builds the index. on_repeated is called with each entry whose user had that scheme before, and with
 * the one that had it; the later one is left out. */
void passtable_seal(struct passtable *t,
	void (*on_repeated)(void *owner, const struct passtable_entry *later,
		const struct passtable_entry *first),
	void *owner);

/* The entry of a user for a scheme in a sealed table; spans of *out show its memory. */
bool passtable_find(const struct passtable *t, struct span user, enum scheme scheme,
	struct passtable_entry *out);

/* Which schemes the user has (SCHEME_BIT), 0: he is not in the table; and all that are in it at all. */
unsigned passtable_schemes(const struct passtable *t, struct span user);
unsigned passtable_all_schemes(const struct passtable *t);

/* The first entry of a scheme in the file; false: there is none. What a stranger is shown takes after it. */
bool passtable_first(const struct passtable *t, enum scheme scheme, struct passtable_entry *out);

/* Entries that can be found. */
size_t passtable_count(const struct passtable *t);

#endif
