#include "base/span.h"

#include <assert.h>

static uint8_t lower(uint8_t c)
{
	/* Not tolower(): protocol keywords must not depend on the locale. */
	return (c >= 'A' && c <= 'Z') ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.n != b.n) {
		return false;
	}
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i])) {
			return false;
		}
	}
	return true;
}

bool span_is_nocase(struct span a, const char *s)
{
	return span_equal_nocase(a, span_str(s));
}

bool span_starts_nocase(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.n >= n && span_equal_nocase(span_of(a.p, n), span_of(prefix, n));
}

bool span_contains_nocase(struct span a, const char *s)
{
	size_t n = strlen(s);
	if (n == 0) {
		return true;
	}
	for (size_t i = 0; n <= a.n - i; i++) {
		if (span_equal_nocase(span_of(a.p + i, n), span_of(s, n))) {
			return true;
		}
	}
	return false;
}

size_t span_find(struct span a, uint8_t c)
{
	const uint8_t *hit = a.n > 0 ? memchr(a.p, c, a.n) : NULL;
	return hit != NULL ? (size_t)(hit - a.p) : a.n;
}

struct span span_slice(struct span a, size_t begin, size_t end)
{
	assert(begin <= end);
	assert(end <= a.n);
	return span_of(a.p != NULL ? a.p + begin : NULL, end - begin);
}

struct span span_chomp(struct span a)
{
	if (a.n > 0 && a.p[a.n - 1] == '\n') {
		a.n--;
		if (a.n > 0 && a.p[a.n - 1] == '\r') {
			a.n--;
		}
	}
	return a;
}

static void advance(struct span *s, size_t n)
{
	assert(n <= s->n);
	if (n > 0) {
		s->p += n;
		s->n -= n;
	}
}

bool span_take(struct span *s, uint8_t c)
{
	if (s->n == 0 || s->p[0] != c) {
		return false;
	}
	advance(s, 1);
	return true;
}

bool span_take_bytes(struct span *s, size_t n, struct span *out)
{
	if (s->n < n) {
		return false;
	}
	*out = span_of(s->p, n);
	advance(s, n);
	return true;
}

bool span_take_nocase(struct span *s, const char *text)
{
	if (!span_starts_nocase(*s, text)) {
		return false;
	}
	advance(s, strlen(text));
	return true;
}

struct span span_take_until(struct span *s, const char *stop_bytes)
{
	size_t stops = strlen(stop_bytes);
	size_t i = 0;
	if (stops == 1) {
		i = span_find(*s, (uint8_t)stop_bytes[0]);
	} else {
		while (i < s->n && memchr(stop_bytes, s->p[i], stops) == NULL) {
			i++;
		}
	}
	struct span taken = span_of(s->p, i);
	advance(s, i);
	return taken;
}

bool span_take_number(struct span *s, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		uint64_t digit = s->p[i] - (uint64_t)'0';
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, digit, &value)) {
			return false;
		}
	}
	if (i == 0) {
		return false;
	}
	advance(s, i);
	*out = value;
	return true;
}
