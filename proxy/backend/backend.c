/*
 * The object "connection to a server": its states, its one mover, its one exit.
 *
 * Happy path: create, dial (signin.c), SIGNIN, LENT to a session, given back, SCRUBBING (park.c), PARKED,
 * LENT again ... CLOSING by age.
 * Failure ways: whatever happens to the stream in a state goes to the file that owns the state.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/budget.h"
#include "base/alloc.h"
#include "base/sm.h"
#include "user_priv.h"

/* The drawing stands in backend/pool.h; pool_test.c holds both together. */
static const struct sm_state states[BACKEND_STATE_COUNT] = {
	[BACKEND_DIALING] = {"dialing", SM_TO(BACKEND_HANDSHAKE) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_HANDSHAKE] = {"handshake", SM_TO(BACKEND_SIGNIN) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_SIGNIN] = {"signin", SM_TO(BACKEND_HANDSHAKE) | SM_TO(BACKEND_SPARE) |
					      SM_TO(BACKEND_ENABLING) | SM_TO(BACKEND_LENT) |
					      SM_TO(BACKEND_CLOSING)},
	[BACKEND_SPARE] = {"spare", SM_TO(BACKEND_SIGNIN) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_ENABLING] = {"enabling", SM_TO(BACKEND_LENT) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_LENT] = {"lent", SM_TO(BACKEND_SCRUBBING) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_SCRUBBING] = {"scrubbing", SM_TO(BACKEND_PARKED) | SM_TO(BACKEND_LENT) |
						    SM_TO(BACKEND_SPARE) | SM_TO(BACKEND_SIGNIN) |
						    SM_TO(BACKEND_CLOSING)},
	[BACKEND_PARKED] = {"parked", SM_TO(BACKEND_ENABLING) | SM_TO(BACKEND_LENT) |
					      SM_TO(BACKEND_SCRUBBING) | SM_TO(BACKEND_CLOSING)},
	[BACKEND_CLOSING] = {"closing", 0},
};

static void check_invariant(const struct backend *b)
{
	assert(b->node.list == &b->pool->states[b->state]);
	assert(b->server_node.list == &b->server->states[b->state]);
	assert((b->user_node.list != NULL) ==
		(b->capabilities != NULL && b->state != BACKEND_CLOSING));
	assert(b->state == BACKEND_PARKED ? b->loan == NULL && b->tracker == NULL : true);
	assert(b->state == BACKEND_LENT || b->state == BACKEND_ENABLING
			? b->user != NULL && b->loan != NULL
			: true);
	assert(b->state == BACKEND_DIALING || b->state == BACKEND_CLOSING || b->stream != NULL);
}

void backend_move(struct backend *b, enum backend_state next)
{
	sm_move(states, &b->state, (int)next);
	list_remove(&b->node);
	list_push_back(&b->pool->states[next], &b->node);
	list_remove(&b->server_node);
	list_push_back(&b->server->states[next], &b->server_node);
	user_moved(b);
	check_invariant(b);
}

static void on_timer(void *owner)
{
	struct backend *b = owner;
	switch ((enum backend_state)b->state) {
	case BACKEND_HANDSHAKE:
	case BACKEND_SIGNIN:
		backend_signin_broken(b, FAIL_SIGNIN_TIMEOUT, "");
		break;
	case BACKEND_SPARE:
		spare_broken(b, FAIL_POOL_AGE);
		break;
	case BACKEND_ENABLING:
		backend_enable_broken(b, FAIL_SIGNIN_TIMEOUT, "ENABLE");
		break;
	case BACKEND_SCRUBBING:
		backend_scrub_broken(b, FAIL_SCRUB_TIMEOUT);
		break;
	case BACKEND_PARKED:
		backend_close(b, backend_is_too_old(b) ? FAIL_POOL_AGE : FAIL_POOL_IDLE);
		break;
	case BACKEND_CLOSING:
		stream_close(b->stream, 0); /* it has not said its goodbye */
		break;
	case BACKEND_DIALING:
	case BACKEND_LENT:
	case BACKEND_STATE_COUNT:
		break;
	}
}

static void make_tag(struct backend *b)
{
	struct pool *p = b->pool;
	uint64_t n = ++p->tag_count;
	uint64_t random = hash_bytes(p->tag_key, span_of(&n, sizeof n));
	snprintf(b->tag, sizeof b->tag, "P%016llx.", (unsigned long long)random);
}

