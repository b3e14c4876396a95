/*
 * Small files beside the configuration that hold a secret: a password, keys.
 */
#ifndef IMAPMUX_CONFIG_SECRETFILE_H
#define IMAPMUX_CONFIG_SECRETFILE_H

#include "base/secret.h"

/*
 * Reads the file, or its first `most` bytes, and leaves no other copy of them; out is set with success
 * only. When others than owner and group may read the file, `warning` is logged with its name. NULL: done;
 * else what is wrong, static.
 */
const char *secretfile_read(const char *name, size_t most, const char *warning, struct secret *out);

#endif
