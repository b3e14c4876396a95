#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "socket_priv.h"

bool socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

void socket_tune(int fd)
{
	/* Failures are of no consequence to correctness: a unix socket has none of these. */
	if (socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1)) {
		socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		socket_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, SOCKET_KEEP_IDLE);
		socket_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, SOCKET_KEEP_INTERVAL);
		socket_set(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCKET_KEEP_PROBES);
		socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SOCKET_USER_TIMEOUT);
	}
}
