/*
 * The life of the process, in the order of the code:
 *
 *	start     hide memory, catch signals, read the configuration, bind, drop privileges, start workers
 *	serve     "ready" when all workers accept; HUP: reload
 *	end       TERM: no new client, sessions come to their end; drain_timeout or a second TERM: end them now
 *	finish    each worker has told that it ended: join, free, exit status 0
 *
 * What goes wrong: errors before the workers run end the start with their lines on stderr. A reload that
 * fails changes nothing. A worker that does not end is left behind after STOP_GRACE_MS.
 */
#include "control/control.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/proof.h"
#include "base/alloc.h"
#include "base/version.h"
#include "control/admin.h"
#include "control/command_check.h"
#include "control/privileges.h"
#include "control/reload.h"
#include "control/signals.h"
#include "net/job.h"

/* Ended sessions still send BYE and close_notify, to peers that may not read. More is not waited for. */
#define STOP_GRACE_MS 5000

/* A session is two descriptors; what the process needs beside them: files, loops, the log. */
#define DESCRIPTORS_SPARE      64
#define DESCRIPTORS_PER_WORKER 8

enum control_state { CONTROL_STARTING, CONTROL_SERVING, CONTROL_DRAINING, CONTROL_STOPPING };

struct control {
	const char *file;
	enum control_state state;
	struct net_loop loop;
	struct inbox reports; /* of the workers */
	struct signals signals;
	struct wheel_timer deadline; /* of the drain, then of the stop */
	struct guard *guard;
	struct budget *budget;
	struct running now;
	struct admin *admin;
	unsigned awaited;  /* workers that have not taken up the latest generation */
	unsigned alive;    /* workers that have not ended */
	bool wants_reload; /* HUP came while workers took up the one before */
	int status;
};

static void reload(struct control *c);
static void begin_stop(struct control *c);

/* Lines of the log. */

/* Whoever started the program waits for this line: it comes at every level. */
static void log_ready(const struct control *c)
{
	const struct config *config = c->now.generation->config;
	struct log_line line;
	log_setup(config->log_level < LOG_INFO ? LOG_INFO : config->log_level, config->log_format);
	log_begin(&line, LOG_INFO, "ready");
	log_str(&line, "version", IMAPMUX_VERSION);
	log_number(&line, "workers", c->now.worker_count);
	log_number(&line, "listeners", (int64_t)c->now.sockets.count);
	log_number(&line, "pid", getpid());
	log_end(&line);
	log_setup(config->log_level, config->log_format);
}

static void log_reloaded(const struct control *c)
{
	struct log_line line;
	log_begin(&line, LOG_INFO, "reloaded");
	log_number(&line, "generation", c->now.generation->number);
	log_number(&line, "listeners", (int64_t)c->now.sockets.count);
	log_number(&line, "added", (int64_t)c->now.added);
	log_number(&line, "dropped", (int64_t)c->now.dropped);
	log_end(&line);
}

static void log_ending(const struct control *c, const char *msg)
{
	struct log_line line;
	log_begin(&line, LOG_INFO, msg);
	log_number(&line, "clients", guard_clients(c->guard));
	log_end(&line);
}

/* Reports of the workers. */

static void on_all_renewed(struct control *c)
{
	if (c->state == CONTROL_STARTING) {
		c->state = CONTROL_SERVING;
		log_ready(c);
	} else {
		log_reloaded(c);
	}
	if (c->wants_reload) {
		c->wants_reload = false;
		reload(c);
	}
}

static void on_renewed(struct control *c, const struct message *m)
{
	if (m->failures > 0) {
		log_say(LOG_ERROR, "cannot accept", "worker %u: %zu listeners", m->worker,
			m->failures);
	}
	assert(c->awaited > 0);
	c->awaited--;
	if (c->state > CONTROL_SERVING) {
		return;
	}
	if (m->failures > 0 && c->state == CONTROL_STARTING) {
		c->status = CONTROL_FAILED;
		begin_stop(c);
	} else if (c->awaited == 0) {
		on_all_renewed(c);
	}
}

