#include "lib/clock.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_A_MS = 1000000, NS_A_S = 1000000000 };

static _Atomic uint64_t ahead_ms;

/* Under the lock: when anybody last looked, and what of the time before that does not count. */
static atomic_flag is_locked = ATOMIC_FLAG_INIT;
static int64_t looked_ns, stopped_ns;

void clock_jump(uint64_t ms)
{
	atomic_fetch_add(&ahead_ms, ms);
}

static void leave_out_stops(struct timespec *now)
{
	const int64_t most = CLOCK_STEP_MS * (int64_t)NS_A_MS;
	int64_t ns = now->tv_sec * (int64_t)NS_A_S + now->tv_nsec;
	if (looked_ns > 0 && ns - looked_ns > most) {
		stopped_ns += ns - looked_ns - most;
	}
	looked_ns = ns > looked_ns ? ns : looked_ns; /* the coarse clock is a little behind */
	ns += (int64_t)atomic_load(&ahead_ms) * NS_A_MS - stopped_ns;
	now->tv_sec = ns / NS_A_S;
	now->tv_nsec = ns % NS_A_S;
}

/* Stands before the C library's, also for libuv, whose loops ask it once a turn. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	bool is_steady = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
	/* One thread at a time, or what one has read would be older than what another has left out. */
	while (is_steady && atomic_flag_test_and_set(&is_locked)) {
		sched_yield();
	}
	long result = syscall(SYS_clock_gettime, clock, out);
	if (is_steady && result == 0) {
		leave_out_stops(out);
	}
	if (is_steady) {
		atomic_flag_clear(&is_locked);
	}
	return (int)result;
}
