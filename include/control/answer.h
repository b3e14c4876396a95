/*
 * Answers of the admin socket: one JSON document each, with a line end.
 *
 *	{"pools":[{"backend":"mail1","active":2, ...}]}      show pools, and so on
 *	{"kicked":1}                                         kick
 *	{"flushed":3,"forgotten":2}                          flush
 *	{"error":"there is no backend of that name"}         what went wrong
 *
 * Times are milliseconds. What clients wrote need not be UTF-8: then its bytes beyond ASCII are shown as
 * \xNN. Control thread.
 */
#ifndef IMAPMUX_CONTROL_ANSWER_H
#define IMAPMUX_CONTROL_ANSWER_H

#include "control/reload.h"
#include "control/request.h"
#include "session/inspect.h"

/* Beside what the workers told. */
struct answer_context {
	const struct running *now;
	unsigned clients; /* connected now, in all workers */
	uint64_t uptime_ms;
};

/* The report is that of all workers, added up; it may be sorted. The text is the caller's to free. */
char *answer_make(
	const struct request *r, struct inspect_report *report, const struct answer_context *c);
char *answer_error(const char *why);

#endif
