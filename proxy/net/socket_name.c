#include "net/socket_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/span.h"

static struct stream_name name_of(const struct sockaddr_storage *a)
{
	struct stream_name name = {.address = "", .port = "0"};
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;
	if (a->ss_family == AF_UNIX) {
		snprintf(name.address, sizeof name.address, "unix");
	} else if (a->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, name.address, sizeof name.address);
		snprintf(name.port, sizeof name.port, "%u", ntohs(v4->sin_port));
	} else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		/* A client of "[::]" that came by IPv4 is known by that address everywhere else. */
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], name.address, sizeof name.address);
		snprintf(name.port, sizeof name.port, "%u", ntohs(v6->sin6_port));
	} else if (a->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, name.address, sizeof name.address);
		snprintf(name.port, sizeof name.port, "%u", ntohs(v6->sin6_port));
	}
	return name;
}

static struct stream_name ask_name(int fd, int ask(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof a;
	if (fd < 0 || ask(fd, (struct sockaddr *)&a, &size) != 0) {
		a.ss_family = AF_UNSPEC; /* the peer has reset the connection */
	}
	return name_of(&a);
}

struct stream_name socket_peer_name(int fd)
{
	return ask_name(fd, getpeername);
}

struct stream_name socket_local_name(int fd)
{
	return ask_name(fd, getsockname);
}

static bool is_port(const char *text)
{
	struct span digits = span_str(text);
	uint64_t port;
	return digits.n <= 5 && span_take_number(&digits, &port) && digits.n == 0 && port <= 65535;
}

bool socket_name_parse(const char *address, const char *port, struct stream_name *out)
{
	uint8_t bytes[16];
	struct stream_name name;
	int family = inet_pton(AF_INET, address, bytes) == 1 ? AF_INET : AF_INET6;
	if (family == AF_INET6 && inet_pton(AF_INET6, address, bytes) != 1) {
		return false;
	}
	inet_ntop(family, bytes, name.address, sizeof name.address);
	snprintf(name.port, sizeof name.port, "%s", is_port(port) ? port : "0");
	*out = name;
	return true;
}
