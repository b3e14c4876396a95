/*
 * One question to a running proxy over its admin socket, from a command. Blocks; one thread.
 */
#ifndef IMAPMUX_CONTROL_ASK_H
#define IMAPMUX_CONTROL_ASK_H

#include "control/command_admin.h"
#include "base/buf.h"

/* Longer than any worker is waited for (control/admin.h). */
#define ASK_PATIENCE_S 20
/* An answer about a million sessions. */
#define ASK_ANSWER_MAX ((size_t)1 << 30)

/*
 * Sends these words and reads the answer, a JSON document without its line end, into an empty buf with the
 * cap ASK_ANSWER_MAX. Returns an exit status; unless it is CONTROL_OK, stderr says why.
 */
int ask_proxy(
	const struct command_admin *a, const char *const *words, size_t count, struct buf *answer);

#endif
