/*
 * Regular expressions over user names (PCRE2), bounded so that no name can make one run for long.
 *
 * Case is ignored, as in all rules. Bytes are matched, not characters. '$' matches at the very end
 * only: the default of PCRE2 would let "user\n" pass for "user". Compiled once on the main thread,
 * then immutable; regex_match may run on any thread.
 */
#ifndef IMAPMUX_ROUTE_REGEX_H
#define IMAPMUX_ROUTE_REGEX_H

#include "base/span.h"

#define REGEX_GROUPS 10 /* the whole match and $1 to $9 */

/* Steps of the matcher for one name: about a millisecond; sane expressions need a few hundred. */
#define REGEX_MATCH_LIMIT 100000

/* Nested backtracking, and KiB of heap for it: without JIT only. */
#define REGEX_DEPTH_LIMIT 5000
#define REGEX_HEAP_LIMIT  1024

/* Longest text of a reason why an expression was refused. */
#define REGEX_WHY_MAX 160

enum regex_verdict {
	REGEX_NO,
	REGEX_YES,
	REGEX_LIMIT, /* given up: no route may follow from this name */
};

struct regex;

/* NULL with a reason (and the offset) in why[REGEX_WHY_MAX] when the expression is wrong. */
struct regex *regex_create(const char *pattern, char *why);
void regex_destroy(struct regex **r);

/* The number of groups that may be used as $n, $0 included: 1 to REGEX_GROUPS. */
size_t regex_groups(const struct regex *r);

/* groups[REGEX_GROUPS] is filled on REGEX_YES (unset groups are empty) and shows parts of name. */
enum regex_verdict regex_match(const struct regex *r, struct span name, struct span *groups);

/* Bytes that the compiled expression takes. */
size_t regex_memory(const struct regex *r);

#endif
