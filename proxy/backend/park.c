/*
 * From a session's end to a clean parked connection, and the check before it is lent again.
 *
 * Happy path: taken back with its tracker; what is in flight is drained (backend->tracker); our own
 * command brings it back to "signed in, nothing selected" and proves it (backend->scrub); parked.
 * Failure ways: dirt, too much or too slow a drain, any answer but the expected one: closed. A session
 * never waits for any of this, except for the check of a connection that was parked for long, and
 * then a failed check turns into a new connection unseen by the client.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "user_priv.h"

static void discard(void *owner, struct span bytes)
{
	(void)owner; /* for a client that has gone */
	(void)bytes;
}

static void to_server(void *owner, struct span bytes)
{
	struct backend *b = owner;
	stream_write(b->stream, bytes);
}

static struct tracker_sink drain_sink(struct backend *b)
{
	return (struct tracker_sink){.owner = b, .to_client = discard, .to_server = to_server};
}

/* label: one of the counters of what was discarded; detail is for the log. */
static void give_up(struct backend *b, enum counter label, enum fail why, const char *detail)
{
	struct log_line line;
	counter_add(b->pool->counters, COUNTER_POOL_DISCARDED, 1);
	counter_add(b->pool->counters, label, 1);
	log_begin(&line, LOG_DEBUG, "not parked");
	backend_log_whose(b, &line);
	log_str(&line, "reason", fail_name(why));
	log_str(&line, "detail", detail);
	log_end(&line);
	backend_close(b, why);
}

bool backend_is_too_old(const struct backend *b)
{
	return net_loop_now(b->pool->loop) - b->created_ms >= b->pool->settings.max_lifetime;
}

/* Why a connection is not parked, whatever its session did; NULL: it may be. */
static const char *pool_objection(const struct backend *b)
{
	const struct pool *p = b->pool;
	if (p->is_draining) {
		return "draining";
	}
	if (!p->settings.enabled || p->max_parked == 0 || p->settings.max_idle_per_user == 0) {
		return "pool-off";
	}
	if (b->server->config == NULL) {
		return "server-changed";
	}
	if (b->kind == PROOF_NONE) {
		return "unproved"; /* nobody could show that it is his */
	}
	if (b->is_condemned) {
		return "purged";
	}
	return backend_is_too_old(b) ? "lifetime" : NULL;
}

static bool has_unselect(const struct backend *b)
{
	struct span list = span_str(b->capabilities->text);
	return capability_has(list, "UNSELECT") || capability_has(list, "IMAP4rev2");
}

/*
 * The connection is of this class now; why it cannot be kept, or NULL. CONDSTORE that was only used will
 * be enabled in truth; a server that does not list it would answer OK and have nothing (Courier).
 */
static const char *take_class(struct backend *b, struct span class, bool must_enable)
{
	struct span list = span_str(b->capabilities->text);
	if (must_enable && !capability_has(list, "CONDSTORE") && !capability_has(list, "QRESYNC")) {
		return "condstore";
	}
	/* What is enabled stays enabled: a class without it is not this connection's. */
	bool is_taken =
		enabled_covers(class, buf_peek(&b->enabled)) && enabled_add(&b->enabled, class);
	return is_taken ? NULL : "class";
}

/* Everything in flight has ended: now our own command. */
static void begin_scrub(struct backend *b)
{
	bool must_enable = tracker_has_implicit_condstore(b->tracker);
	const char *objection = tracker_dirt(b->tracker);
	if (objection == NULL) {
		objection = take_class(b, tracker_enabled(b->tracker), must_enable);
	}
	if (objection != NULL) {
		give_up(b, COUNTER_POOL_DISCARD_DIRTY, FAIL_NOT_REUSABLE, objection);
		return;
	}
	if (backend_leave(b, tracker_selected(b->tracker) != TRACKER_SELECTED_NO)) {
		return;
	}
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	b->scrub = xcalloc(1, sizeof *b->scrub);
	bool can = scrub_begin(b->scrub, b->tag, tracker_selected(b->tracker),
		tracker_mailbox(b->tracker), has_unselect(b), must_enable, &out);
	tracker_destroy(&b->tracker);
	if (!can) {
		buf_finish(&out);
		give_up(b, COUNTER_POOL_DISCARD_BARRIER, FAIL_NOT_REUSABLE, "no-unselect");
		return;
	}
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, POOL_SCRUB_MS);
}

/* Only a NOOP, or ENABLE CONDSTORE: it proves that nothing is open. */
static void begin_check(struct backend *b)
{
	struct buf out;
	assert(b->state == BACKEND_SCRUBBING);
	buf_init(&out, BACKEND_OUT_MAX);
	b->scrub = xcalloc(1, sizeof *b->scrub);
	struct span none = {0};
	bool begun = scrub_begin(
		b->scrub, b->tag, TRACKER_SELECTED_NO, none, true, b->must_enable, &out);
	assert(begun);
	(void)begun;
	b->must_enable = false;
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, POOL_SCRUB_MS);
}

const char *backend_take_back(struct backend *b, struct tracker **tracker)
{
	assert(b->state == BACKEND_LENT);
	struct tracker_sink sink = drain_sink(b);
	const char *objection = pool_objection(b);
	enum counter label = COUNTER_POOL_DISCARD_RULE;
	if (objection == NULL) {
		label = COUNTER_POOL_DISCARD_DIRTY;
		objection = tracker_dirt(*tracker);
	}
	if (objection == NULL && !tracker_client_gone(*tracker, &sink)) {
		objection = "half-sent";
	}
	if (objection != NULL) {
		give_up(b, label, FAIL_NOT_REUSABLE, objection);
		return objection;
	}
	b->tracker = *tracker;
	*tracker = NULL;
	b->drained = 0;
	backend_move(b, BACKEND_SCRUBBING);
	stream_set_owner(b->stream, &backend_stream_events, b);
	net_loop_arm(b->pool->loop, &b->timer, POOL_DRAIN_MS);
	if (tracker_is_quiet(b->tracker) && stream_unread(b->stream) == 0) {
		begin_scrub(b);
	}
	if (b->state == BACKEND_SCRUBBING) {
		stream_resume(b->stream);
	}
	return b->state == BACKEND_SCRUBBING ? NULL : "dirty";
}

