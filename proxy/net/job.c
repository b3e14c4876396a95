/*
 * What the loop wrote is seen by the thread that works, and the other way round, because libuv hands a
 * request over under a lock. `handed` says so once more, for ThreadSanitizer, which does not see into libuv.
 */
#include "net/job.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

struct net_job {
	struct list_node node; /* in loop->jobs, until it is its turn */
	uv_work_t request;
	struct net_loop *loop;
	const struct net_job_calls *calls;
	void *subject, *owner;
	bool is_cancelled;
};

void net_job_prepare(unsigned loops)
{
	char number[16];
	snprintf(number, sizeof number, "%u", loops + NET_JOB_SPARE_THREADS);
	/* libuv's only way to be told; it looks when the first work comes. */
	setenv("UV_THREADPOOL_SIZE", number, 0);
}

static _Atomic unsigned long handed; /* to a thread, and back */

static void begin_next(struct net_loop *l);

static void on_work(uv_work_t *request)
{
	atomic_fetch_add(&handed, 1);
	struct net_job *j = request->data;
	j->calls->work(j->subject);
	atomic_fetch_add(&handed, 1);
}

static void end(struct net_job *j)
{
	const struct net_job job = *j;
	free(j);
	if (job.is_cancelled) {
		job.calls->drop(job.subject);
	} else {
		job.calls->done(job.owner, job.subject);
	}
}

static void on_worked(uv_work_t *request, int status)
{
	atomic_fetch_add(&handed, 1);
	struct net_job *j = request->data;
	struct net_loop *l = j->loop;
	assert(status == 0); /* nobody cancels what libuv was given */
	(void)status;
	assert(net_loop_is_mine(l) && l->is_job_running);
	l->is_job_running = false;
	begin_next(l);
	end(j);
}

static void begin_next(struct net_loop *l)
{
	struct list_node *node = l->is_job_running ? NULL : list_pop_front(&l->jobs);
	if (node == NULL) {
		return;
	}
	struct net_job *j = LIST_OBJECT(node, struct net_job, node);
	l->is_job_running = true;
	j->request.data = j;
	atomic_fetch_add(&handed, 1);
	/* Fails for want of a function only. */
	if (uv_queue_work(&l->uv, &j->request, on_work, on_worked) != 0) {
		abort();
	}
}

struct net_job *net_job_start(
	struct net_loop *l, const struct net_job_calls *calls, void *subject, void *owner)
{
	assert(net_loop_is_mine(l));
	struct net_job *j = xcalloc(1, sizeof *j);
	j->loop = l;
	j->calls = calls;
	j->subject = subject;
	j->owner = owner;
	list_push_back(&l->jobs, &j->node);
	begin_next(l);
	return j;
}

void net_job_cancel(struct net_job **job)
{
	struct net_job *j = *job;
	*job = NULL;
	if (j == NULL) {
		return;
	}
	assert(net_loop_is_mine(j->loop));
	j->is_cancelled = true;
	if (j->node.list != NULL) {
		list_remove(&j->node);
		end(j);
	}
}
