/* Options of every TCP socket, accepted or dialled. */
#ifndef IMAPMUX_NET_SOCKET_PRIV_H
#define IMAPMUX_NET_SOCKET_PRIV_H

#include <stdbool.h>

/* A peer that is gone is noticed after SOCKET_KEEP_IDLE + 4 * SOCKET_KEEP_INTERVAL seconds of silence,
 * or when what was sent is not acknowledged for SOCKET_USER_TIMEOUT. */
#define SOCKET_KEEP_IDLE     120
#define SOCKET_KEEP_INTERVAL 30
#define SOCKET_KEEP_PROBES   4
#define SOCKET_USER_TIMEOUT  60000 /* ms */

/* No Nagle (a sign-in would wait 40 ms for a delayed acknowledgement), keep-alive, time-outs. On a
 * listening socket: Linux hands them down to what is accepted. Nothing happens to a unix socket. */
void socket_tune(int fd);

/* An int-valued option; false: refused. */
bool socket_set(int fd, int level, int option, int value);

#endif
