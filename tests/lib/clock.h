/*
 * Time for tests: a jump of the steady clock, as every time-out of the program sees it. A test of an hour
 * takes no longer than one of a moment, and no bound needs to be shrunk for it.
 */
#ifndef IMAPMUX_LIB_CLOCK_H
#define IMAPMUX_LIB_CLOCK_H

#include <stdint.h>

/* From now on it is that much later, for all threads and for the rest of the program's life. A loop
 * learns of it in its next turn. */
void clock_jump(uint64_t ms);

#endif
