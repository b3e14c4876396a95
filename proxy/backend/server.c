/*
 * The servers that this worker's pool knows: those of the configuration, and those that a reload took
 * away but that still have users or connections.
 */
#include <assert.h>
#include <stdlib.h>

#include "backend/budget.h"
#include "backend_priv.h"
#include "base/alloc.h"

/* Paths and names of a configuration. */
enum { IDENTITY_MAX = 65536 };

/* Everything that makes a server that server, as text. */
static char *identity_of(const struct config_backend *c)
{
	const struct address *a = &c->address;
	const char *place = a->kind == ADDRESS_UNIX ? a->path : a->host;
	struct buf identity;
	buf_init(&identity, IDENTITY_MAX);
	const char *oldest = c->min_version != NULL ? c->min_version : "";
	bool fits = buf_addf(&identity, "%s|%d|%s|%u|%d|%s|%d|%s|%s|%u", c->name, (int)a->kind,
		place, a->port, (int)c->tls, c->ca, c->verify, c->server_name, oldest,
		c->send_proxy);
	/* A cut identity could stand for two servers. */
	if (!fits) {
		abort();
	}
	char *text = xmemdup0(buf_peek(&identity).p, buf_len(&identity));
	buf_finish(&identity);
	return text;
}

static struct pool_server *make_server(
	struct pool *p, char *identity, const struct config_backend *config)
{
	struct pool_server *s = xcalloc(1, sizeof *s);
	s->pool = p;
	s->identity = identity;
	s->name = xstrdup(config->name);
	s->max_connections = config->max_connections;
	s->place = budget_enter(p->budget, identity);
	spare_init(s);
	probe_init(s);
	list_push_back(&p->servers, &s->node);
	return s;
}

static void drop(struct pool_server *s)
{
	assert(s->turns.len == 0 && s->leaving == 0 && s->caps.len == 0);
	net_loop_disarm(s->pool->loop, &s->refill);
	net_loop_disarm(s->pool->loop, &s->probe);
	list_remove(&s->node);
	budget_leave(s->pool->budget, &s->place);
	free(s->identity);
	free(s->name);
	free(s->id);
	free(s);
}

struct pool_server *server_ref(struct pool_server *s)
{
	s->refs++;
	return s;
}

void server_unref(struct pool_server *s)
{
	assert(s->refs > 0);
	if (--s->refs == 0) {
		drop(s);
	}
}

static struct pool_server *find(const struct pool *p, const char *identity)
{
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		if (strcmp(s->identity, identity) == 0) {
			return s;
		}
	}
	return NULL;
}

/* The one that a configuration in force names, without comparing texts: each sign-in asks. NULL: the
 * configuration is an old one, or a new one. */
static struct pool_server *find_configured(
	const struct pool *p, const struct config_backend *config)
{
	LIST_FOREACH_SAFE(node, &p->servers)
	{
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		if (s->config == config) {
			return s;
		}
	}
	return NULL;
}

struct pool_server *server_find(struct pool *p, const struct config_backend *config)
{
	struct pool_server *configured = find_configured(p, config);
	if (configured != NULL) {
		return server_ref(configured);
	}
	char *identity = identity_of(config);
	struct pool_server *s = find(p, identity);
	if (s == NULL) {
		return server_ref(make_server(p, identity, config));
	}
	free(identity);
	return server_ref(s);
}

static const struct pool_server *find_any(const struct pool *p, const struct config_backend *config)
{
	const struct pool_server *s = find_configured(p, config);
	if (s == NULL) {
		char *identity = identity_of(config);
		s = find(p, identity);
		free(identity);
	}
	return s;
}

const char *pool_server_id(const struct pool *p, const struct config_backend *server)
{
	const struct pool_server *s = find_any(p, server);
	return s != NULL ? s->id : NULL;
}

const struct config_backend *pool_newest(const struct pool *p, const struct config_backend *server)
{
	const struct pool_server *s = find_any(p, server);
	return s != NULL ? s->config : NULL;
}

void server_learn_id(struct pool_server *s, struct span id)
{
	if (id.n > 0 && (s->id == NULL || !span_is(id, s->id))) {
		free(s->id);
		s->id = xmemdup0(id.p, id.n);
	}
}

/* A reference is held for as long as it is configured. */
static void unconfigure(struct pool_server *s)
{
	if (s->config == NULL) {
		return;
	}
	s->config = NULL;
	tls_context_unref(&s->tls);
	spare_configure(s);
	probe_plan(s);
	server_unref(s);
}

void servers_forget(struct pool *p)
{
	LIST_FOREACH_SAFE(node, &p->servers)
	{
		unconfigure(LIST_OBJECT(node, struct pool_server, node));
	}
}

static void configure(
	struct pool_server *s, const struct config_backend *config, struct tls_context *tls)
{
	if (s->config == NULL) {
		server_ref(s);
	}
	s->config = config;
	s->max_connections = config->max_connections;
	tls_context_unref(&s->tls);
	s->tls = tls != NULL ? tls_context_ref(tls) : NULL;
	spare_configure(s);
	probe_plan(s);
}

static bool is_among(const struct pool_server *s, struct pool_server *const *kept, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (kept[i] == s) {
			return true;
		}
	}
	return false;
}

void servers_configure(struct pool *p, struct tls_context *const *tls)
{
	const struct config *c = p->config;
	struct pool_server **kept = xcalloc(c->backend_count, sizeof(void *));
	for (size_t i = 0; i < c->backend_count; i++) {
		kept[i] = server_find(p, &c->backends[i]);
		configure(kept[i], &c->backends[i], tls != NULL ? tls[i] : NULL);
	}
	LIST_FOREACH_SAFE(node, &p->servers)
	{
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		if (!is_among(s, kept, c->backend_count)) {
			unconfigure(s);
		}
	}
	for (size_t i = 0; i < c->backend_count; i++) {
		server_unref(kept[i]);
	}
	free(kept);
}
