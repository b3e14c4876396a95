/*
 * Time for tests: a jump of the steady clock, as every time-out of the program sees it. A test of an hour
 * takes no longer than one of a moment, and no bound needs to be shrunk for it.
 *
 * Where a busy machine lets the program wait, time waits too: between two looks at the steady clock, by
 * whichever thread, no more than CLOCK_STEP_MS pass. So what is not yet due after a jump is not due because
 * the machine was slow, either.
 */
#ifndef IMAPMUX_LIB_CLOCK_H
#define IMAPMUX_LIB_CLOCK_H

#include <stdint.h>

/* A loop of the tests looks more often (lib/looper.c). */
#define CLOCK_STEP_MS 20

/* From now on it is that much later, for all threads and for the rest of the program's life. A loop
 * learns of it in its next turn. */
void clock_jump(uint64_t ms);

#endif
