/*
 * Networks as an operator writes them: "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", and "unix" for
 * whoever connects through a unix socket. Pure, any thread.
 */
#ifndef IMAPMUX_CONFIG_NETWORK_H
#define IMAPMUX_CONFIG_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum network_family { NETWORK_UNIX, NETWORK_V4, NETWORK_V6 };

struct network {
	enum network_family family;
	unsigned bits;     /* how many of the first bits count; those behind are zero */
	uint8_t bytes[16]; /* in network order; 4 of them for NETWORK_V4 */
};

/*
 * Understands the text; false with a static explanation in *why. Without "/n" it is one address. A bit
 * behind the prefix is an error: "10.0.0.5/8" is either one machine or sixteen million.
 */
bool network_parse(const char *text, struct network *out, const char **why);

/*
 * True when one of the networks holds the address, which is written as stream_peer_name does it: a number,
 * perhaps with a zone ("fe80::1%eth0", not compared), or "unix". "::ffff:192.0.2.7" is 192.0.2.7. Any
 * other text is in no network.
 */
bool network_has(const struct network *list, size_t count, const char *address);

#endif
