#include "bench/sessions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/must.h"
#include "bench/samples.h"

/* What a session's time consists of: connect (with handshake), greeting, then the commands. */
#define STEPS (PLAN_COMMANDS + 2)

struct run {
	struct client_target *target;
	const struct plan *plan;
	struct loop_timer schedule; /* of the open loop */
	uint64_t first;             /* when the open loop's first session begins */
	uint64_t goal, started, ended, running, failed, resumed;
	bool is_open_loop, is_measured;
	struct samples whole, steps[STEPS];
};

struct session {
	struct run *run;
	struct client *client;
	struct loop_timer pause;
	uint64_t scheduled, since;
	size_t next; /* command */
};

static void start(struct run *r, uint64_t scheduled);

static void end(struct session *s)
{
	struct run *r = s->run;
	loop_cancel(r->target->loop, &s->pause);
	client_destroy(&s->client);
	loop_free_later(r->target->loop, s);
	r->ended++;
	r->running--;
	if (r->ended == r->goal) {
		loop_stop(r->target->loop);
	} else if (!r->is_open_loop && r->started < r->goal) {
		start(r, loop_now());
	}
}

static void step(struct session *s, size_t number)
{
	uint64_t now = loop_now();
	if (s->run->is_measured) {
		samples_add(&s->run->steps[number], now - s->since);
	}
	s->since = now;
}

static void on_open(void *owner)
{
	step(owner, 0);
}

static void send_next(struct session *s)
{
	client_send(s->client, s->run->plan->commands[s->next++]);
}

static void on_paused(struct loop_timer *timer)
{
	struct session *s =
		(struct session *)(void *)((char *)timer - offsetof(struct session, pause));
	s->since = loop_now();
	send_next(s);
}

static void finish(struct session *s)
{
	struct run *r = s->run;
	if (r->is_measured) {
		samples_add(&r->whole, s->since - s->scheduled);
		r->resumed += client_is_resumed(s->client);
	}
	end(s);
}

static void on_idle(void *owner)
{
	struct session *s = owner;
	struct run *r = s->run;
	step(s, 1 + s->next);
	if (s->next == r->plan->count) {
		finish(s);
	} else if (r->is_measured && r->plan->pause > 0) {
		loop_at(r->target->loop, &s->pause, s->since + r->plan->pause);
	} else {
		send_next(s);
	}
}

static void on_failed(void *owner, const char *why)
{
	struct session *s = owner;
	if (!s->run->plan->is_tolerant) {
		must_die("session %llu: %s", (unsigned long long)s->run->ended, why);
	}
	s->run->failed++;
	end(s);
}

static void start(struct run *r, uint64_t scheduled)
{
	static const struct client_events events = {on_open, on_idle, on_failed};
	struct session *s = must_alloc(sizeof(*s));
	s->run = r;
	s->pause.on_due = on_paused;
	s->scheduled = scheduled;
	s->since = loop_now();
	unsigned user = (unsigned)(r->target->clients % r->plan->users);
	r->started++;
	r->running++;
	s->client = client_create(r->target, user, &events, s);
}

static void on_schedule(struct loop_timer *timer)
{
	struct run *r = (struct run *)(void *)((char *)timer - offsetof(struct run, schedule));
	double gap = (double)LOOP_SECOND / r->plan->rate;
	/* All that are due: after a stall of the generator itself there may be several. */
	for (;;) {
		uint64_t due = r->first + (uint64_t)((double)r->started * gap);
		if (r->started == r->goal) {
			return;
		}
		if (due > loop_now()) {
			loop_at(r->target->loop, timer, due);
			return;
		}
		start(r, due);
	}
}

static void run_some(struct run *r, uint64_t goal, bool is_open_loop)
{
	r->goal = goal;
	r->is_open_loop = is_open_loop;
	r->started = r->ended = 0;
	if (goal == 0) {
		return;
	}
	if (is_open_loop) {
		r->first = loop_now();
		loop_at(r->target->loop, &r->schedule, r->first);
	} else {
		for (unsigned i = 0; i < r->plan->clients && r->started < goal; i++) {
			start(r, loop_now());
		}
	}
	loop_run(r->target->loop);
	assert(r->running == 0);
}

static void print(struct run *r, uint64_t took)
{
	printf("count\t%llu\nfailed\t%llu\nresumed\t%llu\nseconds\t%.6f\n",
		(unsigned long long)r->goal, (unsigned long long)r->failed,
		(unsigned long long)r->resumed, (double)took / (double)LOOP_SECOND);
	samples_print(&r->whole, "session");
	samples_print(&r->steps[0], "connect");
	samples_print(&r->steps[1], "greeting");
	for (size_t i = 0; i < r->plan->count; i++) {
		samples_print(&r->steps[2 + i], r->plan->commands[i]);
	}
}

void sessions_run(struct client_target *target, const struct plan *plan)
{
	struct run r = {.target = target, .plan = plan, .schedule.on_due = on_schedule};
	run_some(&r, plan->warm_up, false);
	plan_sync("ready");
	r.is_measured = true;
	bool is_open_loop = plan->rate > 0;
	uint64_t began = loop_now();
	run_some(&r, is_open_loop ? (uint64_t)(plan->rate * plan->seconds) : plan->operations,
		is_open_loop);
	uint64_t took = loop_now() - began;
	plan_sync("done");
	print(&r, took);
	samples_finish(&r.whole);
	for (size_t i = 0; i < STEPS; i++) {
		samples_finish(&r.steps[i]);
	}
}
