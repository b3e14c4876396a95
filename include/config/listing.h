/*
 * The settings in force, each as an operator would write it: for `imapmux show config`.
 *
 * Driven by the schema: a new key appears by itself. Settings that are not supported yet are left out. No
 * setting is a secret: passwords stand in files of their own. Pure, any thread.
 */
#ifndef IMAPMUX_CONFIG_LISTING_H
#define IMAPMUX_CONFIG_LISTING_H

#include "config/config.h"

/* One setting: "pool.idle_timeout", "5m"; elements of lists are counted: "backends[0].name". Valid during
 * the call only. is_default: it is what holds when nothing is said. */
typedef void listing_fn(void *owner, const char *path, const char *value, bool is_default);

/* Tells all of them in the order of the sample configuration. */
void config_list(const struct config *c, listing_fn *tell, void *owner);

#endif
