/*
 * Opens a connection to a server: resolve, try each address in turn, one deadline for all.
 *
 * Names are resolved by libuv's thread pool; literal addresses and unix sockets need none of it. Each
 * address may use an equal share of the time that is left, so that a host that swallows packets does
 * not hide the others. on_done comes exactly once, from the loop, unless the dial is cancelled; then
 * never.
 */
#ifndef IMAPMUX_NET_DIAL_H
#define IMAPMUX_NET_DIAL_H

#include "base/fail.h"
#include "config/address.h"
#include "net/loop.h"

struct dial;

/* fd >= 0: connected, non-blocking, TCP_NODELAY and keep-alive set, the callee's to close; why is
 * FAIL_NONE. fd -1: why is FAIL_RESOLVE, FAIL_CONNECT or FAIL_CONNECT_TIMEOUT, detail names the last
 * address tried and its error ("192.0.2.1 port 143: Connection refused"). The dial is freed when this
 * returns: the owner forgets it here and does not cancel it. */
typedef void dial_done_fn(void *owner, int fd, enum fail why, const char *detail);

/* The address is copied. timeout_ms bounds the whole, resolving included. */
struct dial *dial_start(struct net_loop *loop, const struct address *to, uint64_t timeout_ms,
	dial_done_fn *on_done, void *owner);

/* Nulls; NULL inside is fine. */
void dial_cancel(struct dial **d);

#endif
