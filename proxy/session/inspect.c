/*
 * Sessions as rows. Whoever waits for a connection is found here too: the pool knows loans, a session knows
 * since when its client waits.
 */
#include "session/inspect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "session_priv.h"

static_assert(INSPECT_ID_LEN == SESSION_ID_LEN, "an id fits");

void inspect_query_init(
	struct inspect_query *q, enum inspect_kind kind, const char *server, const char *who)
{
	*q = (struct inspect_query){.kind = kind, .server = xstrdup(server), .who = xstrdup(who)};
}

void inspect_query_finish(struct inspect_query *q)
{
	free(q->server);
	free(q->who);
	*q = (struct inspect_query){0};
}

/* Clients. */

static bool is_signed_in(const struct session *s)
{
	enum client_state state = client_state(s->client);
	return s->linked_ms != 0 && (state == CLIENT_LINKED || state == CLIENT_DRAINING);
}

static const char *server_name(const struct session *s)
{
	assert(s->has_route);
	return session_config(s)->backends[s->route.backend].name;
}

static void add_session(const struct session *s, struct inspect_client *row)
{
	uint64_t now = net_loop_now(s->host->loop);
	row->is_signed_in = true;
	row->is_attached = s->server != NULL;
	row->is_pooled = s->is_reused;
	row->session_ms = now - s->linked_ms;
	row->idle_ms = now - s->active_ms;
	row->bytes_to_client = s->bytes_to_client;
	row->bytes_to_server = s->bytes_to_server;
}

static void add_client(const struct session *s, struct inspect_client *row)
{
	const struct stream *stream = client_stream(s->client);
	*row = (struct inspect_client){
		.worker = s->host->worker,
		.state = client_state_name(client_state(s->client)),
		.tls = stream_is_tls(stream) ? stream_tls_version(stream) : "",
		.peer = s->peer,
		.listener = xstrdup(session_config(s)->listeners[s->listener].text),
		.age_ms = net_loop_now(s->host->loop) - s->accepted_ms,
		.user = s->user != NULL ? xstrdup(s->user) : NULL,
	};
	memcpy(row->id, s->id, sizeof row->id);
	if (s->has_route) {
		row->login = xstrdup(s->route.login);
		row->server = xstrdup(server_name(s));
	}
	if (is_signed_in(s)) {
		add_session(s, row);
	}
}

/* What was carried to another worker, or refused at once, is no client any more. */
static bool is_counted(const struct session *s)
{
	return s->client != NULL && s->peer.address[0] != '\0';
}

static void add_clients(const struct session_host *h, struct inspect_report *out)
{
	out->clients = xcalloc(h->sessions.len, sizeof out->clients[0]);
	for (struct list_node *n = h->sessions.first; n != NULL; n = n->next) {
		const struct session *s = LIST_OBJECT(n, struct session, node);
		if (is_counted(s)) {
			add_client(s, &out->clients[out->client_count++]);
		}
	}
	assert(out->client_count <= h->sessions.len);
}

/* Servers. */

static void add_waiting(const struct session_host *h, struct pool_report *out)
{
	for (struct list_node *n = h->sessions.first; n != NULL; n = n->next) {
		const struct session *s = LIST_OBJECT(n, struct session, node);
		if (s->is_ended || s->loan == NULL || !loan_is_waiting(s->loan)) {
			continue;
		}
		uint64_t waits = net_loop_now(h->loop) - s->asked_ms;
		struct pool_server_row *row = pool_report_server(out, span_str(server_name(s)));
		row->waiting++;
		row->longest_wait_ms = waits > row->longest_wait_ms ? waits : row->longest_wait_ms;
	}
}

/* Kick. */

static bool is_meant(const struct session *s, struct span who)
{
	return span_is(who, s->id) || (s->user != NULL && span_is_nocase(who, s->user)) ||
	       (s->has_route && span_is_nocase(who, s->route.login));
}

static void kick(struct session *s)
{
	if (s->tracker == NULL) {
		client_say_bye(s->client, FAIL_KICKED);
	}
	session_end(s, FAIL_KICKED, "");
}

static size_t kick_all(struct session_host *h, struct span who)
{
	size_t kicked = 0;
	LIST_FOREACH_SAFE(node, &h->sessions)
	{
		struct session *s = LIST_OBJECT(node, struct session, node);
		if (!s->is_ended && is_meant(s, who)) {
			kick(s);
			kicked++;
		}
	}
	return kicked;
}

/* Flush. */

static void flush_login(
	struct session_host *h, const char *server, const char *login, struct inspect_report *out)
{
	struct pool_flushed done = pool_flush(h->pool, server, login);
	out->done += done.connections;
	out->forgotten += done.credentials;
}

/* An operator may name a user as the server knows him, or as his client does. */
static void flush(
	struct session_host *h, const char *server, const char *who, struct inspect_report *out)
{
	struct route route;
	flush_login(h, server, who, out);
	if (who == NULL || !route_find(h->generation->routes, span_str(who), &route)) {
		return;
	}
	const char *home = h->generation->config->backends[route.backend].name;
	bool is_meant = server == NULL || strcmp(server, home) == 0;
	if (is_meant && strcmp(route.login, who) != 0) {
		flush_login(h, home, route.login, out);
	}
	route_finish(&route);
}

static const char *named(const char *name)
{
	return name[0] != '\0' ? name : NULL;
}

void session_host_inspect(
	struct session_host *h, const struct inspect_query *q, struct inspect_report *out)
{
	assert(out->clients == NULL && out->done == 0);
	switch (q->kind) {
	case INSPECT_CLIENTS:
		add_clients(h, out);
		break;
	case INSPECT_POOL:
		pool_inspect(h->pool, false, &out->pool);
		add_waiting(h, &out->pool);
		break;
	case INSPECT_USERS:
		pool_inspect(h->pool, true, &out->pool);
		add_clients(h, out);
		break;
	case INSPECT_KICK:
		assert(q->who[0] != '\0');
		out->done = kick_all(h, span_str(q->who));
		break;
	case INSPECT_FLUSH:
		flush(h, named(q->server), named(q->who), out);
		break;
	}
}

/* Reports. */

void inspect_report_merge(struct inspect_report *to, struct inspect_report *from)
{
	size_t count = to->client_count + from->client_count;
	if (from->client_count > 0) {
		to->clients = xrealloc(to->clients, count * sizeof to->clients[0]);
		memcpy(to->clients + to->client_count, from->clients,
			from->client_count * sizeof from->clients[0]);
		to->client_count = count;
		from->client_count = 0; /* their strings have moved */
	}
	pool_report_merge(&to->pool, &from->pool);
	to->done += from->done;
	to->forgotten += from->forgotten;
	inspect_report_finish(from);
}

void inspect_report_finish(struct inspect_report *r)
{
	for (size_t i = 0; i < r->client_count; i++) {
		free(r->clients[i].listener);
		free(r->clients[i].user);
		free(r->clients[i].login);
		free(r->clients[i].server);
	}
	free(r->clients);
	pool_report_finish(&r->pool);
	*r = (struct inspect_report){0};
}
