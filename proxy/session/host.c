/*
 * What the sessions of one worker share, and how all of them end.
 */
#include "session_priv.h"

#include <assert.h>
#include <stdlib.h>

/* When sessions end now: goodbyes leave at the end of this turn, and nobody is waited for longer. */
enum { SESSION_STOP_LINGER_MS = 100 };

static void on_drained_due(void *owner)
{
	struct session_host *h = owner;
	h->on_drained(h->owner);
}

static void check_drained(struct session_host *h)
{
	if (h->is_draining && h->sessions.len == 0 && h->intakes.len == 0 &&
		pool_is_empty(h->pool) && !wheel_is_armed(&h->drained)) {
		/* Not from inside the call that asked for it. */
		net_loop_arm(h->loop, &h->drained, 0);
	}
}

static void on_pool_empty(void *owner)
{
	check_drained(owner);
}

void session_host_left(struct session_host *h)
{
	check_drained(h);
}

void session_host_init(struct session_host *h)
{
	assert(h->loop != NULL && h->generation != NULL);
	assert(h->guard != NULL && h->budget != NULL);
	assert(h->worker < h->workers);
	h->listings = listings_create();
	h->sessions = (struct list){0};
	h->intakes = (struct list){0};
	h->voices = NULL;
	h->is_draining = false;
	h->pool = pool_create(h->loop, h->counters, h->budget);
	pool_configure(h->pool, h->generation->config, h->generation->backend_tls, h->workers);
	pool_on_empty(h->pool, on_pool_empty, h);
	pool_on_scarce(h->pool, h->on_scarce, h->owner);
	wheel_timer_init(&h->drained, on_drained_due, h);
	wheel_timer_init(&h->refused, session_log_turned_away_more, h);
	h->refused_more = 0;
}

void session_host_renew(struct session_host *h, struct generation *g)
{
	generation_unref(&h->generation);
	h->generation = g;
	pool_configure(h->pool, g->config, g->backend_tls, h->workers);
}

static void drain_session(struct session *s)
{
	switch (client_state(s->client)) {
	case CLIENT_HANDSHAKE:
	case CLIENT_PREAUTH:
		client_say_bye(s->client, FAIL_SHUTDOWN);
		session_end(s, FAIL_SHUTDOWN, "");
		break;
	case CLIENT_LINKED:
		client_drain(s->client);
		if (session_can_end_now(s)) {
			session_end(s, FAIL_SHUTDOWN, "");
		}
		break;
	case CLIENT_WAITING: /* ends with its answer; one that is held back is given now */
		if (s->refusal != NULL) {
			net_loop_disarm(s->host->loop, &s->timer);
			session_refuse(s, span_str(s->refusal));
		}
		break;
	case CLIENT_MOVING:   /* the other worker drops the parcel */
	case CLIENT_DRAINING: /* has been told */
	case CLIENT_CLOSING:
	case CLIENT_STATE_COUNT:
		break;
	}
}

void session_host_drain(struct session_host *h)
{
	h->is_draining = true;
	intake_close_all(h);
	pool_drain(h->pool);
	LIST_FOREACH_SAFE(node, &h->sessions)
	{
		drain_session(LIST_OBJECT(node, struct session, node));
	}
	check_drained(h);
}

void session_host_stop(struct session_host *h)
{
	h->is_draining = true;
	intake_close_all(h);
	pool_drain(h->pool);
	LIST_FOREACH_SAFE(node, &h->sessions)
	{
		struct session *s = LIST_OBJECT(node, struct session, node);
		if (s->tracker == NULL && client_state(s->client) != CLIENT_CLOSING) {
			client_say_bye(s->client, FAIL_SHUTDOWN);
		}
		session_end(s, FAIL_SHUTDOWN, "");
		client_close(s->client, SESSION_STOP_LINGER_MS);
	}
	check_drained(h);
}

void session_host_make_room(struct session_host *h)
{
	pool_make_room(h->pool);
}

void session_host_finish(struct session_host *h)
{
	assert(h->sessions.len == 0 && h->intakes.len == 0);
	free(h->voices);
	net_loop_disarm(h->loop, &h->drained);
	session_log_turned_away_more(h);
	net_loop_disarm(h->loop, &h->refused);
	pool_destroy(&h->pool);
	listings_destroy(&h->listings);
	generation_unref(&h->generation);
}