static void on_start(void *owner)
{
	backend_signin_start(owner);
}

struct backend *backend_create(struct pool_server *s, struct loan *l)
{
	struct pool *p = s->pool;
	struct backend *b = xcalloc(1, sizeof *b);
	b->pool = p;
	b->server = server_ref(s);
	b->loan = l;
	b->state = BACKEND_DIALING;
	b->created_ms = net_loop_now(p->loop);
	enabled_init(&b->enabled);
	wheel_timer_init(&b->timer, on_timer, b);
	net_task_init(&b->start, on_start, b);
	make_tag(b);
	b->config = l != NULL ? l->wish->config : s->config;
	b->tls = l != NULL ? l->wish->tls : s->tls;
	b->limits = l != NULL ? l->wish->limits : &p->config->limits;
	list_push_back(&p->states[BACKEND_DIALING], &b->node);
	list_push_back(&s->states[BACKEND_DIALING], &b->server_node);
	if (l != NULL) {
		user_take(b, l);
	}
	check_invariant(b);
	return b;
}

static void backend_free(struct backend *b)
{
	struct pool *p = b->pool;
	struct pool_server *s = b->server;
	assert(b->state == BACKEND_CLOSING);
	net_loop_disarm(p->loop, &b->timer);
	list_remove(&b->node);
	list_remove(&b->server_node);
	caps_unref(&b->capabilities);
	budget_give(s->place);
	s->has_given = true;
	s->leaving -= b->is_leaving ? 1 : 0;
	user_left(b);
	spare_plan(s);
	server_unref(s);
	queue_wake(p, NULL);
	buf_finish(&b->enabled);
	secret_wipe(&b->proof, sizeof b->proof);
	secret_wipe(&b->secret, sizeof b->secret);
	free(b);
	if (pool_is_empty(p) && p->on_empty != NULL) {
		/* Not from here: a dial that is given up ends inside its owner's call. */
		net_loop_defer(p->loop, &p->empty);
	}
}

void backend_end_errand(struct backend *b)
{
	if (b->errand != NULL) {
		errand_finish(b->errand);
		free(b->errand);
		b->errand = NULL;
	}
}

static void drop_helpers(struct backend *b)
{
	net_loop_disarm(b->pool->loop, &b->timer);
	net_task_cancel(&b->start);
	dial_cancel(&b->dial);
	signin_destroy(&b->signin);
	tracker_destroy(&b->tracker);
	backend_end_errand(b);
	if (b->scrub != NULL) {
		scrub_finish(b->scrub);
		free(b->scrub);
		b->scrub = NULL;
	}
}

void backend_log_whose(const struct backend *b, struct log_line *line)
{
	log_str(line, "backend", b->server->name);
	if (b->user != NULL) {
		log_span(line, "login", user_login(b->user));
	}
}

static void log_close(const struct backend *b, enum fail why)
{
	struct log_line line;
	log_begin(&line, fail_side(why) == FAIL_SIDE_SERVER ? LOG_INFO : LOG_DEBUG,
		"server connection closed");
	backend_log_whose(b, &line);
	log_str(&line, "state", states[b->state].name);
	log_str(&line, "reason", fail_name(why));
	log_end(&line);
}

static enum counter eviction_of(enum fail why)
{
	switch (why) {
	case FAIL_POOL_IDLE:
	case FAIL_POOL_AGE:
		return COUNTER_POOL_EVICTED_AGE;
	case FAIL_POOL_FULL:
		return COUNTER_POOL_EVICTED_FULL;
	case FAIL_POOL_WANTED:
		return COUNTER_POOL_EVICTED_WANTED;
	case FAIL_STALE:
	case FAIL_POOL_FLUSHED:
		return COUNTER_POOL_EVICTED_PURGED;
	default:
		return COUNTER_POOL_EVICTED_OFF;
	}
}

/* What was parked is lent, evicted or lost: the numbers add up. */
static void count_close(const struct backend *b, enum fail why)
{
	struct counters *c = b->pool->counters;
	if (b->state != BACKEND_PARKED) {
		return;
	}
	if (fail_side(why) == FAIL_SIDE_SERVER) {
		counter_add(c, COUNTER_POOL_LOST, 1);
	} else {
		counter_add(c, COUNTER_POOL_EVICTED, 1);
		counter_add(c, eviction_of(why), 1);
	}
}

