/*
 * What the files that make answers share. Nobody else includes it.
 */
#ifndef IMAPMUX_CONTROL_ANSWER_PRIV_H
#define IMAPMUX_CONTROL_ANSWER_PRIV_H

#include <jansson.h>

#include "control/answer.h"

/* answer.c: text as JSON, null for NULL; numbers. All of these never fail. */
json_t *answer_text(const char *s);
json_t *answer_number(uint64_t n);
void answer_set(json_t *object, const char *key, json_t *value); /* takes value over */

/* answer_pool.c, answer_session.c: arrays of rows. */
json_t *answer_pools(struct inspect_report *report, const struct config *c);
json_t *answer_backends(struct inspect_report *report, const struct config *c);
json_t *answer_clients(struct inspect_report *report);
json_t *answer_sessions(struct inspect_report *report);
json_t *answer_users(struct inspect_report *report);

#endif
