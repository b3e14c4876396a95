/*
 * Shell-like patterns for user names: '*' stands for any bytes (or none), '?' for any one byte, all
 * else for itself in any ASCII case. There is no escape: a name that holds '*' or '?' goes into a
 * map file or an expression. Pure, any thread.
 */
#ifndef IMAPMUX_ROUTE_GLOB_H
#define IMAPMUX_ROUTE_GLOB_H

#include "base/span.h"

/* True when the text holds '*' or '?'. */
bool glob_is_pattern(const char *text);

/*
 * True when the pattern matches the whole name. No recursion, no exponential case: between two stars
 * only the last one is ever retried, so at most pattern length times name length steps are made.
 */
bool glob_match(const char *pattern, struct span name);

#endif
