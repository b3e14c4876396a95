#include "config/network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"

#define UNIX_WORD "unix"

/* How an IPv6 socket names an IPv4 client. */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool fail(const char **why, const char *text)
{
	*why = text;
	return false;
}

/* The number alone; what is longer is no address. */
static bool parse_number(struct span text, struct network *out)
{
	char plain[INET6_ADDRSTRLEN];
	struct network n = {.family = NETWORK_V4, .bits = 32};
	if (text.n >= sizeof plain || span_find(text, '\0') < text.n) {
		return false;
	}
	snprintf(plain, sizeof plain, "%.*s", SPAN_ARG(text));
	if (inet_pton(AF_INET, plain, n.bytes) != 1) {
		n.family = NETWORK_V6;
		n.bits = 128;
		if (inet_pton(AF_INET6, plain, n.bytes) != 1) {
			return false;
		}
	}
	*out = n;
	return true;
}

static bool bit_is_set(const struct network *n, unsigned bit)
{
	return (n->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static bool parse_prefix(struct span text, struct network *n, const char **why)
{
	uint64_t bits;
	unsigned most = n->bits;
	if (!span_take_number(&text, &bits) || text.n > 0 || bits > most) {
		return fail(why, most == 32 ? "behind the slash stands a number from 0 to 32"
					    : "behind the slash stands a number from 0 to 128");
	}
	for (unsigned i = (unsigned)bits; i < most; i++) {
		if (bit_is_set(n, i)) {
			return fail(why, "has bits behind its prefix: write the first address of "
					 "the network, or one address without a slash");
		}
	}
	n->bits = (unsigned)bits;
	return true;
}

/* What an IPv6 socket calls an IPv4 network is that network. */
static void unmap(struct network *n)
{
	if (n->family == NETWORK_V6 && n->bits >= 96 &&
		memcmp(n->bytes, mapped, sizeof mapped) == 0) {
		n->family = NETWORK_V4;
		n->bits -= 96;
		memmove(n->bytes, n->bytes + sizeof mapped, 4);
	}
}

bool network_parse(const char *text, struct network *out, const char **why)
{
	struct span rest = span_str(text);
	struct network n = {.family = NETWORK_UNIX};
	if (!span_is(rest, UNIX_WORD)) {
		struct span number = span_take_until(&rest, "/");
		if (!parse_number(number, &n)) {
			return fail(why, "must be an address, a network such as 10.0.0.0/8, or "
					 "unix");
		}
		if (span_take(&rest, '/') && !parse_prefix(rest, &n, why)) {
			return false;
		}
		unmap(&n);
	}
	*out = n;
	return true;
}

static bool is_within(const struct network *n, const struct network *address)
{
	if (n->family != address->family) {
		return false;
	}
	size_t whole = n->bits / 8;
	uint8_t mask = (uint8_t)(0xff << (8 - n->bits % 8));
	assert(n->bits <= 128);
	return memcmp(n->bytes, address->bytes, whole) == 0 &&
	       (n->bits % 8 == 0 || ((n->bytes[whole] ^ address->bytes[whole]) & mask) == 0);
}

static bool parse_peer(const char *address, struct network *out)
{
	struct span text = span_str(address);
	if (span_is(text, UNIX_WORD)) {
		*out = (struct network){.family = NETWORK_UNIX};
		return true;
	}
	text.n = span_find(text, '%');
	if (!parse_number(text, out)) {
		return false;
	}
	unmap(out);
	return true;
}

bool network_has(const struct network *list, size_t count, const char *address)
{
	struct network peer;
	if (count == 0 || !parse_peer(address, &peer)) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (is_within(&list[i], &peer)) {
			return true;
		}
	}
	return false;
}
