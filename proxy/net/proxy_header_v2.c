/*
 * Version 2 of the header, once it is whole.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

#include "proxy_header_priv.h"

/* Bit by bit: a header is short, and none but this one is ever summed. */
uint32_t proxy_crc32c(uint32_t crc, struct span bytes)
{
	crc = ~crc;
	for (size_t i = 0; i < bytes.n; i++) {
		crc ^= bytes.p[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78U : 0);
		}
	}
	return ~crc;
}

static unsigned two_bytes(struct span s)
{
	assert(s.n >= 2);
	return (unsigned)s.p[0] << 8 | s.p[1];
}

/* Addresses. */

static bool take_inet(struct span *in, int family, size_t size, struct proxy_header *out)
{
	struct span source;
	struct span destination;
	struct span ports;
	if (!span_take_bytes(in, size, &source) || !span_take_bytes(in, size, &destination) ||
		!span_take_bytes(in, 4, &ports)) {
		return false;
	}
	struct stream_name *from = &out->source;
	struct stream_name *to = &out->destination;
	inet_ntop(family, source.p, from->address, sizeof from->address);
	inet_ntop(family, destination.p, to->address, sizeof to->address);
	snprintf(from->port, sizeof from->port, "%u", two_bytes(ports));
	snprintf(to->port, sizeof to->port, "%u", two_bytes(span_slice(ports, 2, 4)));
	return true;
}

/* Paths of sockets say nothing to anybody: the client is on the sender's machine. */
static bool take_unix(struct span *in, struct proxy_header *out)
{
	static const struct stream_name name = {.address = "unix", .port = "0"};
	struct span paths;
	out->source = out->destination = name;
	return span_take_bytes(in, 216, &paths);
}

static bool take_addresses(struct span *in, unsigned family, struct proxy_header *out)
{
	switch (family) {
	case PROXY_FAMILY_INET:
		return take_inet(in, AF_INET, 4, out);
	case PROXY_FAMILY_INET6:
		return take_inet(in, AF_INET6, 16, out);
	case PROXY_FAMILY_UNIX:
		return take_unix(in, out);
	default:
		out->is_local = true; /* the sender knows none */
		return true;
	}
}

/* Extensions. */

struct tlv {
	uint8_t type;
	struct span value;
};

static bool take_tlv(struct span *in, struct tlv *out)
{
	struct span head;
	struct tlv tlv;
	if (!span_take_bytes(in, 3, &head)) {
		return false;
	}
	tlv.type = head.p[0];
	if (!span_take_bytes(in, two_bytes(span_slice(head, 1, 3)), &tlv.value)) {
		return false;
	}
	*out = tlv;
	return true;
}

/* Into a log and to a server goes only what cannot be taken for anything else there. */
static void keep_text(proxy_text out, struct span value)
{
	out[0] = '\0';
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f) {
			return;
		}
	}
	if (value.n < PROXY_TEXT_MAX) {
		snprintf(out, PROXY_TEXT_MAX, "%.*s", SPAN_ARG(value));
	}
}

static const char *take_ssl(struct span in, struct proxy_header *out)
{
	struct span fixed;
	struct tlv tlv;
	if (!span_take_bytes(&in, PROXY_SSL_FIXED, &fixed)) {
		return "SSL extension cut off";
	}
	out->is_tls = (fixed.p[0] & PROXY_SSL_FLAG) != 0;
	while (in.n > 0) {
		if (!take_tlv(&in, &tlv)) {
			return "SSL extension cut off";
		}
		if (tlv.type == PROXY_TLV_SSL_VERSION) {
			keep_text(out->tls_version, tlv.value);
		}
	}
	return NULL;
}

/* The sum is that of the header with zeros in the place of the sum. */
static const char *check_sum(struct span header, struct span sum)
{
	static const uint8_t zeros[4];
	if (sum.n != sizeof zeros) {
		return "checksum of the wrong length";
	}
	size_t at = (size_t)(sum.p - header.p);
	uint32_t crc = proxy_crc32c(0, span_slice(header, 0, at));
	crc = proxy_crc32c(crc, span_of(zeros, sizeof zeros));
	crc = proxy_crc32c(crc, span_slice(header, at + sizeof zeros, header.n));
	uint32_t said = (uint32_t)two_bytes(sum) << 16 | two_bytes(span_slice(sum, 2, 4));
	return crc == said ? NULL : "checksum wrong";
}

static const char *take_extension(
	struct span header, const struct tlv *tlv, struct proxy_header *out)
{
	switch (tlv->type) {
	case PROXY_TLV_ALPN:
		keep_text(out->alpn, tlv->value);
		return NULL;
	case PROXY_TLV_AUTHORITY:
		keep_text(out->authority, tlv->value);
		return NULL;
	case PROXY_TLV_UNIQUE_ID:
		keep_text(out->unique_id, tlv->value);
		return NULL;
	case PROXY_TLV_CRC32C:
		return check_sum(header, tlv->value);
	case PROXY_TLV_SSL:
		return take_ssl(tlv->value, out);
	default:
		return NULL; /* padding, network names, what a sender made up */
	}
}

const char *proxy_v2_parse(struct span header, struct proxy_header *out)
{
	assert(header.n >= PROXY_V2_FIXED);
	unsigned command = header.p[12];
	unsigned family = header.p[13] >> 4;
	unsigned transport = header.p[13] & 0xf;
	struct span rest = span_slice(header, PROXY_V2_FIXED, header.n);
	struct tlv tlv;
	if (command == PROXY_V2_LOCAL) {
		out->is_local = true; /* and the rest means nothing */
		return NULL;
	}
	if (command != PROXY_V2_PROXY) {
		return "neither PROXY nor LOCAL";
	}
	if (family > PROXY_FAMILY_UNIX || transport > PROXY_TRANSPORT_STREAM) {
		return "not a stream of a known family";
	}
	if (!take_addresses(&rest, family, out)) {
		return "addresses cut off";
	}
	while (rest.n > 0) {
		if (!take_tlv(&rest, &tlv)) {
			return "extension cut off";
		}
		const char *why = take_extension(header, &tlv, out);
		if (why != NULL) {
			return why;
		}
	}
	return NULL;
}
