/*
 * Values that an operator writes as text with a unit: durations, sizes, permission bits.
 *
 * Each function reads the whole text or nothing: false when it is not of that form or does not fit,
 * and then the out-parameter is untouched. Pure, any thread.
 */
#ifndef IMAPMUX_CONFIG_VALUE_H
#define IMAPMUX_CONFIG_VALUE_H

#include "base/span.h"

/* "500ms" "30s" "5m" "1h" "2d", or a bare number of seconds; the result is in milliseconds. */
bool value_duration(struct span text, uint64_t *ms);

/* Seconds to milliseconds with an overflow check. */
bool value_seconds(uint64_t seconds, uint64_t *ms);

/* "64k" "1m" "1g" (powers of 1024), or a bare number of bytes. */
bool value_size(struct span text, uint64_t *bytes);

/* One to four octal digits: "660", "0660"; at most 0777. */
bool value_mode(struct span text, unsigned *mode);

/* "true" or "false". */
bool value_bool(struct span text, bool *out);

/*
 * Number (from 0) of the word among choices that are separated by '|': value_choice("b", "a|b") is
 * 1. False: none of them.
 */
bool value_choice(struct span text, const char *choices, unsigned *number);

/* Writes ms as a reader would ("5m", "90s", "500ms") into at least VALUE_TEXT_MAX bytes. */
#define VALUE_TEXT_MAX 32
void value_print_duration(uint64_t ms, char *out);

/* Writes bytes as "64k", "1m" or a bare number into at least VALUE_TEXT_MAX bytes. */
void value_print_size(uint64_t bytes, char *out);

#endif
