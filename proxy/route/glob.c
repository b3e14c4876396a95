/*
 * Two cursors and one place to resume from. Shell matchers that recurse at each star take exponential
 * time on names that a stranger picks; this one forgets all stars but the last.
 */
#include "route/glob.h"

#include <assert.h>

static uint8_t lower(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool is_same(char pattern, uint8_t c)
{
	return pattern == '?' || lower((uint8_t)pattern) == lower(c);
}

bool glob_is_pattern(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}

bool glob_match(const char *pattern, struct span name)
{
	const char *p = pattern;
	const char *star = NULL; /* the last one seen */
	size_t i = 0;
	size_t resume = 0; /* where that star's bytes end so far */
	while (i < name.n) {
		if (*p == '*') {
			star = p++;
			resume = i;
		} else if (*p != '\0' && is_same(*p, name.p[i])) {
			p++;
			i++;
		} else if (star != NULL) {
			/* What an earlier star took need not be reconsidered: the parts between two
			 * stars are found leftmost, which leaves the most for the rest. */
			p = star + 1;
			i = ++resume;
		} else {
			return false;
		}
	}
	assert(i == name.n);
	while (*p == '*') {
		p++;
	}
	return *p == '\0';
}
