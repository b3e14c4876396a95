/*
 * Who is at the ends of a socket, as text. Any thread.
 */
#ifndef IMAPMUX_NET_SOCKET_NAME_H
#define IMAPMUX_NET_SOCKET_NAME_H

#include <netinet/in.h>
#include <stdbool.h>

/* "192.0.2.1" and "55012"; for unix sockets "unix" and "0"; "" and "0" when it is not known. */
struct stream_name {
	char address[INET6_ADDRSTRLEN];
	char port[6];
};

/* "" once the peer has reset the connection, so ask early. */
struct stream_name socket_peer_name(int fd);
struct stream_name socket_local_name(int fd);

/* A name from text: the address a number, written anew so that equal addresses are equal texts; what is no
 * port becomes "0". False, and *out untouched: it is no address. */
bool socket_name_parse(const char *address, const char *port, struct stream_name *out);

#endif
