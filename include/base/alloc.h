/*
 * Memory that always succeeds or ends the process.
 *
 * Small objects (a session, a map entry, a string of a setting) are not worth an untested error path
 * each: running out of memory for them aborts with a line on stderr. What a peer can make large is
 * bounded by a named cap before it is allocated, and running into that cap fails one connection.
 * Any thread.
 */
#ifndef IMAPMUX_BASE_ALLOC_H
#define IMAPMUX_BASE_ALLOC_H

#include <stddef.h>

/* Uninitialised memory of n bytes (n may be 0: a unique pointer). Never NULL. */
void *xmalloc(size_t n);

/* Zeroed memory for count objects of the given size; the product is checked. Never NULL. */
void *xcalloc(size_t count, size_t size);

/* Grows or shrinks p, contents kept. Never NULL. Not for secrets: the old copy is not wiped. */
void *xrealloc(void *p, size_t n);

/* Copies of a string, and of n bytes with a NUL behind them. Never NULL. Freed with free(). */
char *xstrdup(const char *s);
char *xmemdup0(const void *p, size_t n);

#endif
