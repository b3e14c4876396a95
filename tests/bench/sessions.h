/*
 * Whole sessions, one after another: connect, a list of commands, the end.
 *
 * Closed loop: `clients` at a time, each followed by the next. Open loop: `rate` a second, whatever the
 * server does; the time of a session counts from the moment when it should have begun, so that a proxy
 * which stalls pays for everybody it kept waiting.
 */
#ifndef IMAPMUX_BENCH_SESSIONS_H
#define IMAPMUX_BENCH_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/client.h"
#include "bench/plan.h"

/* Runs plan->warm_up sessions in a closed loop, says "ready", waits for its turn, runs plan->operations
 * sessions, says "done", waits, and prints figures: in all, and for each command. */
void sessions_run(struct client_target *target, const struct plan *plan);

#endif
