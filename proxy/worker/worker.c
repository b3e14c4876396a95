/*
 * The way of a worker: RENEW makes the session host and starts the listeners; clients are accepted or
 * arrive from other workers; DRAIN or STOP closes the listeners; when the host says that it is empty,
 * the inboxes close, the loop finds no handle left, and the thread ends.
 *
 * What goes wrong: a listener that cannot be started is reported and the others serve on. A client that
 * arrives, or a message that is posted, after the end is dropped by its sender's call.
 */
#include "worker/worker.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/listener.h"
#include "session/session.h"

/* One listening socket. Its address must not move while the listener knows it as its owner. */
struct worker_socket {
	struct worker *worker;
	struct listener *listener;
	size_t index; /* in config.listeners of the host's generation */
};

enum worker_state { WORKER_NEW, WORKER_SERVING, WORKER_DRAINING, WORKER_ENDED };

struct worker {
	struct worker_options options;
	enum worker_state state;
	pthread_t thread;
	struct net_loop loop;
	struct inbox orders;   /* messages of control */
	struct inbox arrivals; /* clients carried here by other workers */
	struct counters counters;
	struct session_host host;
	struct worker_socket *
		*sockets; /* by index in config.listeners; NULL: could not be started */
	size_t socket_count;
};

/* Clients. */

static void on_accept(void *owner, int fd)
{
	struct worker_socket *s = owner;
	assert(s->worker->state == WORKER_SERVING);
	session_accept(&s->worker->host, fd, s->index);
}

static void on_arrival(void *owner, struct list_node *node)
{
	struct worker *w = owner;
	struct session_parcel *parcel = session_parcel_of(node);
	if (w->state == WORKER_SERVING) {
		session_adopt(&w->host, parcel);
	} else {
		session_parcel_drop(parcel);
	}
}

/* Runs on this worker's thread and posts to another's. */
static void on_carry(void *owner, unsigned to, struct session_parcel *parcel)
{
	struct worker *w = owner;
	assert(to < w->options.count && to != w->options.number);
	if (!inbox_post(&w->options.all[to]->arrivals, session_parcel_node(parcel))) {
		session_parcel_drop(parcel);
	}
}

/* Connections to servers that other workers hold. */
static void on_scarce(void *owner)
{
	struct worker *w = owner;
	for (unsigned i = 0; i < w->options.count; i++) {
		if (i != w->options.number) {
			worker_post(w->options.all[i], message_order(MESSAGE_SCARCE));
		}
	}
}

/* Listening sockets. */

