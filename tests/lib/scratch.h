/*
 * Files of a test: a private folder that is removed with all it holds.
 */
#ifndef IMAPMUX_TESTS_SCRATCH_H
#define IMAPMUX_TESTS_SCRATCH_H

#include <stddef.h>

#include "config/config.h"

/* Makes the folder on first use; its path. Never NULL. */
const char *scratch_dir(void);

/* Writes a file into the folder, replacing an old one; its path, valid until scratch_remove. */
const char *scratch_write(const char *name, const char *text);
const char *scratch_write_bytes(const char *name, const void *bytes, size_t n);

/* Removes the folder and forgets the paths. */
void scratch_remove(void);

/*
 * Loads a configuration that consists of the text (as test.conf in the folder). Fails the running
 * test, and shows the errors, when it does not load.
 */
struct config *scratch_config(const char *text);

/* Loads a text that must be refused; all its errors in one string, a line each, for free(). */
char *scratch_config_errors(const char *text);

#endif
