/*
 * The object "session" from accept to the last close.
 *
 * Happy path: session_accept, the client signs in (client/client.c), session_admit (admission.c: carry to
 * the home worker, route, loan), session_link (relay.c), LOGOUT, session_end, the loan goes back, the
 * client's on_closed frees the session.
 * Failure ways: everything ends in session_end, once, with a failure code.
 */
#include "judge_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/probe.h"
#include "base/alloc.h"
#include "base/hash.h"

static void on_timer(void *owner);

static struct session *make_session(
	struct session_host *h, struct generation *generation, size_t listener)
{
	struct session *s = xcalloc(1, sizeof *s);
	s->host = h;
	s->generation = generation;
	s->listener = listener;
	wheel_timer_init(&s->timer, on_timer, s);
	wheel_timer_init(&s->quiet, session_on_quiet, s);
	list_push_back(&h->sessions, &s->node);
	return s;
}

static void free_session(struct session *s)
{
	struct session_host *h = s->host;
	assert(s->loan == NULL && s->tracker == NULL);
	net_loop_disarm(h->loop, &s->timer);
	list_remove(&s->node);
	session_forget_user(s);
	free(s->server_id);
	session_origin_destroy(&s->origin);
	generation_unref(&s->generation);
	free(s);
	session_host_left(h);
}

void session_arm_look(struct session *s)
{
	/* Bytes only store the time; looking at it once a period is cheaper than a timer a byte. */
	uint64_t limit = session_config(s)->limits.idle_timeout;
	uint64_t idle = net_loop_now(s->host->loop) - s->active_ms;
	uint64_t left = idle < limit ? limit - idle : 0;
	net_loop_arm(s->host->loop, &s->timer, left < SESSION_LOOK_MS ? left : SESSION_LOOK_MS);
}

static void on_timer(void *owner)
{
	struct session *s = owner;
	if (s->refusal != NULL) {
		session_refuse(s, span_str(s->refusal));
		return;
	}
	uint64_t limit = session_config(s)->limits.idle_timeout;
	uint64_t idle = net_loop_now(s->host->loop) - s->active_ms;
	if (idle >= limit) {
		session_end(s, FAIL_IDLE_TIMEOUT, "");
	} else if (idle >= SESSION_LOOK_MS && stream_peer_has_left(client_stream(s->client))) {
		/* He is not read while the server has to answer first, which it may never do. */
		session_end(s, FAIL_CLIENT_LEFT, "");
	} else {
		session_arm_look(s);
	}
}

static void on_credentials(void *owner)
{
	struct session *s = owner;
	/* Before he is judged: he fails, and waits for it, as whom his proxy names. */
	if (session_take_id(s) && !session_judge(s)) {
		session_admit(s);
	}
}

/* Not of the generation that the session began under: what was learnt belongs to the newest. */
static struct span offered(void *owner)
{
	const struct session *s = owner;
	return pool_offered(s->host->pool, s->host->generation->routes);
}

static void on_gone(void *owner, enum fail why, const char *detail)
{
	session_end(owner, why, detail);
}

/* Counts the client out. */
static void leave(struct session *s)
{
	guard_leave(s->host->guard, session_counted_address(s->peer.address, s->is_trusted));
}

static void on_closed(void *owner)
{
	struct session *s = owner;
	s->client = NULL;
	if (s->peer.address[0] != '\0') {
		leave(s);
	}
	free_session(s);
}

const struct client_events session_client_events = {
	.mechanisms = session_mechanisms,
	.offered = offered,
	.on_credentials = on_credentials,
	.on_response = session_on_response,
	.on_cancelled = session_on_cancelled,
	.on_movable = session_on_movable,
	.on_data = session_client_data,
	.on_drained = session_client_drained,
	.on_gone = on_gone,
	.on_closed = on_closed,
};

static void make_id(struct session *s)
{
	struct hash_key random = hash_key_random();
	snprintf(s->id, sizeof s->id, "%016llx", (unsigned long long)random.k0);
}

static struct client_options client_options(const struct session *s)
{
	const struct config *c = session_config(s);
	const struct config_listener *l = &c->listeners[s->listener];
	return (struct client_options){
		.tls = l->tls == TLS_NONE ? NULL : s->generation->server_tls,
		.mode = l->tls,
		/* config/check.c let no tls = "none" pass elsewhere than on loopback, unless insecure. */
		.may_sign_in_clear = l->tls == TLS_NONE || l->insecure,
		.trusts_id = s->is_trusted,
		.capabilities = session_policy(s),
		.limits = &c->limits,
	};
}