static struct worker_socket *socket_open(struct worker *w, int fd)
{
	struct worker_socket *s = xcalloc(1, sizeof *s);
	s->worker = w;
	s->listener = listener_start(&w->loop, fd, on_accept, s);
	if (s->listener == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void socket_close(struct worker_socket **s)
{
	if (*s != NULL) {
		listener_stop(&(*s)->listener);
		free(*s);
		*s = NULL;
	}
}

static void close_sockets(struct worker *w)
{
	for (size_t i = 0; i < w->socket_count; i++) {
		socket_close(&w->sockets[i]);
	}
	free(w->sockets);
	w->sockets = NULL;
	w->socket_count = 0;
}

/* Sets up the sockets of the new generation; returns how many listeners have none. */
static size_t renew_sockets(struct worker *w, struct message *m)
{
	struct worker_socket **sockets = xcalloc(m->socket_count, sizeof(struct worker_socket *));
	size_t failures = 0;
	for (size_t i = 0; i < m->socket_count; i++) {
		struct message_socket *from = &m->sockets[i];
		if (from->fd >= 0) {
			sockets[i] = socket_open(w, from->fd);
			from->fd = -1; /* the listener's, also when it failed */
		} else {
			assert(from->kept_from < w->socket_count);
			sockets[i] = w->sockets[from->kept_from];
			w->sockets[from->kept_from] = NULL;
		}
		if (sockets[i] != NULL) {
			sockets[i]->index = i;
		} else {
			failures++;
		}
	}
	close_sockets(w);
	w->sockets = sockets;
	w->socket_count = m->socket_count;
	return failures;
}

/* Life. */

static void report(struct worker *w, struct message *m)
{
	bool is_open = inbox_post(w->options.control, &m->node);
	assert(is_open);
	(void)is_open;
}

static void on_drained(void *owner)
{
	struct worker *w = owner;
	if (w->state != WORKER_DRAINING) {
		return; /* a STOP behind a DRAIN may be answered by a second call */
	}
	w->state = WORKER_ENDED;
	inbox_close(&w->orders);
	inbox_close(&w->arrivals);
}

static void begin_host(struct worker *w, struct generation *g)
{
	w->host = (struct session_host){
		.loop = &w->loop,
		.counters = &w->counters,
		.generation = g,
		.guard = w->options.guard,
		.budget = w->options.budget,
		.worker = w->options.number,
		.workers = w->options.count,
		.carry = on_carry,
		.on_scarce = on_scarce,
		.on_drained = on_drained,
		.owner = w,
	};
	session_host_init(&w->host);
}

static void renew(struct worker *w, struct message *m)
{
	/* The host first: a socket's index is one of its generation. Both change within this turn, so
	 * that no client meets one without the other. */
	struct generation *g = m->generation;
	m->generation = NULL;
	if (w->state == WORKER_NEW) {
		begin_host(w, g);
		w->state = WORKER_SERVING;
	} else {
		session_host_renew(&w->host, g);
	}
	struct message *done = message_report(MESSAGE_RENEWED, w->options.number);
	done->failures = renew_sockets(w, m);
	report(w, done);
}

static void stop_accepting(struct worker *w)
{
	assert(w->state == WORKER_SERVING || w->state == WORKER_DRAINING);
	close_sockets(w);
	w->state = WORKER_DRAINING;
}

/* An inbox gives out what is in it when it closes; then the host may be at its end, and ENDED follows. */
static void answer(struct worker *w, const struct message *question)
{
	if (w->state == WORKER_ENDED) {
		return;
	}
	struct message *m = message_report(MESSAGE_ANSWER, w->options.number);
	m->number = question->number;
	session_host_inspect(&w->host, &question->query, &m->report);
	report(w, m);
}

static void on_order(void *owner, struct list_node *node)
{
	struct worker *w = owner;
	struct message *m = message_of(node);
	assert(w->state != WORKER_NEW || m->kind == MESSAGE_RENEW || m->kind == MESSAGE_SCARCE);
	switch (m->kind) {
	case MESSAGE_RENEW:
		/* Behind a DRAIN nothing is renewed any more. */
		if (w->state == WORKER_NEW || w->state == WORKER_SERVING) {
			renew(w, m);
		}
		break;
	case MESSAGE_DRAIN:
		if (w->state == WORKER_SERVING) {
			stop_accepting(w);
			session_host_drain(&w->host);
		}
		break;
	case MESSAGE_STOP:
		if (w->state != WORKER_ENDED) {
			stop_accepting(w);
			session_host_stop(&w->host);
		}
		break;
	case MESSAGE_SCARCE:
		if (w->state == WORKER_SERVING || w->state == WORKER_DRAINING) {
			session_host_make_room(&w->host);
		}
		break;
	case MESSAGE_QUERY:
		answer(w, m);
		break;
	case MESSAGE_RENEWED:
	case MESSAGE_ANSWER:
	case MESSAGE_ENDED:
		assert(!"a message for control");
	}
	message_destroy(&m);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	net_loop_run(&w->loop);
	assert(w->state == WORKER_ENDED);
	session_host_finish(&w->host);
	report(w, message_report(MESSAGE_ENDED, w->options.number));
	return NULL;
}

struct worker *worker_create(const struct worker_options *options)
{
	assert(options->number < options->count);
	struct worker *w = xcalloc(1, sizeof *w);
	w->options = *options;
	if (!net_loop_init(&w->loop)) {
		free(w);
		return NULL;
	}
	if (!inbox_init(&w->orders, &w->loop, on_order, w)) {
		net_loop_finish(&w->loop);
		free(w);
		return NULL;
	}
	if (!inbox_init(&w->arrivals, &w->loop, on_arrival, w)) {
		inbox_close(&w->orders);
		net_loop_run(&w->loop); /* until the handle has closed */
		net_loop_finish(&w->loop);
		free(w);
		return NULL;
	}
	return w;
}

bool worker_start(struct worker *w)
{
	char name[16]; /* the kernel's bound */
	sigset_t all;
	sigset_t before;
	assert(w->state == WORKER_NEW);
	snprintf(name, sizeof name, "imapmux-%u", w->options.number);
	sigfillset(&all);
	/* Blocked before it exists: a new thread has the mask of its maker. */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		log_say(LOG_ERROR, "cannot start a thread", "%s: %s", name, strerror(error));
		return false;
	}
	pthread_setname_np(w->thread, name);
	return true;
}

void worker_post(struct worker *w, struct message *m)
{
	if (!inbox_post(&w->orders, &m->node)) {
		message_destroy(&m);
	}
}

void worker_join(struct worker *w)
{
	int error = pthread_join(w->thread, NULL);
	assert(error == 0);
	(void)error;
}

void worker_destroy(struct worker **w)
{
	struct worker *old = *w;
	*w = NULL;
	if (old == NULL) {
		return;
	}
	assert(old->state == WORKER_ENDED);
	net_loop_finish(&old->loop);
	free(old);
}

const struct counters *worker_counters(const struct worker *w)
{
	return &w->counters;
}
