/*
 * What the programs of the bench do when they cannot go on: say why and end. A bench that limps gives
 * figures that nobody can trust.
 */
#ifndef IMAPMUX_BENCH_MUST_H
#define IMAPMUX_BENCH_MUST_H

#include <stddef.h>

/* Prints "NAME: text" (with ": REASON" when errno is set and the text ends with '?') and exits with 1. */
_Noreturn void must_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory; never NULL. Freed with free(). */
void *must_alloc(size_t size);

/* Makes *memory hold at least `need` elements of `size` bytes; *capacity is what it holds. Doubles, so
 * that growing by one costs little. Never fails. */
void *must_grow(void *memory, size_t *capacity, size_t need, size_t size);

/* A copy of n bytes, ended by a zero. */
char *must_copy(const char *bytes, size_t n);

#endif
