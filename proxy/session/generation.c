/*
 * Making ready is one pass in which everything is tried, so that an operator sees all errors of the
 * file, the map and every certificate at once. Only a configuration that could not be parsed ends it
 * early: there is nothing to look at then.
 */
#include "session/generation.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/refs.h"
#include "session_priv.h"

static bool make_backend_tls(struct generation *g, struct config_errors *errors)
{
	const struct config *c = g->config;
	bool all_good = true;
	g->backend_tls = xcalloc(c->backend_count, sizeof(struct tls_context *));
	for (size_t i = 0; i < c->backend_count; i++) {
		if (c->backends[i].tls == TLS_NONE) {
			continue;
		}
		g->backend_tls[i] = tls_context_create_client(&c->backends[i], errors);
		all_good = all_good && g->backend_tls[i] != NULL;
	}
	return all_good;
}

static bool make_server_tls(struct generation *g, struct config_errors *errors)
{
	if (g->config->tls.certificate_count == 0) {
		return true; /* config_load saw to it that no listener asks for TLS */
	}
	g->server_tls = tls_context_create_server(g->config, errors);
	return g->server_tls != NULL;
}

struct generation *generation_create(
	const char *file, unsigned number, struct config_errors *errors)
{
	assert(number > 0);
	size_t errors_before = errors->count;
	struct config *config = config_load_to_check(file, errors);
	if (config == NULL) {
		assert(errors->count > errors_before);
		return NULL;
	}
	struct generation *g = xcalloc(1, sizeof *g);
	g->refs = 1;
	g->number = number;
	g->config = config;
	g->routes = route_table_create(config, errors);
	bool is_good = g->routes != NULL;
	is_good = session_forward_check(config, errors) && is_good;
	is_good = make_server_tls(g, errors) && is_good;
	is_good = make_backend_tls(g, errors) && is_good;
	g->auth = auth_store_create(config, errors);
	is_good = g->auth != NULL && is_good;
	if (!is_good || errors->count > errors_before) {
		assert(errors->count > errors_before);
		generation_unref(&g);
	}
	return g;
}

struct generation *generation_ref(struct generation *g)
{
	refs_take(&g->refs);
	return g;
}

void generation_unref(struct generation **g)
{
	struct generation *old = *g;
	*g = NULL;
	if (old == NULL || !refs_drop(&old->refs)) {
		return;
	}
	for (size_t i = 0; i < old->config->backend_count; i++) {
		tls_context_unref(&old->backend_tls[i]);
	}
	free(old->backend_tls);
	tls_context_unref(&old->server_tls);
	auth_store_unref(&old->auth);
	route_table_destroy(&old->routes); /* before the configuration, which it points into */
	config_unref(&old->config);
	free(old);
}