static void on_ended(struct control *c, const struct message *m)
{
	assert(c->alive > 0 && c->state >= CONTROL_DRAINING);
	/* Its thread may still be inside the post that brought this. */
	worker_join(c->now.workers[m->worker]);
	admin_on_worker_ended(c->admin, m->worker);
	if (--c->alive == 0) {
		/* Nothing is left that keeps the loop running: control_run goes on. */
		net_loop_disarm(&c->loop, &c->deadline);
		signals_stop(&c->signals);
		inbox_close(&c->reports);
		admin_stop(c->admin);
	}
}

static void on_report(void *owner, struct list_node *node)
{
	struct control *c = owner;
	struct message *m = message_of(node);
	if (m->kind == MESSAGE_RENEWED) {
		on_renewed(c, m);
	} else if (m->kind == MESSAGE_ANSWER) {
		admin_on_answer(c->admin, m);
	} else {
		assert(m->kind == MESSAGE_ENDED);
		on_ended(c, m);
	}
	message_destroy(&m);
}

/* Reload. */

static void on_reload(void *owner)
{
	struct control *c = owner;
	if (c->state > CONTROL_SERVING) {
		log_say(LOG_WARN, "reload refused", "the process is about to end");
	} else if (c->awaited > 0) {
		c->wants_reload = true; /* any number of HUPs that come meanwhile are one */
	} else {
		reload(c);
	}
}

static void reload(struct control *c)
{
	struct config_errors errors = {0};
	struct reload fresh;
	if (!reload_read(&fresh, &c->now, c->file, &errors) ||
		!reload_bind(&fresh, &c->now, admin_door(c->admin), &errors)) {
		for (size_t i = 0; i < errors.count; i++) {
			log_say(LOG_ERROR, "configuration error", "%s", errors.lines[i]);
		}
		config_errors_finish(&errors);
		log_say(LOG_ERROR, "reload failed", "generation %u stays in force",
			c->now.generation->number);
		return;
	}
	reload_warn(&fresh);
	admin_listen(c->admin, &fresh.door);
	reload_commit(&fresh, &c->now);
	c->awaited = c->now.worker_count;
}

/* End. */

static void order_all(struct control *c, enum message_kind kind)
{
	for (unsigned i = 0; i < c->now.worker_count; i++) {
		worker_post(c->now.workers[i], message_order(kind));
	}
}

static void begin_drain(struct control *c)
{
	c->state = CONTROL_DRAINING;
	log_ending(c, "draining");
	sockets_finish(&c->now.sockets); /* the files: who connects now should not find them */
	order_all(c, MESSAGE_DRAIN);
	net_loop_arm(&c->loop, &c->deadline, c->now.generation->config->limits.drain_timeout);
}

static void begin_stop(struct control *c)
{
	c->state = CONTROL_STOPPING;
	log_ending(c, "stopping");
	sockets_finish(&c->now.sockets);
	order_all(c, MESSAGE_STOP);
	net_loop_arm(&c->loop, &c->deadline, STOP_GRACE_MS);
}

static void on_terminate(void *owner)
{
	struct control *c = owner;
	if (c->state < CONTROL_DRAINING) {
		begin_drain(c);
	} else if (c->state == CONTROL_DRAINING) {
		begin_stop(c);
	}
}

static void on_deadline(void *owner)
{
	struct control *c = owner;
	if (c->state == CONTROL_DRAINING) {
		begin_stop(c);
		return;
	}
	/* Threads still run: nothing can be freed under them, and exit handlers would try. */
	log_say(LOG_ERROR, "workers do not end", "%u left behind", c->alive);
	admin_stop(c->admin);
	_exit(CONTROL_FAILED);
}

/* Start. */

static size_t descriptors_needed(const struct config *c)
{
	size_t workers = c->workers;
	size_t spares = c->backend_count * (c->pool.spares + workers);
	return 2 * (size_t)c->limits.clients + c->pool.max_idle + spares +
	       c->listener_count * workers + DESCRIPTORS_PER_WORKER * workers + DESCRIPTORS_SPARE;
}

