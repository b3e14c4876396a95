/*
 * An event loop of one thread: descriptors by epoll, timers in a heap, times in nanoseconds.
 *
 * It is not libuv on purpose: what measures the proxy shares no code with it, so that no trick or fault
 * of the one hides in the other. Everything here is for one thread.
 */
#ifndef IMAPMUX_BENCH_LOOP_H
#define IMAPMUX_BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_SECOND      UINT64_C(1000000000)
#define LOOP_MILLISECOND UINT64_C(1000000)

/* A watched descriptor, inside the object that owns it. on_ready gets EPOLLIN, EPOLLOUT, ... */
struct loop_source {
	void (*on_ready)(struct loop_source *source, uint32_t events);
	int fd;
	uint32_t interest;
	bool is_watched; /* events that were fetched before loop_forget do not arrive after it */
};

/* A moment, inside the object that waits for it. Zeroed but for on_due before its first use. */
struct loop_timer {
	void (*on_due)(struct loop_timer *timer);
	uint64_t due;
	size_t place; /* in the heap, counted from 1; 0: not set */
};

struct loop {
	int epoll;
	bool is_stopping;
	struct loop_timer **heap;
	size_t timers, heap_capacity;
	void **garbage;
	size_t garbage_count, garbage_capacity;
};

void loop_init(struct loop *loop);
/* Frees the loop's own memory; sources and timers belong to others. */
void loop_finish(struct loop *loop);

/* Runs until loop_stop is called. May be run again. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Starts, changes and ends watching; the descriptor stays open. Forgetting twice is harmless. */
void loop_watch(struct loop *loop, struct loop_source *source, int fd, uint32_t interest);
void loop_change(struct loop *loop, struct loop_source *source, uint32_t interest);
void loop_forget(struct loop *loop, struct loop_source *source);

/* CLOCK_MONOTONIC. */
uint64_t loop_now(void);

/* Sets a timer, also one that is set already. Due in the past: in the next turn. */
void loop_at(struct loop *loop, struct loop_timer *timer, uint64_t due);
void loop_cancel(struct loop *loop, struct loop_timer *timer);

/* Frees at the end of the turn: for an object that closes itself inside its own event. */
void loop_free_later(struct loop *loop, void *memory);

#endif
