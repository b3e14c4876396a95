/*
 * Signals as events of the main loop: HUP asks for a reload, TERM and INT for the end. PIPE is ignored: a
 * peer that is gone is an error of write; and so are USR1 and USR2, by which logs are opened anew elsewhere.
 * Main thread.
 */
#ifndef IMAPMUX_CONTROL_SIGNALS_H
#define IMAPMUX_CONTROL_SIGNALS_H

#include <uv.h>

#include "net/loop.h"

#define SIGNALS_COUNT 3 /* HUP, TERM, INT */

struct signals {
	uv_signal_t handles[SIGNALS_COUNT];
	size_t started; /* of the handles; private */
	void (*on_reload)(void *owner);
	void (*on_terminate)(void *owner); /* each time; counting is the owner's */
	void *owner;
};

/* From now on no signal ends the process by itself: those that come before the loop runs are told when it
 * does. False: libuv refused (out of descriptors); nothing is left behind once the loop has run. */
bool signals_start(struct signals *s, struct net_loop *loop, void (*on_reload)(void *owner),
	void (*on_terminate)(void *owner), void *owner) __attribute__((warn_unused_result));

/* No callback follows. The handles close with the loop's next turns; s must live until then. */
void signals_stop(struct signals *s);

#endif
