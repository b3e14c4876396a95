#include "bench/lines.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bench/must.h"

void lines_finish(struct lines *l)
{
	free(l->text);
	*l = (struct lines){0};
}

static void keep(struct lines *l, const char *bytes, size_t n)
{
	l->text = must_grow(l->text, &l->capacity, l->n + n, 1);
	memcpy(l->text + l->n, bytes, n);
	l->n += n;
}

static void take_literal(struct lines *l, const char **bytes, const char *end)
{
	size_t n = (size_t)(end - *bytes);
	if (n > l->literal) {
		n = l->literal;
	}
	if (l->is_kept) {
		keep(l, *bytes, n);
	}
	l->literal -= n;
	*bytes += n;
}

/* Does the text end in {123} or {123+}? Then notes the literal. */
static bool find_literal(struct lines *l)
{
	size_t i = l->n;
	/* What stands before a literal does not announce another one behind it. */
	if (i <= l->line || l->text[--i] != '}') {
		return false;
	}
	l->is_synchronising = i == l->line || l->text[i - 1] != '+';
	if (!l->is_synchronising) {
		i--;
	}
	size_t value = 0;
	for (size_t factor = 1; i > l->line && isdigit((unsigned char)l->text[i - 1]);
		factor *= 10) {
		value += factor * (size_t)(l->text[--i] - '0');
	}
	if (i == l->line || l->text[i - 1] != '{') {
		return false;
	}
	l->literal = value;
	l->is_kept = value <= LINES_KEPT && l->n + value <= 2 * LINES_KEPT;
	return true;
}

enum lines_event lines_read(struct lines *l, const char **bytes, const char *end)
{
	assert(*bytes <= end);
	if (l->is_done) {
		l->n = l->line = 0;
		l->is_done = false;
	}
	while (*bytes < end) {
		if (l->literal > 0) {
			take_literal(l, bytes, end);
			l->line = l->n;
			continue;
		}
		const char *feed = memchr(*bytes, '\n', (size_t)(end - *bytes));
		const char *stop = feed != NULL ? feed : end;
		keep(l, *bytes, (size_t)(stop - *bytes));
		*bytes = feed != NULL ? feed + 1 : end;
		if (feed == NULL) {
			break;
		}
		if (l->n > 0 && l->text[l->n - 1] == '\r') {
			l->n--;
		}
		if (find_literal(l)) {
			l->line = l->n;
			return LINES_LITERAL;
		}
		l->is_done = true;
		return LINES_LINE;
	}
	return LINES_MORE;
}
