/*
 * Read-only bytes with a length, and the one bounded cursor that reads all input of peers.
 *
 * A span owns nothing: it is valid as long as the memory it shows. A span that is used as a cursor
 * shrinks from the front: each span_take_* moves past what it took and never reads past the end.
 * On failure a span_take_* leaves the span and its out-parameters untouched. Pure, any thread.
 */
#ifndef IMAPMUX_BASE_SPAN_H
#define IMAPMUX_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p; /* may be NULL when n is 0 */
	size_t n;
};

/* A span of a C string (without its NUL) or of p[0..n). */
static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){.p = p, .n = n};
}
static inline struct span span_str(const char *s)
{
	return span_of(s, strlen(s));
}

/* "%.*s" arguments. Only for text that is known to be printable: hostile bytes go through the log. */
#define SPAN_ARG(s) (int)(s).n, (const char *)((s).p != NULL ? (s).p : (const uint8_t *)"")

/* Byte-exact and ASCII-case-insensitive equality (RFC 9051 section 9: keywords ignore case). */
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_is_nocase(struct span a, const char *s);
bool span_equal_nocase(struct span a, struct span b);
bool span_starts_nocase(struct span a, const char *prefix);

/* True when the ASCII-case-insensitive text occurs anywhere inside. Linear in a.n * strlen(s). */
bool span_contains_nocase(struct span a, const char *s);

/* Index of the first byte c, or a.n when there is none. */
size_t span_find(struct span a, uint8_t c);

/* The part from begin up to end (exclusive). Requires begin <= end <= a.n. */
struct span span_slice(struct span a, size_t begin, size_t end);

/* Without the line end: "x\r\n" and "x\n" become "x"; other bytes stay. */
struct span span_chomp(struct span a);

/* Takes one byte equal to c. False: the next byte is another one, or none is left. */
bool span_take(struct span *s, uint8_t c);

/* Takes exactly n bytes. False: fewer are left. */
bool span_take_bytes(struct span *s, size_t n, struct span *out);

/* Takes the given text in any case. */
bool span_take_nocase(struct span *s, const char *text);

/* Takes the bytes up to (not including) the first of the stop bytes, or all. May take nothing. */
struct span span_take_until(struct span *s, const char *stop_bytes);

/*
 * Takes one or more decimal digits as an unsigned 64-bit number (leading zeros allowed, RFC 9051
 * number64). False: no digit, or the value does not fit (then nothing is taken).
 */
bool span_take_number(struct span *s, uint64_t *out);

#endif