/* All of them before one runs: they know one another. */
static bool make_workers(struct control *c)
{
	struct running *now = &c->now;
	for (unsigned i = 0; i < now->worker_count; i++) {
		now->workers[i] = worker_create(&(struct worker_options){
			.number = i,
			.count = now->worker_count,
			.all = now->workers,
			.guard = c->guard,
			.budget = c->budget,
			.control = &c->reports,
		});
		if (now->workers[i] == NULL) {
			log_say(LOG_ERROR, "cannot start a worker", "too few open files allowed?");
			return false;
		}
	}
	return true;
}

static bool start_workers(struct control *c, struct reload *first)
{
	struct running *now = &c->now;
	now->worker_count = first->generation->config->workers;
	now->workers = xcalloc(now->worker_count, sizeof(struct worker *));
	net_job_prepare(now->worker_count);
	if (!make_workers(c)) {
		return false;
	}
	admin_listen(c->admin, &first->door);
	reload_commit(first, now);
	c->awaited = now->worker_count;
	for (unsigned i = 0; i < now->worker_count; i++) {
		if (!worker_start(now->workers[i])) {
			sockets_finish(&now->sockets);
			admin_stop(c->admin);
			return false;
		}
		c->alive++;
	}
	return true;
}

/* The first generation, bound but not yet served. On failure nothing is left but c->status. */
static bool prepare(struct control *c, struct reload *first)
{
	struct config_errors errors = {0};
	c->status = CONTROL_INVALID;
	if (reload_read(first, &c->now, c->file, &errors)) {
		c->status = CONTROL_FAILED;
		if (reload_bind(first, &c->now, admin_door(c->admin), &errors)) {
			return true;
		}
	}
	command_print_errors(&errors);
	config_errors_finish(&errors);
	return false;
}

/* False: the start has failed and left nothing behind; c->status says how. */
static bool start(struct control *c)
{
	struct reload first;
	if (!prepare(c, &first)) {
		return false;
	}
	const struct config *config = first.generation->config;
	log_setup(config->log_level, config->log_format);
	privileges_raise_descriptors(descriptors_needed(config));
	if (!privileges_drop(config->user, config->group)) {
		reload_abandon(&first);
		return false;
	}
	if (!start_workers(c, &first)) {
		/* Some may run: nothing can be freed under them. */
		_exit(CONTROL_FAILED);
	}
	c->status = CONTROL_OK;
	return true;
}

/* Finish. */

/* All were joined, so that nobody posts to another any more. */
static void finish_workers(struct running *now)
{
	for (unsigned i = 0; i < now->worker_count; i++) {
		worker_destroy(&now->workers[i]);
	}
	free(now->workers);
	generation_unref(&now->generation);
}

/* The loop with what of it does not depend on the configuration. */
static bool open_loop(struct control *c)
{
	if (!net_loop_init(&c->loop)) {
		return false;
	}
	if (!inbox_init(&c->reports, &c->loop, on_report, c)) {
		net_loop_finish(&c->loop);
		return false;
	}
	if (!signals_start(&c->signals, &c->loop, on_reload, on_terminate, c)) {
		inbox_close(&c->reports);
		net_loop_finish(&c->loop);
		return false;
	}
	wheel_timer_init(&c->deadline, on_deadline, c);
	return true;
}

int control_run(const char *config_file)
{
	struct control c = {.file = config_file};
	privileges_hide_memory();
	if (!open_loop(&c)) {
		log_say(LOG_ERROR, "cannot start", "too few open files allowed?");
		return CONTROL_FAILED;
	}
	proof_init();
	c.guard = guard_create();
	c.budget = budget_create();
	c.admin = admin_create(
		&(struct admin_options){.loop = &c.loop, .now = &c.now, .guard = c.guard});
	if (start(&c)) {
		net_loop_run(&c.loop);
		finish_workers(&c.now);
		log_say(LOG_INFO, "stopped", "status %d", c.status);
	} else {
		signals_stop(&c.signals);
		inbox_close(&c.reports);
	}
	admin_destroy(&c.admin);
	guard_destroy(&c.guard);
	budget_destroy(&c.budget);
	net_loop_finish(&c.loop);
	return c.status;
}
