/*
 * The header as it is sent to a server.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy_header_priv.h"

struct ends {
	int family; /* AF_INET, AF_INET6; AF_UNSPEC: not both are known */
	uint8_t source[16], destination[16];
	unsigned source_port, destination_port;
};

/* A link-local address has its interface behind a percent sign, which means nothing elsewhere. */
static int parse(const char *text, uint8_t out[16])
{
	char plain[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%");
	if (n >= sizeof plain) {
		return AF_UNSPEC;
	}
	memcpy(plain, text, n);
	plain[n] = '\0';
	if (inet_pton(AF_INET, plain, out) == 1) {
		return AF_INET;
	}
	return inet_pton(AF_INET6, plain, out) == 1 ? AF_INET6 : AF_UNSPEC;
}

/* 192.0.2.7 as ::ffff:192.0.2.7 */
static void map(uint8_t address[16])
{
	memmove(address + 12, address, 4);
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
}

static struct ends ends_of(const struct proxy_header *h)
{
	struct ends e = {.family = AF_UNSPEC};
	int source = parse(h->source.address, e.source);
	int destination = parse(h->destination.address, e.destination);
	if (h->is_local || source == AF_UNSPEC || destination == AF_UNSPEC) {
		return e;
	}
	e.family = source == destination ? source : AF_INET6;
	if (source == AF_INET && e.family == AF_INET6) {
		map(e.source);
	}
	if (destination == AF_INET && e.family == AF_INET6) {
		map(e.destination);
	}
	e.source_port = (unsigned)strtoul(h->source.port, NULL, 10);
	e.destination_port = (unsigned)strtoul(h->destination.port, NULL, 10);
	return e;
}

static bool write_v1(struct buf *out, const struct ends *e)
{
	char source[INET6_ADDRSTRLEN];
	char destination[INET6_ADDRSTRLEN];
	if (e->family == AF_UNSPEC) {
		return buf_add_str(out, "PROXY UNKNOWN\r\n");
	}
	inet_ntop(e->family, e->source, source, sizeof source);
	inet_ntop(e->family, e->destination, destination, sizeof destination);
	return buf_addf(out, "PROXY %s %s %s %u %u\r\n", e->family == AF_INET ? "TCP4" : "TCP6",
		source, destination, e->source_port, e->destination_port);
}

static bool add_number(struct buf *out, unsigned n)
{
	uint8_t bytes[2] = {(uint8_t)(n >> 8), (uint8_t)n};
	return buf_add(out, span_of(bytes, sizeof bytes));
}

static bool add_tlv(struct buf *out, unsigned type, struct span value)
{
	uint8_t byte = (uint8_t)type;
	return buf_add(out, span_of(&byte, 1)) && add_number(out, (unsigned)value.n) &&
	       buf_add(out, value);
}

static bool add_ssl(struct buf *out, const struct proxy_header *h)
{
	/* Without a certificate nothing was verified: not zero. */
	static const uint8_t fixed[PROXY_SSL_FIXED] = {PROXY_SSL_FLAG, 0, 0, 0, 1};
	struct buf value;
	buf_init(&value, (size_t)PROXY_TEXT_MAX + 16);
	bool fits = buf_add(&value, span_of(fixed, sizeof fixed)) &&
		    (h->tls_version[0] == '\0' ||
			    add_tlv(&value, PROXY_TLV_SSL_VERSION, span_str(h->tls_version))) &&
		    add_tlv(out, PROXY_TLV_SSL, buf_peek(&value));
	buf_finish(&value);
	return fits;
}

/* Extensions and addresses of a connection that is relayed for somebody. */
static bool add_body(struct buf *out, const struct ends *e, const struct proxy_header *h)
{
	size_t size = e->family == AF_INET ? 4 : 16;
	return buf_add(out, span_of(e->source, size)) &&
	       buf_add(out, span_of(e->destination, size)) && add_number(out, e->source_port) &&
	       add_number(out, e->destination_port) && (!h->is_tls || add_ssl(out, h)) &&
	       (h->authority[0] == '\0' ||
		       add_tlv(out, PROXY_TLV_AUTHORITY, span_str(h->authority)));
}

static bool write_v2(struct buf *out, const struct ends *e, const struct proxy_header *h)
{
	unsigned family = e->family == AF_INET ? PROXY_FAMILY_INET : PROXY_FAMILY_INET6;
	uint8_t kind[2] = {PROXY_V2_PROXY, (uint8_t)(family << 4 | PROXY_TRANSPORT_STREAM)};
	struct buf body;
	bool fits = true;
	buf_init(&body, PROXY_HEADER_MAX - PROXY_V2_FIXED);
	if (e->family == AF_UNSPEC) {
		/* There is a form for "relayed, addresses unknown", but Dovecot 2.3 closes on it. */
		kind[0] = PROXY_V2_LOCAL;
		kind[1] = PROXY_FAMILY_UNSPEC;
	} else {
		fits = add_body(&body, e, h);
		assert(fits); /* two texts and two addresses */
	}
	fits = fits && buf_add(out, span_of(PROXY_V2_SIGNATURE, PROXY_V2_SIGNATURE_LEN)) &&
	       buf_add(out, span_of(kind, sizeof kind)) &&
	       add_number(out, (unsigned)buf_len(&body)) && buf_add(out, buf_peek(&body));
	buf_finish(&body);
	return fits;
}

bool proxy_header_write(struct buf *out, unsigned version, const struct proxy_header *header)
{
	struct ends ends = ends_of(header);
	assert(version == 1 || version == 2);
	return version == 1 ? write_v1(out, &ends) : write_v2(out, &ends, header);
}
