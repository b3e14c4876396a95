/*
 * No pointers and no padding: what a node of a usual hash table costs is more than most of the names.
 * A quarter of the slots stays empty, so that a search ends after three probes or so.
 */
#include "route/usertable.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

/* What stands in the arena before the bytes of user and login. Read and written by memcpy: entries
 * begin at any byte. */
struct head {
	uint32_t line;
	uint16_t target, user_len, login_len;
} __attribute__((packed));

struct usertable {
	struct hash_key key;
	uint8_t *arena;
	size_t used, room;
	size_t entries;  /* in the arena */
	size_t users;    /* of them in the index */
	uint32_t *slots; /* offset + 1 into the arena; 0: empty. NULL: not sealed yet */
	size_t slot_count;
};

struct usertable *usertable_create(void)
{
	struct usertable *t = xcalloc(1, sizeof *t);
	t->key = hash_key_random();
	return t;
}

void usertable_destroy(struct usertable **t)
{
	struct usertable *gone = *t;
	*t = NULL;
	if (gone != NULL) {
		free(gone->arena);
		free(gone->slots);
		free(gone);
	}
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
	if (n > 0) {
		memcpy(p, bytes, n);
	}
	return p + n;
}

bool usertable_add(struct usertable *t, const struct usertable_entry *e)
{
	assert(t->slots == NULL);
	assert(e->user.n <= UINT16_MAX && e->login.n <= UINT16_MAX && e->target <= UINT16_MAX);
	struct head head = {
		e->line, (uint16_t)e->target, (uint16_t)e->user.n, (uint16_t)e->login.n};
	size_t end = t->used + sizeof head + e->user.n + e->login.n;
	if (end > USERTABLE_BYTES_MAX) {
		return false;
	}
	if (end > t->room) {
		/* By a quarter, not by two: the peak while loading counts as well. */
		t->room = end + end / 4;
		t->arena = xrealloc(t->arena, t->room);
	}
	uint8_t *p = put(t->arena + t->used, &head, sizeof head);
	p = put(p, e->user.p, e->user.n);
	p = put(p, e->login.p, e->login.n);
	assert(p == t->arena + end);
	t->used = end;
	t->entries++;
	return true;
}

/* The entry at an offset; returns the offset of the next one. */
static size_t entry_at(const struct usertable *t, size_t offset, struct usertable_entry *out)
{
	struct head head;
	assert(offset + sizeof head <= t->used);
	memcpy(&head, t->arena + offset, sizeof head);
	const uint8_t *user = t->arena + offset + sizeof head;
	*out = (struct usertable_entry){
		.user = span_of(user, head.user_len),
		.login = span_of(user + head.user_len, head.login_len),
		.target = head.target,
		.line = head.line,
	};
	return offset + sizeof head + head.user_len + head.login_len;
}

/* The slot of the user, or the empty one where he would go. Ends because a quarter is empty. */
static size_t find_slot(const struct usertable *t, struct span user, struct usertable_entry *out)
{
	uint64_t high = hash_bytes_nocase(t->key, user) >> 32;
	size_t i = (size_t)(high * t->slot_count >> 32);
	while (t->slots[i] != 0) {
		(void)entry_at(t, t->slots[i] - 1, out);
		if (span_equal_nocase(out->user, user)) {
			break;
		}
		i = i + 1 < t->slot_count ? i + 1 : 0;
	}
	return i;
}

void usertable_seal(struct usertable *t,
	void (*on_repeated)(void *owner, const struct usertable_entry *later,
		const struct usertable_entry *first),
	void *owner)
{
	assert(t->slots == NULL);
	t->slot_count = t->entries + t->entries / 3 + 2;
	assert(t->slot_count <= UINT32_MAX);
	t->slots = xcalloc(t->slot_count, sizeof t->slots[0]);
	t->arena = xrealloc(t->arena, t->used);
	t->room = t->used;
	struct usertable_entry e;
	for (size_t next, at = 0; at < t->used; at = next) {
		struct usertable_entry first;
		next = entry_at(t, at, &e);
		size_t slot = find_slot(t, e.user, &first);
		if (t->slots[slot] != 0) {
			on_repeated(owner, &e, &first);
			continue;
		}
		t->slots[slot] = (uint32_t)at + 1;
		t->users++;
	}
	assert(t->users < t->slot_count);
}

bool usertable_find(const struct usertable *t, struct span user, struct usertable_entry *out)
{
	struct usertable_entry found;
	assert(t->slots != NULL);
	if (t->slots[find_slot(t, user, &found)] == 0) {
		return false;
	}
	*out = found;
	return true;
}

size_t usertable_count(const struct usertable *t)
{
	return t->users;
}

size_t usertable_memory(const struct usertable *t)
{
	return sizeof *t + t->room + t->slot_count * sizeof t->slots[0];
}
