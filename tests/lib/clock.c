#include "lib/clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t ahead_ms;

void clock_jump(uint64_t ms)
{
	atomic_fetch_add(&ahead_ms, ms);
}

/* Stands before the C library's, also for libuv, whose loops ask it once a turn. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	long result = syscall(SYS_clock_gettime, clock, out);
	if (result == 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)) {
		uint64_t ahead = atomic_load(&ahead_ms);
		out->tv_sec += (time_t)(ahead / 1000);
		out->tv_nsec += (long)(ahead % 1000) * 1000000;
		if (out->tv_nsec >= 1000000000) {
			out->tv_nsec -= 1000000000;
			out->tv_sec++;
		}
	}
	return (int)result;
}
