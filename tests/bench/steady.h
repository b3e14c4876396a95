/*
 * Sessions that stay: all clients sign in, then repeat one command.
 *
 * Closed loop: each sends the next as soon as it has the reply, until plan->operations are done in all.
 * With plan->rate each client sends so many a second for plan->seconds, counted from the moment when it
 * should have sent. With neither, the sessions are idle.
 */
#ifndef IMAPMUX_BENCH_STEADY_H
#define IMAPMUX_BENCH_STEADY_H

#include "bench/client.h"
#include "bench/plan.h"

/* Connects plan->clients, runs all commands but the last once, repeats the last plan->warm_up times in
 * all, says "ready", waits, repeats, says "done", waits, and prints figures. */
void steady_run(struct client_target *target, const struct plan *plan);

#endif