static struct session_arrival arrival_of(struct session_host *h, int fd, size_t listener)
{
	struct session_arrival a = {
		.generation = generation_ref(h->generation),
		.listener = listener,
		.accepted_ms = net_loop_now(h->loop),
		.peer = socket_peer_name(fd),
		.local = socket_local_name(fd),
	};
	if (a.peer.address[0] == '\0') {
		/* Gone already; the kernel has forgotten who it was. It counts like the others. */
		snprintf(a.peer.address, sizeof a.peer.address, SESSION_PEER_UNKNOWN);
	}
	return a;
}

void session_accept(struct session_host *h, int fd, size_t listener)
{
	assert(listener < h->generation->config->listener_count);
	struct session_arrival arrival = arrival_of(h, fd, listener);
	if (h->generation->config->listeners[listener].proxy_protocol) {
		intake_begin(h, fd, &arrival);
	} else {
		session_begin(h, fd, &arrival);
	}
}

/* Counts the client in. */
static enum fail enter(struct session *s, const struct stream_name *peer)
{
	const struct config_limits *limits = &session_config(s)->limits;
	enum fail why =
		guard_enter(s->host->guard, session_counted_address(peer->address, s->is_trusted),
			limits->clients, limits->clients_per_ip);
	if (why == FAIL_NONE) {
		s->peer = *peer; /* set: counted in */
	}
	return why;
}

void session_begin(struct session_host *h, int fd, struct session_arrival *arrival)
{
	struct session *s = make_session(h, arrival->generation, arrival->listener);
	s->is_trusted =
		session_trusts(&session_config(s)->listeners[s->listener], arrival->peer.address);
	struct client_options options = client_options(s);
	s->origin = arrival->origin;
	s->client = client_create(h->loop, fd, &options, &session_client_events, s);
	if (s->client == NULL) {
		free_session(s);
		return;
	}
	make_id(s);
	s->accepted_ms = arrival->accepted_ms;
	s->local = arrival->local;
	enum fail why = enter(s, &arrival->peer);
	if (why != FAIL_NONE) {
		counter_add(h->counters, COUNTER_CLIENTS_REFUSED, 1);
		session_log_turned_away(h, why, arrival->peer.address);
		client_say_bye(s->client, why);
		s->is_ended = true;
		client_close(s->client, CLIENT_LINGER_MS);
		return;
	}
	counter_add(h->counters, COUNTER_CLIENTS_ACCEPTED, 1);
}

void session_adopt(struct session_host *h, struct session_parcel *parcel)
{
	if (h->is_draining) {
		session_parcel_drop(parcel);
		return;
	}
	struct session *s = make_session(h, parcel->generation, parcel->listener);
	s->accepted_ms = parcel->accepted_ms;
	s->peer = parcel->peer;
	s->local = parcel->local;
	s->origin = parcel->origin;
	s->is_trusted = parcel->is_trusted;
	memcpy(s->id, parcel->id, sizeof s->id);
	s->client = client_unpack(h->loop, &parcel->client, &session_client_events, s);
	free(parcel);
	if (s->client == NULL) {
		leave(s);
		free_session(s);
		return;
	}
	counter_add(h->counters, COUNTER_CARRIED, 1);
	session_admit(s);
}

void session_parcel_drop(struct session_parcel *parcel)
{
	client_parcel_drop(&parcel->client);
	guard_leave(
		parcel->guard, session_counted_address(parcel->peer.address, parcel->is_trusted));
	session_origin_destroy(&parcel->origin);
	generation_unref(&parcel->generation);
	free(parcel);
}

struct list_node *session_parcel_node(struct session_parcel *parcel)
{
	return &parcel->node;
}

struct session_parcel *session_parcel_of(struct list_node *node)
{
	return LIST_OBJECT(node, struct session_parcel, node);
}

void session_end(struct session *s, enum fail why, const char *detail)
{
	if (s->is_ended) {
		return;
	}
	s->is_ended = true;
	net_loop_disarm(s->host->loop, &s->timer);
	net_loop_disarm(s->host->loop, &s->quiet);
	session_judge_end(s);
	const char *not_parked = NULL;
	bool had_server = s->server != NULL;
	if (s->tracker != NULL) {
		bool is_told = why == FAIL_LOGOUT || s->has_server_bye ||
			       why == tracker_failure(s->tracker);
		if (!is_told && tracker_can_interject(s->tracker)) {
			client_say_bye(s->client, why);
		}
		not_parked = session_return_loan(s, why);
	} else {
		(void)session_note_refused_token(s);
		loan_cancel(&s->loan);
	}
	session_log_end(s, why, detail, not_parked, had_server);
	client_close(s->client, CLIENT_LINGER_MS);
}
