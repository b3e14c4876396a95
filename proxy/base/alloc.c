#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die_out_of_memory(size_t n)
{
	/* No logger here: it allocates too. */
	fprintf(stderr, "imapmux: out of memory (%zu bytes)\n", n);
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);
	if (p == NULL) {
		die_out_of_memory(n);
	}
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	if (p == NULL) {
		die_out_of_memory(size);
	}
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n > 0 ? n : 1);
	if (q == NULL) {
		die_out_of_memory(n);
	}
	return q;
}

char *xstrdup(const char *s)
{
	return xmemdup0(s, strlen(s));
}

char *xmemdup0(const void *p, size_t n)
{
	size_t room;
	if (__builtin_add_overflow(n, 1, &room)) {
		die_out_of_memory(n);
	}
	char *copy = xmalloc(room);
	if (n > 0) {
		memcpy(copy, p, n);
	}
	copy[n] = '\0';
	return copy;
}
