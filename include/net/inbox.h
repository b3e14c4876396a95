/*
 * Messages into a loop from other threads.
 *
 * A mutex, a list, one wake-up: libuv merges wake-ups, so the whole list is taken out under the lock and
 * handled outside of it. Messages keep their order per sender. Every message that was accepted is
 * delivered, also those still inside when the inbox closes.
 */
#ifndef IMAPMUX_NET_INBOX_H
#define IMAPMUX_NET_INBOX_H

#include <pthread.h>
#include <uv.h>

#include "base/list.h"
#include "net/loop.h"

struct inbox {
	pthread_mutex_t lock;
	struct list waiting;
	bool is_closed;
	uv_async_t wake;
	void (*on_message)(void *owner, struct list_node *message); /* on the loop's thread */
	void *owner;
};

/* On the loop's thread (or before it runs). False: libuv refused. on_message owns what it is given. */
bool inbox_init(struct inbox *i, struct net_loop *loop,
	void (*on_message)(void *owner, struct list_node *message), void *owner);

/* Any thread. False: the inbox is closed; the message stays the caller's. */
bool inbox_post(struct inbox *i, struct list_node *message);

/* On the loop's thread: delivers what is inside (from within this call), refuses the rest, closes the
 * handle. The inbox's memory stays until net_loop_finish has returned, and as long as others may post. */
void inbox_close(struct inbox *i);

#endif
