/*
 * A timer wheel: thousands of time-outs for the price of one event-loop timer.
 *
 * Time is an argument (milliseconds of any steady clock), so tests need no waiting. Arming, moving and
 * disarming cost O(1); a time-out fires up to WHEEL_TICK_MS late, never early. A long time-out is
 * looked at once per turn of the wheel, and fires up to WHEEL_LONG_TICK_MS late: together with others, or
 * thousands of idle sessions would wake the loop at every tick. Belongs to one thread.
 */
#ifndef IMAPMUX_BASE_WHEEL_H
#define IMAPMUX_BASE_WHEEL_H

#include <stdint.h>

#include "base/list.h"

#define WHEEL_TICK_MS 16  /* finer than any deadline here needs */
#define WHEEL_SLOTS   512 /* one turn: 8.2 s; most time-outs of the pool are longer and rare */

/* Long is what takes a turn at least. */
#define WHEEL_LONG_MS      ((uint64_t)WHEEL_TICK_MS * WHEEL_SLOTS)
#define WHEEL_LONG_TICK_MS ((uint64_t)WHEEL_TICK_MS * 32)

/* No time-out is armed. */
#define WHEEL_NEVER UINT64_MAX

struct wheel_timer {
	struct list_node node;
	uint64_t due_ms; /* rounded up, when it is long */
	void (*on_due)(
		void *owner); /* called with the timer disarmed; may arm it again or free it */
	void *owner;
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t tick; /* the last tick that was handled */
	size_t armed;
};

/* An empty wheel whose time begins at now_ms. */
void wheel_init(struct wheel *w, uint64_t now_ms);

/* Names who is called. The timer starts disarmed. */
void wheel_timer_init(struct wheel_timer *t, void (*on_due)(void *owner), void *owner);

/* Arms (or moves) the timer to fire at now_ms + delay_ms or up to a tick (a long tick) later. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t now_ms, uint64_t delay_ms);

/* Disarms; nothing happens when it is not armed. */
void wheel_disarm(struct wheel *w, struct wheel_timer *t);

bool wheel_is_armed(const struct wheel_timer *t);

/* Fires all that is due at now_ms, each at most once. */
void wheel_advance(struct wheel *w, uint64_t now_ms);

/*
 * A time (same clock) at which wheel_advance should be called again: not later than the next due
 * time-out by more than a tick, at most one turn away. WHEEL_NEVER when nothing is armed.
 */
uint64_t wheel_next(const struct wheel *w);

#endif
