/*
 * Patterns of rules and the names of strangers: the first line is the pattern, the second the login
 * template, the rest the user name. Globs are compared with their definition.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "route/glob.h"
#include "route/login.h"
#include "route/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Longer ones would take the table below too long. */
#define LENGTH_MAX 256

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Row by row: reaches[j] tells whether the pattern so far can take the first j bytes. */
static bool truth(const char *pattern, struct span name)
{
	bool reaches[LENGTH_MAX + 1] = {true};
	for (const char *p = pattern; *p != '\0'; p++) {
		bool before = reaches[0];
		reaches[0] = before && *p == '*';
		for (size_t j = 1; j <= name.n; j++) {
			bool here = reaches[j];
			bool is_same = *p == '?' || lower((uint8_t)*p) == lower(name.p[j - 1]);
			reaches[j] = *p == '*' ? here || reaches[j - 1] : before && is_same;
			before = here;
		}
	}
	return reaches[name.n];
}

static void try_login(struct span form, struct span name, size_t count, const struct span *groups)
{
	const char *why;
	if (!login_check(form, count, &why)) {
		return;
	}
	char *login = login_expand(form, name, groups);
	if (login != NULL) {
		size_t n = strlen(login);
		assert(n > 0 && n <= LOGIN_MAX);
	}
	free(login);
}

static void try_regex(const char *pattern, struct span form, struct span name)
{
	char why[REGEX_WHY_MAX];
	struct span groups[REGEX_GROUPS];
	struct regex *r = regex_create(pattern, why);
	if (r == NULL) {
		assert(memchr(why, '\0', sizeof why) != NULL);
		return;
	}
	if (regex_match(r, name, groups) == REGEX_YES) {
		for (size_t i = 0; i < REGEX_GROUPS; i++) {
			assert(groups[i].n == 0 ||
				(groups[i].p >= name.p &&
					groups[i].p + groups[i].n <= name.p + name.n));
		}
		try_login(form, name, regex_groups(r), groups);
	}
	regex_destroy(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char pattern[LENGTH_MAX];
	struct span rest = span_of(data, size);
	struct span first = span_take_until(&rest, "\n");
	(void)span_take(&rest, '\n');
	struct span form = span_take_until(&rest, "\n");
	(void)span_take(&rest, '\n');
	/* Names with NUL have no route, and a file has no NUL in it. */
	if (first.n >= sizeof pattern || rest.n > LENGTH_MAX || memchr(data, '\0', size) != NULL) {
		return 0;
	}
	if (first.n > 0) {
		memcpy(pattern, first.p, first.n);
	}
	pattern[first.n] = '\0';
	assert(glob_match(pattern, rest) == truth(pattern, rest));
	try_login(form, rest, 0, NULL);
	if (rest.n > 0) {
		try_regex(pattern, form, rest);
	}
	return 0;
}
