/*
 * What the servers of a pool offer before anybody signs in. Each is asked from time to time
 * (capabilities.probe) by one worker for all; the pool sees to it. On the worker's thread.
 */
#ifndef IMAPMUX_BACKEND_PROBE_H
#define IMAPMUX_BACKEND_PROBE_H

#include "backend/pool.h"

struct route_table;

/*
 * What clients may be told before sign-in: the words, AUTH= among them, that every server offers that a
 * rule leads to and that could be reached when it was tried last (or, when none could, that ever was).
 * Empty as long as one of them was not tried yet. routes are those of the configuration that
 * pool_configure was given last. Valid until the next call.
 */
struct span pool_offered(struct pool *p, const struct route_table *routes);

#endif
