/*
 * What is known of a client by hearsay, and from whom it is taken.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "session_priv.h"

struct session_origin *session_origin_create(void)
{
	return xcalloc(1, sizeof(struct session_origin));
}

void session_origin_destroy(struct session_origin **o)
{
	struct session_origin *old = *o;
	*o = NULL;
	if (old != NULL) {
		free(old->tls_version);
		free(old->authority);
		free(old->session_id);
		client_id_destroy(&old->id);
		free(old);
	}
}

static char *said(const char *text)
{
	return text[0] != '\0' ? xstrdup(text) : NULL;
}

struct session_origin *session_origin_of(const struct proxy_header *header, const char *via)
{
	struct session_origin *o = session_origin_create();
	int n = snprintf(o->via, sizeof o->via, "%s", via);
	assert(n > 0 && (size_t)n < sizeof o->via);
	(void)n;
	o->is_tls = header->is_tls;
	o->tls_version = said(header->tls_version);
	o->authority = said(header->authority);
	o->session_id = said(header->unique_id);
	return o;
}

bool session_trusts(const struct config_listener *l, const char *address)
{
	return network_has(l->trusted, l->trusted_count, address);
}

const char *session_counted_address(const char *address, bool is_trusted)
{
	/* All clients of a balancer or a webmail come from there: that many are no attack. */
	return is_trusted ? "" : address;
}

/* From here on he is who his proxy says he is, and counted so. */
static enum fail become(struct session *s, const struct stream_name *peer)
{
	struct guard *guard = s->host->guard;
	/* In before out, so that a limit leaves all as it is; in all he is one client as before. */
	enum fail why =
		guard_enter(guard, peer->address, 0, session_config(s)->limits.clients_per_ip);
	if (why != FAIL_NONE) {
		return why;
	}
	guard_leave(guard, session_counted_address(s->peer.address, s->is_trusted));
	if (s->origin->via[0] == '\0') {
		snprintf(s->origin->via, sizeof s->origin->via, "%s", s->peer.address);
	}
	s->peer = *peer;
	s->is_trusted = false;
	return FAIL_NONE;
}

static void take_names(struct session *s, const struct client_id *id, struct stream_name *peer)
{
	struct stream_name local;
	if (!socket_name_parse(id->originating_ip, id->originating_port, peer) &&
		id->originating_ip[0] != '\0') {
		log_say(LOG_WARN, "ID ignored", "x-originating-ip from %s is no address",
			s->peer.address);
	}
	if (socket_name_parse(id->connected_ip, id->connected_port, &local)) {
		s->local = local;
	}
}

bool session_take_id(struct session *s)
{
	struct client_id *id = client_take_id(s->client);
	struct stream_name peer = {0};
	bool is_tls = stream_is_tls(client_stream(s->client));
	if (id == NULL && s->origin != NULL && s->origin->is_id_clear && is_tls) {
		/* Law 5: somebody else may have told it on the way. */
		session_end(s, FAIL_STARTTLS_INJECTED, "an ID in clear, and none behind STARTTLS");
		return false;
	}
	if (id == NULL) {
		return true;
	}
	if (s->origin == NULL) {
		s->origin = session_origin_create();
	}
	/* preauth gives one, and another one behind STARTTLS. */
	client_id_destroy(&s->origin->id);
	s->origin->id = id;
	s->origin->is_id_clear = !is_tls;
	if (id->session_id[0] != '\0') {
		free(s->origin->session_id);
		s->origin->session_id = xstrdup(id->session_id);
	}
	take_names(s, id, &peer);
	enum fail why = peer.address[0] != '\0' ? become(s, &peer) : FAIL_NONE;
	if (why == FAIL_NONE) {
		return true;
	}
	counter_add(s->host->counters, COUNTER_CLIENTS_REFUSED, 1);
	session_log_turned_away(s->host, why, peer.address);
	client_say_bye(s->client, why);
	session_end(s, why, "");
	return false;
}

unsigned session_proxy_ttl(const struct session *s)
{
	const struct client_id *id = s->origin != NULL ? s->origin->id : NULL;
	if (id == NULL || id->proxy_ttl == 0 || id->proxy_ttl > SIGNIN_PROXY_TTL) {
		return SIGNIN_PROXY_TTL;
	}
	return id->proxy_ttl - 1;
}

static const char *text_of(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

struct signin_identity session_identity(const struct session *s)
{
	const struct session_origin *o = s->origin;
	/* One name for all proxies on the way: the first one's. */
	bool has_name =
		o != NULL && o->session_id != NULL && strlen(o->session_id) < CLIENT_ID_TEXT_MAX;
	const struct stream *client = client_stream(s->client);
	bool is_tls = stream_is_tls(client);
	/* A balancer that ends TLS tells what the client spoke with it. */
	const char *front_tls = o == NULL || !o->is_tls ? NULL : text_of(o->tls_version, "TLS");
	const char *front_name = o != NULL ? o->authority : NULL;
	return (struct signin_identity){
		.session_id = has_name ? o->session_id : s->id,
		.client_address = s->peer.address,
		.client_port = s->peer.port,
		.proxy_address = s->local.address,
		.proxy_port = s->local.port,
		.proxy_ttl = session_proxy_ttl(s),
		.client_tls = is_tls ? stream_tls_version(client) : front_tls,
		.client_server_name = is_tls ? stream_tls_server_name(client) : front_name,
		.pairs = s->id_pairs,
	};
}
