/*
 * What a run of the load generator does, from its command line; and how it keeps step with the harness,
 * which reads the proxy's CPU time between "ready" and "done".
 */
#ifndef IMAPMUX_BENCH_PLAN_H
#define IMAPMUX_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_COMMANDS 16

struct plan {
	const char *commands[PLAN_COMMANDS];
	size_t count;
	unsigned clients; /* at a time */
	unsigned opening; /* of them connecting or signing in at a time, when all stay */
	unsigned users;   /* the n-th session or client is user n % users */
	uint64_t operations, warm_up;
	double rate;      /* a second; 0: closed loop */
	double seconds;   /* of an open loop */
	uint64_t pause;   /* ns before each command of a measured session */
	bool is_tolerant; /* go on after a failed session, and count it */
};

/* Prints the word as a line, then blocks until the harness writes a line; a harness that is gone ends
 * the process. */
void plan_sync(const char *word);

#endif
