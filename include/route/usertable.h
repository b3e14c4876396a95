/*
 * Many users in little memory: entries packed one behind the other, found through a table of 32-bit
 * offsets with open addressing.
 *
 * The hash is keyed per process: whoever chooses user names cannot aim them at one slot. A user
 * costs his text, his login's text, and about 16 bytes. Filled and sealed on one thread, then
 * immutable: usertable_find may run on any thread.
 */
#ifndef IMAPMUX_ROUTE_USERTABLE_H
#define IMAPMUX_ROUTE_USERTABLE_H

#include "base/span.h"

/* Where offsets of 32 bits end. */
#define USERTABLE_BYTES_MAX (UINT32_MAX - 1)

struct usertable;

struct usertable_entry {
	struct span user, login; /* at most 65535 bytes each; login may be empty */
	unsigned target;         /* below 65536 */
	unsigned line;           /* where it came from */
};

struct usertable *usertable_create(void);
void usertable_destroy(struct usertable **t);

/* Copies the entry to the end. False: the table is full. Only before usertable_seal. */
bool usertable_add(struct usertable *t, const struct usertable_entry *e);

/*
 * Builds the index. Of several entries for one user (ASCII case ignored) the first counts;
 * on_repeated is called with each later one, and with the one that counts.
 */
void usertable_seal(struct usertable *t,
	void (*on_repeated)(void *owner, const struct usertable_entry *later,
		const struct usertable_entry *first),
	void *owner);

/* Finds a user in a sealed table; the spans of *out show its memory. */
bool usertable_find(const struct usertable *t, struct span user, struct usertable_entry *out);

/* Users that can be found, and bytes that the table takes. */
size_t usertable_count(const struct usertable *t);
size_t usertable_memory(const struct usertable *t);

#endif