const char *backend_give_back(struct backend *b, struct span enabled)
{
	assert(b->state == BACKEND_LENT);
	const char *objection = pool_objection(b);
	enum counter label = COUNTER_POOL_DISCARD_RULE;
	/* Perhaps it was only used: the class does not say. */
	bool must_enable = enabled_has(enabled, "CONDSTORE") &&
			   !enabled_has(buf_peek(&b->enabled), "CONDSTORE");
	if (objection == NULL) {
		label = COUNTER_POOL_DISCARD_DIRTY;
		objection = take_class(b, enabled, must_enable);
	}
	if (objection != NULL) {
		give_up(b, label, FAIL_NOT_REUSABLE, objection);
		return objection;
	}
	stream_set_owner(b->stream, &backend_stream_events, b);
	backend_move(b, BACKEND_SCRUBBING);
	b->must_enable = must_enable;
	if (!backend_leave(b, false)) {
		begin_check(b);
	}
	stream_resume(b->stream);
	return NULL;
}

void backend_check(struct backend *b)
{
	assert(b->state == BACKEND_PARKED);
	backend_move(b, BACKEND_SCRUBBING);
	begin_check(b);
}

void backend_arm_parked(struct backend *b)
{
	const struct config_pool *settings = &b->pool->settings;
	uint64_t now = net_loop_now(b->pool->loop);
	uint64_t age = now - b->created_ms;
	uint64_t left = age < settings->max_lifetime ? settings->max_lifetime - age : 0;
	uint64_t idle = now - b->parked_ms;
	uint64_t idle_left = idle < settings->idle_timeout ? settings->idle_timeout - idle : 0;
	net_loop_arm(b->pool->loop, &b->timer, left < idle_left ? left : idle_left);
}

static void log_parked(const struct backend *b)
{
	struct log_line line;
	log_begin(&line, LOG_DEBUG, "parked");
	backend_log_whose(b, &line);
	if (buf_len(&b->enabled) > 0) {
		log_span(&line, "enabled", buf_peek(&b->enabled));
	}
	log_end(&line);
}

static void park(struct backend *b)
{
	counter_add(b->pool->counters, COUNTER_POOL_PARKED, 1);
	b->parked_ms = net_loop_now(b->pool->loop);
	backend_move(b, BACKEND_PARKED);
	backend_arm_parked(b);
	log_parked(b);
	user_park(b);
}

static void end_scrub(struct backend *b)
{
	scrub_finish(b->scrub);
	free(b->scrub);
	b->scrub = NULL;
	const char *objection = pool_objection(b);
	struct loan *l = b->loan;
	if (l != NULL && b->is_condemned) {
		backend_scrub_broken(b, FAIL_STALE);
	} else if (l != NULL) {
		b->parked_ms = net_loop_now(b->pool->loop);
		loan_become_ready(l);
		l->events->on_ready(l->owner);
	} else if (objection != NULL) {
		give_up(b, COUNTER_POOL_DISCARD_RULE, FAIL_NOT_REUSABLE, objection);
	} else {
		park(b);
	}
}

static void drain(struct backend *b, struct span *in)
{
	struct tracker_sink sink = drain_sink(b);
	b->drained += in->n;
	enum tracker_verdict verdict = tracker_server(b->tracker, in, &sink);
	if (verdict == TRACKER_SERVER_BYE || verdict == TRACKER_FAILED) {
		give_up(b, COUNTER_POOL_DISCARD_BARRIER, FAIL_NOT_REUSABLE, "bye");
	} else if (b->drained > POOL_DRAIN_BYTES) {
		give_up(b, COUNTER_POOL_DISCARD_BARRIER, FAIL_NOT_REUSABLE, "drain-bytes");
	} else if (tracker_is_quiet(b->tracker)) {
		begin_scrub(b);
	}
}

static void scrub(struct backend *b, struct span *in)
{
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	enum scrub_verdict verdict = scrub_feed(b->scrub, in, &out);
	backend_write(b, &out);
	if (verdict == SCRUB_CLEAN) {
		end_scrub(b);
	} else if (verdict == SCRUB_FAILED) {
		backend_scrub_broken(b, FAIL_SCRUB);
	}
}

size_t backend_scrub_data(struct backend *b, struct span in)
{
	size_t given = in.n;
	if (b->errand != NULL) {
		backend_leave_data(b, &in);
	} else if (b->tracker != NULL) {
		drain(b, &in);
	}
	/* Behind the last answer to the session: nothing may get past the barrier unseen. */
	if (b->errand != NULL && in.n > 0) {
		backend_leave_data(b, &in);
	} else if (b->scrub != NULL && in.n > 0) {
		scrub(b, &in);
	}
	return given;
}

void backend_scrub_broken(struct backend *b, enum fail why)
{
	struct loan *l = b->loan;
	if (l == NULL) {
		give_up(b, COUNTER_POOL_DISCARD_BARRIER, why, "scrub");
		return;
	}
	/* Somebody waited for it: the client is not told, it gets a new connection. */
	b->loan = NULL;
	loan_again(l);
	give_up(b, COUNTER_POOL_DISCARD_BARRIER, why, "check");
}
