#include "base/wheel.h"

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	*w = (struct wheel){.tick = now_ms / WHEEL_TICK_MS};
}

void wheel_timer_init(struct wheel_timer *t, void (*on_due)(void *owner), void *owner)
{
	assert(on_due != NULL);
	*t = (struct wheel_timer){.on_due = on_due, .owner = owner};
}

/* The first tick at which the whole delay has passed. */
static uint64_t tick_of(uint64_t due_ms)
{
	return due_ms / WHEEL_TICK_MS + (due_ms % WHEEL_TICK_MS != 0);
}

static void put_in_slot(struct wheel *w, struct wheel_timer *t)
{
	uint64_t tick = tick_of(t->due_ms);
	/* A slot that has been handled in this turn would wait for a whole turn. */
	if (tick <= w->tick) {
		tick = w->tick + 1;
	}
	list_push_back(&w->slots[tick % WHEEL_SLOTS], &t->node);
}

static uint64_t due_of(uint64_t now_ms, uint64_t delay_ms)
{
	uint64_t due;
	if (__builtin_add_overflow(now_ms, delay_ms, &due) ||
		due > UINT64_MAX - WHEEL_LONG_TICK_MS) {
		return UINT64_MAX - WHEEL_LONG_TICK_MS;
	}
	if (delay_ms >= WHEEL_LONG_MS) {
		due += WHEEL_LONG_TICK_MS - 1;
		due -= due % WHEEL_LONG_TICK_MS;
	}
	return due;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t now_ms, uint64_t delay_ms)
{
	wheel_disarm(w, t);
	t->due_ms = due_of(now_ms, delay_ms);
	put_in_slot(w, t);
	w->armed++;
}

void wheel_disarm(struct wheel *w, struct wheel_timer *t)
{
	if (wheel_is_armed(t)) {
		assert(w->armed > 0);
		list_remove(&t->node);
		w->armed--;
	}
}

bool wheel_is_armed(const struct wheel_timer *t)
{
	return t->node.list != NULL;
}

static void fire_slot(struct wheel *w, struct list *slot, uint64_t now_ms)
{
	/* Taken out first: what is armed by a callback for this very slot waits for another call. */
	struct list batch = {0};
	struct list_node *node;
	while ((node = list_pop_front(slot)) != NULL) {
		list_push_back(&batch, node);
	}
	while ((node = list_pop_front(&batch)) != NULL) {
		struct wheel_timer *t = LIST_OBJECT(node, struct wheel_timer, node);
		if (t->due_ms > now_ms) {
			list_push_back(slot, node);
			continue;
		}
		w->armed--;
		t->on_due(t->owner);
	}
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	uint64_t target = now_ms / WHEEL_TICK_MS;
	uint64_t tick = w->tick;
	if (target <= tick) {
		return;
	}
	/* After a long sleep one turn sees every slot. */
	if (target - tick > WHEEL_SLOTS) {
		tick = target - WHEEL_SLOTS;
	}
	/* Set before the callbacks: what they arm without delay must not fire again in this call. */
	w->tick = target;
	while (tick < target) {
		tick++;
		fire_slot(w, &w->slots[tick % WHEEL_SLOTS], now_ms);
	}
}

uint64_t wheel_next(const struct wheel *w)
{
	if (w->armed == 0) {
		return WHEEL_NEVER;
	}
	for (uint64_t i = 1; i <= WHEEL_SLOTS; i++) {
		if (w->slots[(w->tick + i) % WHEEL_SLOTS].len > 0) {
			return (w->tick + i) * WHEEL_TICK_MS;
		}
	}
	return (w->tick + WHEEL_SLOTS) * WHEEL_TICK_MS;
}
