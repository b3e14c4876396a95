#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { BUF_FIRST_ROOM = 256 }; /* most replies are one short line */

void buf_init(struct buf *b, size_t cap)
{
	assert(cap <= BUF_CAP_MAX);
	*b = (struct buf){.cap = (uint32_t)cap};
}

void buf_finish(struct buf *b)
{
	buf_clear(b);
}

struct span buf_peek(const struct buf *b)
{
	return span_of(b->data != NULL ? b->data + b->begin : NULL, b->end - b->begin);
}

size_t buf_len(const struct buf *b)
{
	return b->end - b->begin;
}

size_t buf_free_space(const struct buf *b)
{
	return b->cap - buf_len(b);
}

static void move_to_front(struct buf *b)
{
	if (b->begin > 0) {
		size_t len = buf_len(b);
		memmove(b->data, b->data + b->begin, len);
		/* What was read is behind the end now, where buf_clear does not look. */
		explicit_bzero(b->data + len, b->begin);
		b->begin = 0;
		b->end = (uint32_t)len;
	}
}

static void grow(struct buf *b, size_t need)
{
	size_t room = b->room > 0 ? b->room : BUF_FIRST_ROOM;
	assert(need <= BUF_CAP_MAX + 1); /* addf needs a NUL behind the last byte */
	while (room < need) {
		room *= 2;
	}
	uint8_t *data = xmalloc(room);
	if (b->data != NULL) {
		memcpy(data, b->data, b->end);
		/* Not realloc: the old copy may hold a password. */
		explicit_bzero(b->data, b->end);
		free(b->data);
	}
	b->data = data;
	b->room = (uint32_t)room;
}

/* A place for n more bytes, n > 0, whatever the cap says. */
static uint8_t *make_room(struct buf *b, size_t n)
{
	assert(n > 0);
	assert(b->begin <= b->end);
	assert(b->end <= b->room);
	if (b->room - b->end < n) {
		if (b->data != NULL) {
			move_to_front(b);
		}
		if (b->room - b->end < n) {
			grow(b, b->end + n);
		}
	}
	return b->data + b->end;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	if (n > buf_free_space(b)) {
		return NULL;
	}
	return make_room(b, n > 0 ? n : 1); /* NULL would say that the cap is exceeded */
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->room - b->end);
	b->end += (uint32_t)n;
	assert(buf_len(b) <= b->cap);
}

bool buf_add(struct buf *b, struct span s)
{
	if (s.n == 0) {
		return true;
	}
	uint8_t *place = buf_reserve(b, s.n);
	if (place == NULL) {
		return false;
	}
	memcpy(place, s.p, s.n);
	buf_commit(b, s.n);
	return true;
}

bool buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, span_str(s));
}

bool buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	bool fits = (size_t)n <= buf_free_space(b);
	if (fits && n > 0) {
		/* The NUL needs a place too, but it is no part of the queue: the cap does not count it. */
		char *place = (char *)make_room(b, (size_t)n + 1);
		vsnprintf(place, (size_t)n + 1, format, again);
		buf_commit(b, (size_t)n);
	}
	va_end(again);
	return fits;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->begin += (uint32_t)n;
	if (b->begin == b->end) {
		buf_clear(b);
	}
}

void buf_clear(struct buf *b)
{
	if (b->data != NULL) {
		explicit_bzero(b->data, b->end);
		free(b->data);
	}
	buf_init(b, b->cap);
}

void buf_move(struct buf *to, struct buf *from)
{
	assert(to->data == NULL);
	assert(to->cap >= buf_len(from));
	uint32_t cap = to->cap;
	uint32_t from_cap = from->cap;
	*to = *from;
	to->cap = cap;
	buf_init(from, from_cap);
}
