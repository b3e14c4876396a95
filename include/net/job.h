/*
 * Work that would hold up a loop (hashing a password, reading a Kerberos replay cache), done by a thread of
 * libuv's pool, with the answer back on the loop.
 *
 * A loop has one job at a time in the pool, the others wait in order: a storm of sign-ins takes no more CPU
 * than there are workers, and never a thread that resolving of host names needs. What a job works on
 * belongs to the job from start to done, so that its owner may go away meanwhile.
 */
#ifndef IMAPMUX_NET_JOB_H
#define IMAPMUX_NET_JOB_H

#include "net/loop.h"

/* Threads of the pool beyond one for each loop: for resolving, which libuv does there as well. */
#define NET_JOB_SPARE_THREADS 4

struct net_job;

struct net_job_calls {
	void (*work)(void *subject); /* on another thread; touches nothing but subject */
	void (*done)(void *owner, void *subject); /* on the loop's; subject is the owner's again */
	void (*drop)(void *subject); /* on the loop's: it was cancelled; frees subject */
};

/* How many loops there will be. Before the first job and the first thread; an UV_THREADPOOL_SIZE of the
 * environment stands. */
void net_job_prepare(unsigned loops);

/* Takes subject over. Exactly one of done and drop follows, from the loop, never from inside this call. */
struct net_job *net_job_start(
	struct net_loop *l, const struct net_job_calls *calls, void *subject, void *owner);

/* done does not come any more; drop does, once work is over (from inside this call when it has not begun).
 * Nulls; NULL inside is fine. After done the owner forgets the job and does not cancel it. */
void net_job_cancel(struct net_job **j);

#endif
