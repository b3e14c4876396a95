/*
 * Entries packed one behind the other, found through 32-bit offsets with open addressing: those of one
 * user follow one another in the probe sequence. A quarter of the slots stays empty.
 */
#include "auth/passtable.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/secret.h"

/* Before the bytes of user and value. Read and written by memcpy: entries begin at any byte. */
struct head {
	uint32_t line;
	uint16_t user_len, value_len;
	uint8_t scheme;
} __attribute__((packed));

struct passtable {
	struct hash_key key;
	uint8_t *arena;
	size_t used, room;
	size_t entries;               /* in the arena */
	size_t indexed;               /* of them in the index */
	unsigned schemes;             /* that occur */
	uint32_t first[SCHEME_COUNT]; /* offset + 1 of the first of each */
	uint32_t *slots;              /* offset + 1; 0: empty. NULL: not sealed yet */
	size_t slot_count;
};

struct passtable *passtable_create(void)
{
	struct passtable *t = xcalloc(1, sizeof *t);
	t->key = hash_key_random();
	return t;
}

static void free_arena(struct passtable *t)
{
	secret_wipe(t->arena, t->used);
	free(t->arena);
}

void passtable_destroy(struct passtable **t)
{
	struct passtable *gone = *t;
	*t = NULL;
	if (gone != NULL) {
		free_arena(gone);
		free(gone->slots);
		free(gone);
	}
}

/* Not by realloc, which leaves passwords behind where the bytes were. */
static void grow(struct passtable *t, size_t room)
{
	assert(room >= t->used);
	uint8_t *arena = xmalloc(room);
	if (t->used > 0) {
		memcpy(arena, t->arena, t->used);
	}
	free_arena(t);
	t->arena = arena;
	t->room = room;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
	if (n > 0) {
		memcpy(p, bytes, n);
	}
	return p + n;
}

bool passtable_add(struct passtable *t, const struct passtable_entry *e)
{
	assert(t->slots == NULL);
	assert(e->user.n <= UINT16_MAX && e->value.n <= UINT16_MAX && e->scheme < SCHEME_COUNT);
	struct head head = {e->line, (uint16_t)e->user.n, (uint16_t)e->value.n, (uint8_t)e->scheme};
	size_t end = t->used + sizeof head + e->user.n + e->value.n;
	if (end > PASSTABLE_BYTES_MAX) {
		return false;
	}
	if (end > t->room) {
		grow(t, end + end / 2);
	}
	if (t->first[e->scheme] == 0) {
		t->first[e->scheme] = (uint32_t)t->used + 1;
	}
	uint8_t *p = put(t->arena + t->used, &head, sizeof head);
	p = put(p, e->user.p, e->user.n);
	p = put(p, e->value.p, e->value.n);
	assert(p == t->arena + end);
	t->used = end;
	t->entries++;
	t->schemes |= SCHEME_BIT(e->scheme);
	return true;
}

/* The entry at an offset; returns the offset of the next one. */
static size_t entry_at(const struct passtable *t, size_t offset, struct passtable_entry *out)
{
	struct head head;
	assert(offset + sizeof head <= t->used);
	memcpy(&head, t->arena + offset, sizeof head);
	const uint8_t *user = t->arena + offset + sizeof head;
	*out = (struct passtable_entry){
		.user = span_of(user, head.user_len),
		.value = span_of(user + head.user_len, head.value_len),
		.scheme = (enum scheme)head.scheme,
		.line = head.line,
	};
	return offset + sizeof head + head.user_len + head.value_len;
}

static size_t first_slot(const struct passtable *t, struct span user)
{
	uint64_t high = hash_bytes_nocase(t->key, user) >> 32;
	return (size_t)(high * t->slot_count >> 32);
}

static size_t next_slot(const struct passtable *t, size_t slot)
{
	return slot + 1 < t->slot_count ? slot + 1 : 0;
}

/* The slot of the user's entry of that scheme, or the empty one where it would go. */
static size_t find_slot(const struct passtable *t, struct span user, enum scheme scheme,
	struct passtable_entry *out)
{
	size_t i = first_slot(t, user);
	for (; t->slots[i] != 0; i = next_slot(t, i)) {
		(void)entry_at(t, t->slots[i] - 1, out);
		if (out->scheme == scheme && span_equal_nocase(out->user, user)) {
			break;
		}
	}
	return i;
}

void passtable_seal(struct passtable *t,
	void (*on_repeated)(void *owner, const struct passtable_entry *later,
		const struct passtable_entry *first),
	void *owner)
{
	assert(t->slots == NULL);
	t->slot_count = t->entries + t->entries / 3 + 2;
	assert(t->slot_count <= UINT32_MAX);
	t->slots = xcalloc(t->slot_count, sizeof t->slots[0]);
	grow(t, t->used);
	struct passtable_entry e;
	for (size_t next, at = 0; at < t->used; at = next) {
		struct passtable_entry first;
		next = entry_at(t, at, &e);
		size_t slot = find_slot(t, e.user, e.scheme, &first);
		if (t->slots[slot] != 0) {
			on_repeated(owner, &e, &first);
			continue;
		}
		t->slots[slot] = (uint32_t)at + 1;
		t->indexed++;
	}
	assert(t->indexed < t->slot_count);
}

bool passtable_find(const struct passtable *t, struct span user, enum scheme scheme,
	struct passtable_entry *out)
{
	struct passtable_entry found;
	assert(t->slots != NULL);
	if (t->slots[find_slot(t, user, scheme, &found)] == 0) {
		return false;
	}
	*out = found;
	return true;
}

unsigned passtable_schemes(const struct passtable *t, struct span user)
{
	struct passtable_entry e;
	unsigned schemes = 0;
	assert(t->slots != NULL);
	for (size_t i = first_slot(t, user); t->slots[i] != 0; i = next_slot(t, i)) {
		(void)entry_at(t, t->slots[i] - 1, &e);
		if (span_equal_nocase(e.user, user)) {
			schemes |= SCHEME_BIT(e.scheme);
		}
	}
	return schemes;
}

unsigned passtable_all_schemes(const struct passtable *t)
{
	return t->schemes;
}

bool passtable_first(const struct passtable *t, enum scheme scheme, struct passtable_entry *out)
{
	assert(scheme < SCHEME_COUNT);
	if (t->first[scheme] == 0) {
		return false;
	}
	(void)entry_at(t, t->first[scheme] - 1, out);
	return true;
}

size_t passtable_count(const struct passtable *t)
{
	return t->indexed;
}
