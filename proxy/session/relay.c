/*
 * Two pumps through the tracker.
 *
 * Each side's bytes go through imap/tracker to the other side's stream. A pump stops reading when the
 * other side has more than the high-water mark to write, and goes on when that has fallen to the low
 * one; so a session's memory is bounded whatever the peers do. What the tracker cannot take yet (it
 * waits for the server's word on a literal) stays unread in the client's stream.
 */
#include "session_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

static void to_client(void *owner, struct span bytes)
{
	struct session *s = owner;
	s->bytes_to_client += bytes.n;
	counter_add(s->host->counters, COUNTER_BYTES_TO_CLIENTS, bytes.n);
	stream_write(client_stream(s->client), bytes);
}

static void to_server(void *owner, struct span bytes)
{
	struct session *s = owner;
	s->bytes_to_server += bytes.n;
	counter_add(s->host->counters, COUNTER_BYTES_TO_SERVERS, bytes.n);
	stream_write(s->server, bytes);
}

static struct tracker_sink relay_sink(struct session *s)
{
	return (struct tracker_sink){.owner = s, .to_client = to_client, .to_server = to_server};
}

/* s may be NULL: not attached. */
static bool is_full(const struct stream *s)
{
	return s != NULL && stream_pending(s) > STREAM_HIGH_WATER;
}

bool session_can_end_now(const struct session *s)
{
	return tracker_is_quiet(s->tracker) || tracker_is_idling(s->tracker);
}

static void after_pump(struct session *s)
{
	if (client_state(s->client) == CLIENT_DRAINING && session_can_end_now(s)) {
		session_end(s, FAIL_SHUTDOWN, "");
	} else {
		session_give_back_if_quiet(s);
	}
}

size_t session_client_data(void *owner, struct span in)
{
	struct session *s = owner;
	size_t given = in.n;
	if (s->is_ended) {
		return given;
	}
	struct tracker_sink sink = relay_sink(s);
	s->active_ms = net_loop_now(s->host->loop);
	switch (tracker_client(s->tracker, &in, &sink)) {
	case TRACKER_LOGOUT:
		session_end(s, FAIL_LOGOUT, "");
		return given;
	case TRACKER_FAILED:
		session_end(s, tracker_failure(s->tracker), "");
		return given;
	case TRACKER_ATTACH:
		stream_pause(client_stream(s->client));
		session_attach(s);
		break;
	case TRACKER_MORE:
	case TRACKER_BLOCKED:
	case TRACKER_UNBLOCKED:
	case TRACKER_SERVER_BYE:
		break;
	}
	if (is_full(s->server) || is_full(client_stream(s->client))) {
		stream_pause(client_stream(s->client));
	}
	after_pump(s);
	return s->is_ended ? given : given - in.n;
}

/* The server may be read again, and the client too unless its output would have nowhere to go. */
static void resume_client(struct session *s)
{
	if (!is_full(s->server) && !is_full(client_stream(s->client))) {
		stream_resume(client_stream(s->client));
	}
}

void session_client_drained(void *owner)
{
	struct session *s = owner;
	if (s->is_ended) {
		return;
	}
	if (s->server != NULL) {
		stream_resume(s->server);
	}
	resume_client(s);
}

static size_t on_server_data(void *owner, struct span in)
{
	struct session *s = owner;
	size_t given = in.n;
	struct tracker_sink sink = relay_sink(s);
	s->active_ms = net_loop_now(s->host->loop);
	switch (tracker_server(s->tracker, &in, &sink)) {
	case TRACKER_LOGOUT:
		/* Bytes behind the last answer: the pool, whose stream it is now, looks at them. */
		session_end(s, FAIL_LOGOUT, "");
		return given - in.n;
	case TRACKER_FAILED:
		session_end(s, tracker_failure(s->tracker), "");
		return given;
	case TRACKER_SERVER_BYE:
		s->has_server_bye = true;
		break;
	case TRACKER_UNBLOCKED:
		resume_client(s);
		break;
	case TRACKER_MORE:
	case TRACKER_BLOCKED:
	case TRACKER_ATTACH:
		break;
	}
	if (is_full(client_stream(s->client))) {
		stream_pause(s->server);
	}
	after_pump(s);
	return given;
}

static void on_server_drained(void *owner)
{
	struct session *s = owner;
	resume_client(s);
}

static void on_server_eof(void *owner)
{
	session_end(owner, FAIL_SERVER_LEFT, "");
}

static void on_server_failed(void *owner, enum fail why, const char *detail)
{
	session_end(owner, why, detail);
}

static void on_unexpected(void *owner)
{
	/* A lent stream is open, and it is closed only by the pool, which then gets the event. */
	(void)owner;
	assert(!"event of a stream that is not ours");
}

static const struct stream_events server_events = {
	.on_open = on_unexpected,
	.on_data = on_server_data,
	.on_drained = on_server_drained,
	.on_eof = on_server_eof,
	.on_failed = on_server_failed,
	.on_closed = on_unexpected,
};

static void answer_signin(
	struct session *s, struct capability_policy policy, struct span capabilities)
{
	struct listing *list = listing_get(s->host->listings, &policy, capabilities);
	bool is_told = policy.tells_reuse && s->is_reused;
	client_accept(
		s->client, listing_told(list), is_told ? "[XPROXYREUSE] Logged in" : "Logged in");
	listing_unref(&list);
}

void session_use_loan(struct session *s)
{
	s->server = loan_stream(s->loan);
	stream_set_owner(s->server, &server_events, s);
	stream_resume(s->server);
}

/* A copy: the pool forgets its own, or learns another, while the session lives. */
static void learn_server_id(struct session *s)
{
	assert(s->server_id == NULL && s->has_route);
	const struct config_backend *server = &session_config(s)->backends[s->route.backend];
	const char *id = pool_server_id(s->host->pool, server);
	s->server_id = id != NULL ? xstrdup(id) : NULL;
}

void session_link(struct session *s, struct span capabilities)
{
	const struct config *c = session_config(s);
	struct capability_policy policy = session_policy(s);
	bool is_attached = s->loan != NULL;
	counter_add(s->host->counters, COUNTER_SIGNINS_OK, 1);
	answer_signin(s, policy, capabilities);
	learn_server_id(s);
	s->tracker = tracker_create(&(struct tracker_options){
		.capabilities = policy,
		.server_capabilities = capabilities,
		.listings = s->host->listings,
		.server_id = s->server_id,
		.max_line = c->limits.line,
		.is_attached = is_attached,
		.proxy_tag = is_attached ? loan_proxy_tag(s->loan) : NULL,
		.enabled = is_attached ? loan_enabled(s->loan) : (struct span){0},
	});
	if (is_attached) {
		session_use_loan(s);
	}
	s->linked_ms = net_loop_now(s->host->loop);
	s->active_ms = s->linked_ms;
	session_arm_look(s);
	session_log_signin(s);
	if (s->host->is_draining) {
		client_drain(s->client);
	}
	after_pump(s);
}
