/*
 * Listening sockets. Bound by the main thread (before privileges are dropped), one socket per worker
 * and address with SO_REUSEPORT, accepted from by the worker that owns it, in batches.
 */
#ifndef IMAPMUX_NET_LISTENER_H
#define IMAPMUX_NET_LISTENER_H

#include "config/config.h"
#include "net/loop.h"

/* Accepted per turn, so that a connection storm does not starve signed-in sessions: each costs 30 us. */
#define LISTENER_BATCH 4

/* While so many steps of handshakes wait, nobody is accepted: a storm is held by the kernel's backlog,
 * where a client costs no memory of ours and the time-outs of his handshake do not run yet. */
#define LISTENER_BUSY 64

/*
 * Binds and listens: fills fds[0..count) with one descriptor per worker (for a unix socket duplicates of
 * one; a stale socket file is replaced, its mode set). 0, or an errno value with a text in *why; then
 * no descriptor is left open.
 */
int listener_bind(const struct config_listener *l, size_t count, int *fds, const char **why);

struct listener;

/* A client has connected: fd is non-blocking, close-on-exec, and the callee's to close. */
typedef void listener_accept_fn(void *owner, int fd);

/* Accepts on fd (taken over) from the next turn on. Out of descriptors: pauses for a moment and tries
 * again, which is logged once until it succeeds. NULL: libuv refused; fd is closed. */
struct listener *listener_start(
	struct net_loop *loop, int fd, listener_accept_fn *on_accept, void *owner);

/* Stops accepting and closes; no on_accept follows. Nulls; NULL inside is fine. Freed by the loop. */
void listener_stop(struct listener **l);

#endif
