/*
 * A client of arbitrary bytes, a tracker, and a model server; what must hold whatever they do is
 * checked, and abort is called when it does not.
 *
 *	- what reaches the server reads as whole commands, synchronising literals, tags used once
 *	- what reaches the client reads as whole responses; literals come as they were sent
 *	- quiet means that the server has nothing open; quiet and not dirty, that it is as after sign-in
 *	  but for the mailbox and what is enabled, both of which are known
 *	- when the connection can be given back, nothing is selected, and a client that has none
 *	  gets one that has all it was told of
 *	- nothing stands still: when the client has gone and the server has spoken, all is quiet
 */
#ifndef TESTS_LIB_TRACKER_WORLD_H
#define TESTS_LIB_TRACKER_WORLD_H

#include "base/span.h"

/* Plays until all input of the client is used up. */
void tracker_world_play(struct span client, struct span choices);

#endif
