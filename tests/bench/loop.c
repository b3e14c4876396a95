#include "bench/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench/must.h"

#define EVENTS_A_TURN 256

void loop_init(struct loop *loop)
{
	*loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	if (loop->epoll < 0) {
		must_die("epoll?");
	}
}

static void bury(struct loop *loop)
{
	for (size_t i = 0; i < loop->garbage_count; i++) {
		free(loop->garbage[i]);
	}
	loop->garbage_count = 0;
}

void loop_finish(struct loop *loop)
{
	bury(loop);
	free(loop->garbage);
	free(loop->heap);
	close(loop->epoll);
	*loop = (struct loop){.epoll = -1};
}

void loop_stop(struct loop *loop)
{
	loop->is_stopping = true;
}

static void control(struct loop *loop, int operation, struct loop_source *source)
{
	struct epoll_event event = {.events = source->interest, .data.ptr = source};
	if (epoll_ctl(loop->epoll, operation, source->fd, &event) != 0) {
		must_die("epoll_ctl?");
	}
}

void loop_watch(struct loop *loop, struct loop_source *source, int fd, uint32_t interest)
{
	assert(!source->is_watched);
	assert(source->on_ready != NULL);
	source->fd = fd;
	source->interest = interest;
	source->is_watched = true;
	control(loop, EPOLL_CTL_ADD, source);
}

void loop_change(struct loop *loop, struct loop_source *source, uint32_t interest)
{
	assert(source->is_watched);
	if (source->interest != interest) {
		source->interest = interest;
		control(loop, EPOLL_CTL_MOD, source);
	}
}

void loop_forget(struct loop *loop, struct loop_source *source)
{
	if (source->is_watched) {
		control(loop, EPOLL_CTL_DEL, source);
		source->is_watched = false;
	}
}

uint64_t loop_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * LOOP_SECOND + (uint64_t)now.tv_nsec;
}

/* A binary heap: the first timer is due first; a timer knows its place, so that it can be moved. */

static void put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place - 1] = timer;
	timer->place = place;
}

static void rise(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	while (place > 1 && loop->heap[place / 2 - 1]->due > timer->due) {
		put(loop, place, loop->heap[place / 2 - 1]);
		place /= 2;
	}
	put(loop, place, timer);
}

static void sink(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	while (place * 2 <= loop->timers) {
		size_t child = place * 2;
		if (child < loop->timers && loop->heap[child]->due < loop->heap[child - 1]->due) {
			child++;
		}
		if (loop->heap[child - 1]->due >= timer->due) {
			break;
		}
		put(loop, place, loop->heap[child - 1]);
		place = child;
	}
	put(loop, place, timer);
}

void loop_at(struct loop *loop, struct loop_timer *timer, uint64_t due)
{
	assert(timer->on_due != NULL);
	loop_cancel(loop, timer);
	timer->due = due;
	loop->timers++;
	loop->heap = must_grow(loop->heap, &loop->heap_capacity, loop->timers, sizeof(void *));
	timer->place = loop->timers;
	rise(loop, timer);
}

void loop_cancel(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	if (place == 0) {
		return;
	}
	assert(loop->heap[place - 1] == timer);
	timer->place = 0;
	struct loop_timer *last = loop->heap[--loop->timers];
	if (last == timer) {
		return;
	}
	last->place = place;
	rise(loop, last);
	sink(loop, last);
}

void loop_free_later(struct loop *loop, void *memory)
{
	loop->garbage = must_grow(loop->garbage, &loop->garbage_capacity, loop->garbage_count + 1,
		sizeof(*loop->garbage));
	loop->garbage[loop->garbage_count++] = memory;
}

static void run_timers(struct loop *loop)
{
	uint64_t now = loop_now();
	while (loop->timers > 0 && loop->heap[0]->due <= now && !loop->is_stopping) {
		struct loop_timer *timer = loop->heap[0];
		loop_cancel(loop, timer);
		timer->on_due(timer);
	}
}

static int wait_for_events(struct loop *loop, struct epoll_event *events)
{
	/* In nanoseconds: a schedule of whole milliseconds would shift what is measured. */
	struct timespec timeout = {0};
	if (loop->timers > 0) {
		uint64_t now = loop_now(), due = loop->heap[0]->due;
		uint64_t left = due > now ? due - now : 0;
		timeout.tv_sec = (time_t)(left / LOOP_SECOND);
		timeout.tv_nsec = (long)(left % LOOP_SECOND);
	}
	int n = epoll_pwait2(
		loop->epoll, events, EVENTS_A_TURN, loop->timers > 0 ? &timeout : NULL, NULL);
	if (n < 0 && errno != EINTR) {
		must_die("epoll_pwait2?");
	}
	return n < 0 ? 0 : n;
}

void loop_run(struct loop *loop)
{
	loop->is_stopping = false;
	while (!loop->is_stopping) {
		struct epoll_event events[EVENTS_A_TURN];
		int n = wait_for_events(loop, events);
		for (int i = 0; i < n; i++) {
			struct loop_source *source = events[i].data.ptr;
			if (source->is_watched) {
				source->on_ready(source, events[i].events);
			}
		}
		run_timers(loop);
		bury(loop);
	}
}
