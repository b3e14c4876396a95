/*
 * imapmux check -c FILE
 */
#ifndef IMAPMUX_CONTROL_COMMAND_CHECK_H
#define IMAPMUX_CONTROL_COMMAND_CHECK_H

#include "config/errors.h"

/*
 * Does all that a start does before it binds: reads the file, the user map and every certificate.
 * 0 and "ok" on stdout; or 2 and every error on stderr, a line each.
 */
int command_check(const char *config_file);

/* Writes the lines to stderr. */
void command_print_errors(const struct config_errors *errors);

#endif
