/*
 * Prints the answer to a `show` for people.
 */
#ifndef IMAPMUX_CONTROL_SHOW_H
#define IMAPMUX_CONTROL_SHOW_H

#include <stdio.h>

#include <jansson.h>

#include "control/request.h"

/* The document is what control/answer makes for that kind. What is missing in it, because another version of
 * imapmux has answered, is shown as "-". */
void show_answer(enum request_kind kind, const json_t *document, FILE *out);

#endif
