/*
 * The distance of Damerau and Levenshtein in its restricted form (no part is edited twice), in three
 * rows of a table. A word is guessed only when that is clearly nearer than chance: a wrong guess sends
 * the reader in a wrong direction.
 */
#include "config/nearest.h"

#include <assert.h>
#include <string.h>

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static char fold(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return (char)(c + ('a' - 'A'));
	}
	return c == '-' ? '_' : c;
}

/* Three rows of the table of Wagner and Fischer, with the swap of Damerau. */
unsigned nearest_distance(const char *a, const char *b, unsigned limit)
{
	size_t n = strlen(a);
	size_t m = strlen(b);
	if (n > NEAREST_WORD_MAX || m > NEAREST_WORD_MAX) {
		return limit + 1;
	}
	unsigned rows[3][NEAREST_WORD_MAX + 1];
	unsigned *before = rows[0];
	unsigned *above = rows[1];
	unsigned *row = rows[2];
	for (size_t j = 0; j <= m; j++) {
		row[j] = (unsigned)j;
		above[j] = 0;
	}
	for (size_t i = 1; i <= n; i++) {
		unsigned *oldest = before;
		before = above;
		above = row;
		row = oldest;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			char x = fold(a[i - 1]);
			char y = fold(b[j - 1]);
			row[j] = min(above[j - 1] + (x != y), min(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y) {
				row[j] = min(row[j], before[j - 2] + 1);
			}
		}
	}
	assert(row[m] <= (n > m ? n : m));
	return min(row[m], limit + 1);
}

void nearest_init(struct nearest *n, const char *word)
{
	/* One slip in three letters, three at most: beyond that a guess confuses. */
	size_t allowed = strlen(word) / 3;
	*n = (struct nearest){.word = word, .distance = allowed < 3 ? (unsigned)allowed + 1 : 4};
}

void nearest_try(struct nearest *n, const char *known)
{
	assert(n->distance > 0 || n->best != NULL);
	if (n->distance == 0) {
		return;
	}
	unsigned d = nearest_distance(n->word, known, n->distance - 1);
	if (d < n->distance) {
		n->distance = d;
		n->best = known;
	}
}
