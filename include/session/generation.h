/*
 * Everything that one reading of the configuration made: the snapshot, the user map, the TLS contexts.
 *
 * Built and checked as a whole on the main thread, then immutable, counted, and handed to the workers.
 * A session keeps the generation it began under until it ends; the last one to let go frees it.
 */
#ifndef IMAPMUX_SESSION_GENERATION_H
#define IMAPMUX_SESSION_GENERATION_H

#include "auth/store.h"
#include "base/hash.h"
#include "config/config.h"
#include "net/tls_context.h"
#include "route/table.h"

struct generation {
	_Atomic unsigned refs;
	unsigned number; /* 1 for the first, counted up by each reload */
	struct config *config;
	struct route_table *routes;
	struct auth_store *auth;          /* for sign-ins that end here */
	struct tls_context *server_tls;   /* NULL: no certificate configured */
	struct tls_context **backend_tls; /* by backend index; NULL where tls = "none" */
};

/* Reads the file and makes everything ready. NULL: errors has the lines. The caller owns one reference. */
struct generation *generation_create(
	const char *file, unsigned number, struct config_errors *errors);

/* Any thread. unref nulls the pointer; frees with the last reference. */
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation **g);

#endif
