#include "in_flight_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* A record: length of the tag, kind and two bits, the tag's bytes. */
enum {
	RECORD_HEAD = 2,
	OPEN_BIT = 0x80,
	LINE_END_BIT = 0x40,
	FIRST_ROOM = 24, /* of tags up to 22 bytes, one at a time; malloc gives no less */
	MAX_ROOM = TRACKER_MAX_IN_FLIGHT * (RECORD_HEAD + COMMAND_TAG_MAX),
};
_Static_assert(MAX_ROOM <= UINT16_MAX, "used and room are 16 bits");
_Static_assert(COMMAND_TAG_MAX <= UINT8_MAX, "a tag's length is a byte");

void in_flight_finish(struct in_flight *f)
{
	free(f->data);
	*f = (struct in_flight){0};
}

static size_t record_size(const struct in_flight *f, size_t at)
{
	assert(at + RECORD_HEAD <= f->used);
	return RECORD_HEAD + (size_t)f->data[at];
}

/* Where the tag's record is, or f->used. */
static size_t find(const struct in_flight *f, struct span tag)
{
	size_t at = 0;
	while (at < f->used) {
		if (span_equal(span_of(f->data + at + RECORD_HEAD, f->data[at]), tag)) {
			return at;
		}
		at += record_size(f, at);
	}
	assert(at == f->used);
	return at;
}

bool in_flight_has(const struct in_flight *f, struct span tag)
{
	return find(f, tag) < f->used;
}

static void make_room(struct in_flight *f, size_t need)
{
	if (need <= f->room) {
		return;
	}
	size_t room = f->room > 0 ? f->room : FIRST_ROOM;
	while (room < need) {
		room *= 2;
	}
	f->data = xrealloc(f->data, room);
	f->room = (uint16_t)room;
}

static bool is_selecting(enum in_flight_kind kind)
{
	return kind == IN_FLIGHT_SELECT || kind == IN_FLIGHT_DESELECT;
}

void in_flight_add(struct in_flight *f, struct span tag, enum in_flight_kind kind)
{
	assert(tag.n > 0 && tag.n <= COMMAND_TAG_MAX);
	assert(f->count < TRACKER_MAX_IN_FLIGHT);
	assert(!in_flight_has(f, tag));
	assert(!in_flight_has_open(f));
	make_room(f, f->used + RECORD_HEAD + tag.n);
	uint8_t *record = f->data + f->used;
	record[0] = (uint8_t)tag.n;
	record[1] = (uint8_t)(kind | OPEN_BIT);
	memcpy(record + RECORD_HEAD, tag.p, tag.n);
	f->used = (uint16_t)(f->used + RECORD_HEAD + tag.n);
	f->count++;
	f->selecting = (uint8_t)(f->selecting + is_selecting(kind));
	f->enabling = (uint8_t)(f->enabling + (kind == IN_FLIGHT_ENABLE));
}

/* Where the open command's record is, or f->used. The newest is last. */
static size_t find_open(const struct in_flight *f)
{
	size_t at = 0;
	while (at < f->used && (f->data[at + 1] & OPEN_BIT) == 0) {
		at += record_size(f, at);
	}
	return at;
}

bool in_flight_has_open(const struct in_flight *f)
{
	return find_open(f) < f->used;
}

void in_flight_complete(struct in_flight *f)
{
	size_t at = find_open(f);
	if (at < f->used) {
		f->data[at + 1] &= (uint8_t)~OPEN_BIT;
	}
	assert(!in_flight_has_open(f));
}

void in_flight_note_line_end(struct in_flight *f)
{
	size_t at = find_open(f);
	if (at < f->used) {
		f->data[at + 1] |= LINE_END_BIT;
	}
}

bool in_flight_take(struct in_flight *f, struct span tag, struct in_flight_entry *out)
{
	size_t at = find(f, tag);
	if (at == f->used) {
		return false;
	}
	assert(f->count > 0);
	out->is_open = (f->data[at + 1] & OPEN_BIT) != 0;
	out->has_line_end = (f->data[at + 1] & LINE_END_BIT) != 0;
	out->kind = (enum in_flight_kind)(f->data[at + 1] & ~(OPEN_BIT | LINE_END_BIT));
	size_t size = record_size(f, at);
	memmove(f->data + at, f->data + at + size, f->used - at - size);
	f->used = (uint16_t)(f->used - size);
	f->count--;
	f->selecting = (uint8_t)(f->selecting - is_selecting(out->kind));
	f->enabling = (uint8_t)(f->enabling - (out->kind == IN_FLIGHT_ENABLE));
	if (f->count == 0 && f->room > FIRST_ROOM) {
		in_flight_finish(f);
	}
	return true;
}
