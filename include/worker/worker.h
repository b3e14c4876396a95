/*
 * A worker: one thread with its loop, its listening sockets, its sessions and its counters.
 *
 * Made, started, joined and destroyed by the main thread (control); everything in between happens on the
 * worker's own thread and is asked for by messages. The life of a worker:
 *
 *	worker_create   loop and inboxes exist; messages may be posted, they wait
 *	worker_start    the thread runs; the first message must be a RENEW
 *	RENEW           listens and accepts; told by RENEWED
 *	DRAIN or STOP   no new client; when the last session has ended, the thread posts ENDED and ends
 *	worker_join     at once after ENDED
 *	worker_destroy  only after all workers were joined, because they post clients to one another
 */
#ifndef IMAPMUX_WORKER_WORKER_H
#define IMAPMUX_WORKER_WORKER_H

#include "backend/budget.h"
#include "base/counter.h"
#include "client/guard.h"
#include "net/inbox.h"
#include "worker/message.h"

struct worker;

struct worker_options {
	unsigned number;       /* 0 .. count-1; also the home number of route/home */
	unsigned count;        /* how many workers there are, for the whole life of the process */
	struct worker **all;   /* the workers by number; complete before the first is started */
	struct guard *guard;   /* shared; outlives the workers */
	struct budget *budget; /* the same */
	struct inbox *control; /* where RENEWED and ENDED go; open until all have ended */
};

/* The options are copied, what they point to is not. NULL: libuv refused (out of descriptors). */
struct worker *worker_create(const struct worker_options *options);

/*
 * Starts the thread, named imapmux-N, with all signals blocked: they are the main thread's. False: the
 * kernel refused; the worker may only be forgotten together with the process then.
 */
bool worker_start(struct worker *w) __attribute__((warn_unused_result));

/* Any thread. Takes the message over, also when the worker has ended already: it is dropped then. */
void worker_post(struct worker *w, struct message *m);

/* Main thread: waits for the thread to end. */
void worker_join(struct worker *w);

/* Frees a worker that was joined. Nulls; NULL inside is fine. */
void worker_destroy(struct worker **w);

/* Any thread; valid until the worker is destroyed. */
const struct counters *worker_counters(const struct worker *w);

#endif
