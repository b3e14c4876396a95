/*
 * The home worker of a user: where all his sessions and parked connections live.
 */
#ifndef IMAPMUX_ROUTE_HOME_H
#define IMAPMUX_ROUTE_HOME_H

#include "base/span.h"

/*
 * Worker number 0..workers-1 of a user name, ASCII case ignored (servers often do, and two spellings of a user must
 * meet in one place). The same in every process, so that `imapmux route` can tell it. Pure.
 */
unsigned home_worker(struct span user, unsigned workers);

#endif