/* Between commands a goodbye is possible: the server's log then shows a clean end. */
static void say_goodbye(struct backend *b)
{
	stream_write(b->stream, span_str(b->tag));
	stream_write(b->stream, span_str("Z LOGOUT\r\n"));
}

void backend_close(struct backend *b, enum fail why)
{
	if (b->state == BACKEND_CLOSING) {
		return;
	}
	count_close(b, why);
	log_close(b, why);
	bool is_waiting =
		b->state == BACKEND_PARKED || b->state == BACKEND_SPARE || why == FAIL_PROBED;
	if (is_waiting && fail_side(why) != FAIL_SIDE_SERVER) {
		say_goodbye(b);
	}
	drop_helpers(b);
	b->loan = NULL;
	backend_move(b, BACKEND_CLOSING);
	if (b->stream != NULL) {
		stream_set_owner(b->stream, &backend_stream_events, b);
		stream_close(b->stream, POOL_LINGER_MS);
	} else {
		backend_free(b);
	}
}

void backend_evict(struct backend *b)
{
	assert(b->state == BACKEND_PARKED || b->state == BACKEND_SPARE || b->scrub != NULL);
	assert(b->loan == NULL && !b->is_leaving);
	/* The server counts it until it has read the goodbye, and would refuse the one that comes in its
	 * place: its end of the stream is waited for. */
	b->is_leaving = true;
	b->server->leaving++;
	if (b->user != NULL) {
		b->user->leaving++;
	}
	if (b->state == BACKEND_SCRUBBING) {
		b->is_condemned = true; /* it goes as soon as our command is answered */
		return;
	}
	count_close(b, FAIL_POOL_WANTED);
	log_close(b, FAIL_POOL_WANTED);
	say_goodbye(b);
	drop_helpers(b);
	backend_move(b, BACKEND_CLOSING);
	net_loop_arm(b->pool->loop, &b->timer, POOL_LINGER_MS);
}

void backend_write(struct backend *b, struct buf *out)
{
	stream_write(b->stream, buf_peek(out));
	buf_finish(out);
}

static void on_open(void *owner)
{
	backend_signin_open(owner);
}

static size_t on_data(void *owner, struct span in)
{
	struct backend *b = owner;
	switch ((enum backend_state)b->state) {
	case BACKEND_SIGNIN:
	case BACKEND_SPARE:
		return backend_signin_data(b, in);
	case BACKEND_ENABLING:
		return backend_enable_data(b, in);
	case BACKEND_SCRUBBING:
		return backend_scrub_data(b, in);
	case BACKEND_PARKED:
		/* BYE, or anything else that nobody asked for: the user was kicked, locked, moved. */
		known_drop_user(b);
		backend_close(b, FAIL_POOL_UNEXPECTED);
		return in.n;
	case BACKEND_DIALING:
	case BACKEND_HANDSHAKE:
	case BACKEND_LENT:
	case BACKEND_CLOSING:
	case BACKEND_STATE_COUNT:
		break;
	}
	return in.n;
}

static void on_broken(struct backend *b, enum fail why, const char *detail)
{
	switch ((enum backend_state)b->state) {
	case BACKEND_HANDSHAKE:
	case BACKEND_SIGNIN:
	case BACKEND_SPARE:
		backend_signin_broken(b, why, detail);
		break;
	case BACKEND_ENABLING:
		backend_enable_broken(b, why, detail);
		break;
	case BACKEND_SCRUBBING:
		backend_scrub_broken(b, why);
		break;
	case BACKEND_CLOSING:
		stream_close(b->stream, 0); /* the end that was waited for */
		break;
	case BACKEND_PARKED:
	case BACKEND_LENT:
	case BACKEND_DIALING:
	case BACKEND_STATE_COUNT:
		backend_close(b, why);
		break;
	}
}

static void on_drained(void *owner)
{
	(void)owner; /* what we write ourselves is short */
}

static void on_eof(void *owner)
{
	on_broken(owner, FAIL_SERVER_LEFT, "");
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	on_broken(owner, why, detail);
}

static void on_closed(void *owner)
{
	backend_free(owner);
}

const struct stream_events backend_stream_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_eof = on_eof,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

const char *backend_state_name(enum backend_state state)
{
	assert(state < BACKEND_STATE_COUNT);
	return states[state].name;
}

bool backend_can_move(enum backend_state from, enum backend_state to)
{
	return sm_can_move(states, (int)from, (int)to);
}
