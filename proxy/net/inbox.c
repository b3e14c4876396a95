#include "net/inbox.h"

#include <assert.h>

static void deliver(struct inbox *i)
{
	struct list batch = {0};
	struct list_node *node;
	pthread_mutex_lock(&i->lock);
	while ((node = list_pop_front(&i->waiting)) != NULL) {
		list_push_back(&batch, node);
	}
	pthread_mutex_unlock(&i->lock);
	/* Outside the lock: a message may post to this or any other inbox. */
	while ((node = list_pop_front(&batch)) != NULL) {
		i->on_message(i->owner, node);
	}
}

static void on_wake(uv_async_t *wake)
{
	deliver(wake->data);
}

bool inbox_init(struct inbox *i, struct net_loop *loop,
	void (*on_message)(void *owner, struct list_node *message), void *owner)
{
	assert(on_message != NULL);
	*i = (struct inbox){.on_message = on_message, .owner = owner};
	if (uv_async_init(&loop->uv, &i->wake, on_wake) != 0) {
		return false;
	}
	i->wake.data = i;
	pthread_mutex_init(&i->lock, NULL);
	return true;
}

bool inbox_post(struct inbox *i, struct list_node *message)
{
	pthread_mutex_lock(&i->lock);
	bool is_open = !i->is_closed;
	if (is_open) {
		list_push_back(&i->waiting, message);
		/* Under the lock: once it is closed, the handle may be gone. */
		if (i->waiting.len == 1) {
			uv_async_send(&i->wake);
		}
	}
	pthread_mutex_unlock(&i->lock);
	return is_open;
}

void inbox_close(struct inbox *i)
{
	pthread_mutex_lock(&i->lock);
	assert(!i->is_closed);
	i->is_closed = true;
	pthread_mutex_unlock(&i->lock);
	deliver(i);
	uv_close((uv_handle_t *)&i->wake, NULL);
}
