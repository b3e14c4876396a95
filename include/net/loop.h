/*
 * What the network code of one thread shares: the libuv loop, the read buffers, the timer wheel, and
 * the turn: writes of one turn leave in one system call, and no callback runs inside the call that
 * asked for it.
 *
 * A turn ends before the loop waits and again after it has polled: first the deferred tasks run (events
 * owed to owners), then the closing ones (output to flush). What these ask for is done in a further
 * round; after a few rounds the loop polls without waiting, so that a pair of chatty streams starves
 * nobody. Of the heavy tasks (steps of TLS handshakes) one is run in each turn, when all that the poll
 * has brought is answered, and then the loop polls again without waiting: a storm of new clients must
 * not stall those who are signed in.
 *
 * Owned by the worker (or a test); every object made on it belongs to the loop's thread.
 */
#ifndef IMAPMUX_NET_LOOP_H
#define IMAPMUX_NET_LOOP_H

#include <pthread.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/wheel.h"

/* One read: five TLS records, so that a part of 64 KiB, as many clients fetch, comes in one with the
 * line around it. */
#define NET_READ_SIZE 81920
/* One read after encryption: a client may ask for records of 512 bytes (RFC 6066 section 4), each of
 * which grows by up to a hundred. */
#define NET_CIPHER_SIZE 131072

struct net_loop {
	uv_loop_t uv;
	pthread_t thread;     /* who made it, then who runs it; entry points assert it */
	struct wheel wheel;   /* milliseconds of uv_now */
	uint8_t *scratch;     /* what was just read from a socket; NET_READ_SIZE */
	uint8_t *plain;       /* what TLS made of it; NET_READ_SIZE */
	struct buf cipher;    /* private: empty between calls: where a stream encrypts to */
	struct list deferred; /* private: tasks of net_loop_defer */
	struct list closing;  /* private: tasks of net_loop_at_end */
	struct list heavy;    /* private: tasks of net_loop_heavy */
	struct list jobs;     /* private: of net/job, waiting for their turn */
	bool is_job_running;  /* private: one of them has it */
	size_t held;          /* private: objects that keep the loop running */
	uint64_t timer_due;   /* private: when the timer fires, WHEEL_NEVER: it is stopped */
	uv_prepare_t prepare; /* private: ends a turn before the loop waits */
	uv_check_t check;     /* private: ends a turn after the loop has polled */
	uv_idle_t idle;       /* private: keeps the loop from waiting while work is left */
	uv_timer_t timer;     /* private: drives the wheel */
};

/* Everything ready; false: libuv refused (out of descriptors), nothing is held then. */
bool net_loop_init(struct net_loop *l);

/*
 * Runs until no object of net/ and no referenced handle of others is left, or net_loop_stop. The wheel
 * alone does not keep it running. From here on the loop belongs to the calling thread.
 */
void net_loop_run(struct net_loop *l);

/* Makes net_loop_run return after this turn. Only on the loop's thread. */
void net_loop_stop(struct net_loop *l);

/* Closes the loop's own handles, wipes the buffers and frees; all other handles must have been closed
 * (their close callbacks may still be due: they run in here). */
void net_loop_finish(struct net_loop *l);

/* Milliseconds of this turn: steady, the same during one turn. */
uint64_t net_loop_now(const struct net_loop *l);

/* Time-outs on the loop's wheel. The timer is embedded in the owner, who disarms it before he goes. */
void net_loop_arm(struct net_loop *l, struct wheel_timer *t, uint64_t delay_ms);
void net_loop_disarm(struct net_loop *l, struct wheel_timer *t);

/* True on the thread that owns the loop; for asserts of entry points. */
bool net_loop_is_mine(const struct net_loop *l);

/*
 * Something to do at the end of a turn. Embedded in its owner, who cancels it before he goes. Posting
 * a task that waits already changes nothing; a task that is running may post itself again (then it
 * runs in the next round).
 */
struct net_task {
	struct list_node node;
	void (*run)(void *owner);
	void *owner;
};

void net_task_init(struct net_task *t, void (*run)(void *owner), void *owner);

/* An event that is owed to an owner. */
void net_loop_defer(struct net_loop *l, struct net_task *t);

/* Output to flush, once all events of the round have been told. */
void net_loop_at_end(struct net_loop *l, struct net_task *t);

/* Work that costs much CPU: done in order, one task in a turn. */
void net_loop_heavy(struct net_loop *l, struct net_task *t);

/* How many wait for that. */
size_t net_loop_heavy_waiting(const struct net_loop *l);

/* Nothing happens when the task does not wait. */
void net_task_cancel(struct net_task *t);

/* Keeps net_loop_run running (a paused stream is no active handle to libuv), and no longer. */
void net_loop_hold(struct net_loop *l);
void net_loop_release(struct net_loop *l);

#endif
