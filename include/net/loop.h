/*
 * What the network code of one thread shares: the libuv loop, the read buffers, the timer wheel, and the
 * turn: writes of one turn leave in one system call, and no callback runs inside the call that asked
 * for it.
 *
 * Owned by the worker (or a test); every object made on it belongs to the loop's thread.
 */
#ifndef IMAPMUX_NET_LOOP_H
#define IMAPMUX_NET_LOOP_H

#include <pthread.h>
#include <uv.h>

#include "base/list.h"
#include "base/wheel.h"

/* One read: a TLS record is 16 KiB; more per system call pays for bulk fetches. */
#define NET_READ_SIZE 65536

struct net_loop {
	uv_loop_t uv;
	pthread_t thread;     /* set by net_loop_run; entry points assert it in debug builds */
	struct wheel wheel;   /* milliseconds of uv_now */
	uint8_t *scratch;     /* what was just read from a socket */
	uint8_t *plain;       /* what TLS made of it */
	struct list dirty;    /* streams with output to flush at the end of this turn */
	struct list deferred; /* streams with events to deliver at the end of this turn */
	uv_prepare_t prepare; /* private: ends a turn before the loop waits */
	uv_check_t check;     /* private: ends a turn after the loop has polled */
	uv_idle_t idle;       /* private: keeps the loop from waiting while work is left */
	uv_timer_t timer;     /* private: drives the wheel */
};

/* Everything ready; false: libuv refused (out of descriptors). */
bool net_loop_init(struct net_loop *l);

/* Runs until no handle is left but the loop's own, or net_loop_stop. */
void net_loop_run(struct net_loop *l);
void net_loop_stop(struct net_loop *l);

/* Closes the loop's own handles and frees; all other handles must have been closed. */
void net_loop_finish(struct net_loop *l);

/* Milliseconds of this turn. */
uint64_t net_loop_now(const struct net_loop *l);

/* Time-outs on the loop's wheel. The timer is embedded in the owner, who disarms it before he goes. */
void net_loop_arm(struct net_loop *l, struct wheel_timer *t, uint64_t delay_ms);
void net_loop_disarm(struct net_loop *l, struct wheel_timer *t);

#endif
