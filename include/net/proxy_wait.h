/*
 * Waits for the PROXY header of an accepted connection and hands the connection on as if it had just been
 * accepted: not one byte behind the header is read, so that a TLS handshake or an IMAP dialogue begins
 * on it as on any other. On one loop's thread.
 */
#ifndef IMAPMUX_NET_PROXY_WAIT_H
#define IMAPMUX_NET_PROXY_WAIT_H

#include "net/loop.h"
#include "net/proxy_header.h"

/* A sender writes it together with its connect. */
#define PROXY_WAIT_MS 5000

struct proxy_wait;

/*
 * Comes once, from the loop, unless it was stopped before. fd >= 0: the callee's, with the header in
 * *header (valid during the call). fd -1: the connection was closed; why tells the log what was wrong
 * ("" : the sender left without a byte, as a check of an open port does). It is freed when this returns.
 */
typedef void proxy_wait_fn(void *owner, int fd, const struct proxy_header *header, const char *why);

/* Takes over a connected, non-blocking socket. NULL: libuv refused; it is closed. */
struct proxy_wait *proxy_wait_start(
	struct net_loop *loop, int fd, proxy_wait_fn *on_done, void *owner);

/* Closes the connection; no on_done follows. Nulls; NULL inside is fine. Freed by the loop. */
void proxy_wait_stop(struct proxy_wait **w);

#endif
