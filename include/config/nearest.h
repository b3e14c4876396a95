/*
 * Near misses: which of the known words was probably meant. Pure, any thread.
 */
#ifndef IMAPMUX_CONFIG_NEAREST_H
#define IMAPMUX_CONFIG_NEAREST_H

#include <stddef.h>

/* Longer words are not compared: names of keys, servers and groups are shorter. */
#define NEAREST_WORD_MAX 64

/* The search for the nearest of several words. */
struct nearest {
	const char *word;
	const char *best; /* NULL: none is near */
	unsigned distance;
};

/* Starts a search for what was meant by word. */
void nearest_init(struct nearest *n, const char *word);

/* Looks at one known word. */
void nearest_try(struct nearest *n, const char *known);

/*
 * Insertions, deletions, replacements and swaps of neighbours (each 1) that make a into b, letters'
 * case and '-' for '_' free. At most limit + 1 is returned.
 */
unsigned nearest_distance(const char *a, const char *b, unsigned limit);

#endif
