#include "bench/steady.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/must.h"
#include "bench/samples.h"

struct run;

struct member {
	struct run *run;
	struct client *client;
	size_t next;             /* command of the set-up */
	struct loop_timer paced; /* with a rate: the next command */
	uint64_t since;          /* when the command began, or should have */
	bool is_busy;
};

struct run {
	struct client_target *target;
	const struct plan *plan;
	struct member *members;
	unsigned created, ready;
	uint64_t goal, sent, answered; /* of the command that is repeated */
	uint64_t until;                /* with a rate: no command is due later */
	bool is_measured;
	struct samples latency;
};

static void create(struct run *r);

static const char *repeated(const struct run *r)
{
	return r->plan->commands[r->plan->count - 1];
}

static void send_next(struct member *m, uint64_t since)
{
	assert(!m->is_busy);
	m->run->sent++;
	m->since = since;
	m->is_busy = true;
	client_send(m->client, repeated(m->run));
}

static uint64_t gap(const struct run *r)
{
	return (uint64_t)((double)LOOP_SECOND / r->plan->rate);
}

/* With a rate: sets the next moment, which may be past when the reply took longer than the gap. */
static void pace(struct member *m)
{
	struct run *r = m->run;
	uint64_t due = m->since + gap(r);
	if (due < r->until) {
		loop_at(r->target->loop, &m->paced, due);
	} else if (--r->ready == 0) {
		loop_stop(r->target->loop);
	}
}

static void on_due(struct loop_timer *timer)
{
	struct member *m =
		(struct member *)(void *)((char *)timer - offsetof(struct member, paced));
	send_next(m, timer->due);
}

static void on_answer(struct member *m)
{
	struct run *r = m->run;
	m->is_busy = false;
	r->answered++;
	if (r->is_measured) {
		samples_add(&r->latency, loop_now() - m->since);
	}
	if (r->until != 0) {
		pace(m);
	} else if (r->sent < r->goal) {
		send_next(m, loop_now());
	} else if (r->answered == r->goal) {
		loop_stop(r->target->loop);
	}
}

static void on_open(void *owner)
{
	(void)owner;
}

static void on_idle(void *owner)
{
	struct member *m = owner;
	struct run *r = m->run;
	if (m->is_busy) {
		on_answer(m);
	} else if (m->next < r->plan->count - 1) {
		client_send(m->client, r->plan->commands[m->next++]);
	} else if (++r->ready == r->plan->clients) {
		loop_stop(r->target->loop);
	} else if (r->created < r->plan->clients) {
		create(r);
	}
}

static void on_failed(void *owner, const char *why)
{
	const struct member *m = owner;
	must_die("client %zu: %s", (size_t)(m - m->run->members), why);
}

static void create(struct run *r)
{
	static const struct client_events events = {on_open, on_idle, on_failed};
	struct member *m = &r->members[r->created];
	m->run = r;
	m->paced.on_due = on_due;
	m->client = client_create(r->target, r->created % r->plan->users, &events, m);
	r->created++;
}

static void repeat(struct run *r, uint64_t goal)
{
	r->goal = goal;
	r->sent = r->answered = 0;
	if (goal == 0) {
		return;
	}
	for (unsigned i = 0; i < r->plan->clients && r->sent < goal; i++) {
		send_next(&r->members[i], loop_now());
	}
	loop_run(r->target->loop);
}

static void repeat_paced(struct run *r)
{
	uint64_t now = loop_now();
	r->until = now + (uint64_t)(r->plan->seconds * (double)LOOP_SECOND);
	r->ready = r->plan->clients;
	for (unsigned i = 0; i < r->plan->clients; i++) {
		/* Spread over the first gap, so that they do not come in step. */
		uint64_t first = now + gap(r) * i / r->plan->clients;
		loop_at(r->target->loop, &r->members[i].paced, first);
	}
	loop_run(r->target->loop);
}

void steady_run(struct client_target *target, const struct plan *plan)
{
	struct run r = {.target = target, .plan = plan};
	r.members = must_alloc(plan->clients * sizeof(*r.members));
	for (unsigned i = 0; i < plan->opening && i < plan->clients; i++) {
		create(&r);
	}
	loop_run(target->loop);
	repeat(&r, plan->warm_up);
	plan_sync("ready");
	r.is_measured = true;
	uint64_t began = loop_now(), bytes = target->bytes;
	if (plan->rate > 0) {
		repeat_paced(&r);
	} else {
		repeat(&r, plan->operations);
	}
	uint64_t took = loop_now() - began;
	bytes = target->bytes - bytes;
	plan_sync("done");
	printf("count\t%zu\nfailed\t0\nseconds\t%.6f\nbytes\t%llu\n", r.latency.count,
		(double)took / (double)LOOP_SECOND, (unsigned long long)bytes);
	samples_print(&r.latency, repeated(&r));
	samples_finish(&r.latency);
	for (unsigned i = 0; i < plan->clients; i++) {
		client_destroy(&r.members[i].client);
	}
	free(r.members);
}
