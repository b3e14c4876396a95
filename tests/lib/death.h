/*
 * Calls that must end the process: run in a child, so that the test can look on.
 */
#ifndef IMAPMUX_TESTS_LIB_DEATH_H
#define IMAPMUX_TESTS_LIB_DEATH_H

#include <stdbool.h>

/* True when the call did not return: a signal, or a sanitizer's exit. Its last words are not shown. */
bool death_of(void (*call)(void *arg), void *arg);

#endif
