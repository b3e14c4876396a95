/*
 * The user map: which server a user lives on and under which name he signs in there.
 *
 * Built on the main thread from a configuration (map files read, expressions compiled), then
 * immutable and shared by all workers. Rules are tried in the order of the file; the first match
 * wins. A lookup costs constant time for exact names and map files whatever their size, and one
 * test for each glob or expression before the match.
 */
#ifndef IMAPMUX_ROUTE_TABLE_H
#define IMAPMUX_ROUTE_TABLE_H

#include "base/span.h"
#include "config/config.h"

/* A user name longer than this has no route: no server takes one, and patterns stay cheap. */
#define ROUTE_USER_MAX 1024

struct route_table;

struct route {
	size_t backend; /* index into config.backends */
	size_t rule;    /* index into config.rules */
	const char
		*where; /* text of the rule for the log ("*@example.org"); lives with the table */
	unsigned line;  /* line of the map file `where`; 0: the rule is no file */
	char *login;    /* name at the server; owned, freed by route_finish */
};

/* Reads and compiles everything. NULL: errors has the reasons. The config must outlive the table. */
struct route_table *route_table_create(const struct config *c, struct config_errors *errors);
void route_table_destroy(struct route_table **t);

/*
 * Finds the route of a user; case is ignored in all rules, the login keeps it as the client wrote it.
 * False, and *out untouched: no rule matches, or the name is not routable (empty, NUL inside, too
 * long, a match limit was hit, its login name would be empty or too long). Any thread.
 */
bool route_find(const struct route_table *t, struct span user, struct route *out);
void route_finish(struct route *r);

/* True when a rule, or a line of a map file, leads to the backend, itself or in a group. */
bool route_table_leads_to(const struct route_table *t, size_t backend);

/* Bytes that the table takes, map files included. */
size_t route_table_memory(const struct route_table *t);

#endif
