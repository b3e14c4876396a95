/*
 * Login templates: under which name a user signs in at his server.
 *
 * %u is the whole name as the client wrote it, %n what stands before the last @ (the whole name when
 * there is none), %d what stands behind it, %% a percent sign; $0 to $9 are the groups of the rule's
 * expression, $$ a dollar sign. Other text stands for itself. The last @ and not the first, so that
 * "*@example.org" and %d mean the same domain. Pure, any thread.
 */
#ifndef IMAPMUX_ROUTE_LOGIN_H
#define IMAPMUX_ROUTE_LOGIN_H

#include "base/span.h"

#define LOGIN_GROUPS 10

/* A longer name is refused by every server; a template could make one from a short name. */
#define LOGIN_MAX 1024

/*
 * Checks a template. groups: how many $n there are (0: the rule is no expression). False with a
 * static reason in *why.
 */
bool login_check(struct span form, size_t groups, const char **why);

/*
 * The login name, owned by the caller (free). An empty template gives the user name. groups points to
 * LOGIN_GROUPS spans (unset ones empty), or is NULL where the template was checked for none. NULL:
 * the result is empty or longer than LOGIN_MAX. user has no NUL.
 */
char *login_expand(struct span form, struct span user, const struct span *groups);

#endif
