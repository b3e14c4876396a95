/*
 * The text is taken apart from the front by the bounded cursor; nothing is resolved, so that a check
 * of the configuration needs no network.
 */
#include "config/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/span.h"

#define UNIX_PREFIX "unix:"

/* RFC 1035 section 2.3.4. */
#define HOST_MAX 253

static bool fail(const char **why, const char *text)
{
	*why = text;
	return false;
}

static bool parse_unix(struct span path, struct address *out, const char **why)
{
	struct sockaddr_un sample;
	/* A relative path would depend on where the process was started. */
	if (path.n == 0 || path.p[0] != '/') {
		return fail(why, "the path of a unix socket must begin with /");
	}
	/* One byte less than the kernel's array, which then always ends in NUL. */
	static_assert(sizeof sample.sun_path == ADDRESS_PATH_MAX + 1, "what the message says");
	if (path.n > ADDRESS_PATH_MAX) {
		return fail(why, "the path of a unix socket is longer than 107 bytes");
	}
	*out = (struct address){
		.kind = ADDRESS_UNIX,
		.path = xmemdup0(path.p, path.n),
		.is_loopback = true,
	};
	return true;
}

/* Letters, digits and hyphens (RFC 952), dots between labels, and the underscore that is met inside. */
static bool is_host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

static bool is_host_name(struct span host)
{
	for (size_t i = 0; i < host.n; i++) {
		if (!is_host_byte(host.p[i])) {
			return false;
		}
	}
	return host.n > 0 && host.n <= HOST_MAX && host.p[0] != '-' && host.p[0] != '.';
}

/* "1.2.3" or "300.1.1.1" is no name that anybody means. */
static bool looks_numeric(const char *host)
{
	return host[strspn(host, "0123456789.")] == '\0';
}

static bool is_loopback6(const struct in6_addr *a)
{
	/* ::ffff:127.0.0.1 reaches the same sockets as 127.0.0.1 (RFC 4291 section 2.5.5.2). */
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return IN6_IS_ADDR_LOOPBACK(a) ||
	       (memcmp(a->s6_addr, mapped, sizeof mapped) == 0 && a->s6_addr[12] == 127);
}

static bool parse_port(struct span text, uint16_t *port)
{
	uint64_t n;
	if (!span_take_number(&text, &n) || text.n != 0 || n == 0 || n > UINT16_MAX) {
		return false;
	}
	*port = (uint16_t)n;
	return true;
}

/* Checks the host and tells whether it is a loopback address. */
static bool check_host(const char *host, bool is_bracketed, bool *is_loopback, const char **why)
{
	struct in_addr v4;
	struct in6_addr v6;
	*is_loopback = false;
	if (is_bracketed) {
		if (inet_pton(AF_INET6, host, &v6) != 1) {
			return fail(why, "what stands in brackets is not an IPv6 address");
		}
		*is_loopback = is_loopback6(&v6);
		return true;
	}
	if (inet_pton(AF_INET, host, &v4) == 1) {
		*is_loopback = (ntohl(v4.s_addr) >> 24) == 127;
		return true;
	}
	if (!is_host_name(span_str(host)) || looks_numeric(host)) {
		return fail(why, "the host is neither a name nor an address");
	}
	return true;
}

static bool parse_inet(struct span text, struct address *out, const char **why)
{
	struct span host;
	bool is_bracketed = span_take(&text, '[');
	if (is_bracketed) {
		host = span_take_until(&text, "]");
		if (!span_take(&text, ']')) {
			return fail(why, "the ] behind the IPv6 address is missing");
		}
	} else {
		host = span_take_until(&text, ":");
	}
	if (!span_take(&text, ':')) {
		return fail(why, "the port is missing: \"host:port\" or \"unix:/path\"");
	}
	if (!is_bracketed && span_find(text, ':') != text.n) {
		return fail(why, "an IPv6 address stands in brackets: \"[::1]:143\"");
	}
	uint16_t port;
	if (!parse_port(text, &port)) {
		return fail(why, "the port is not a number from 1 to 65535");
	}
	if (host.n == 0) {
		return fail(why, "the host is missing: all addresses are \"0.0.0.0\" or \"[::]\"");
	}
	assert(port > 0);
	char *name = xmemdup0(host.p, host.n); /* inet_pton wants a NUL */
	bool is_loopback;
	if (!check_host(name, is_bracketed, &is_loopback, why)) {
		free(name);
		return false;
	}
	*out = (struct address){
		.kind = ADDRESS_INET, .host = name, .port = port, .is_loopback = is_loopback};
	return true;
}

bool address_parse(const char *text, struct address *out, const char **why)
{
	struct span rest = span_str(text);
	/* Lower case only: "UNIX:143" could be meant as a host. */
	bool is_unix = strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
	bool good;
	if (is_unix) {
		good = parse_unix(span_slice(rest, strlen(UNIX_PREFIX), rest.n), out, why);
	} else {
		good = parse_inet(rest, out, why);
	}
	if (good) {
		assert((out->host != NULL) != (out->path != NULL));
		out->text = xstrdup(text);
	}
	return good;
}

static bool parse_ipv6(const struct address *a, struct in6_addr *out)
{
	return a->kind == ADDRESS_INET && a->host != NULL && inet_pton(AF_INET6, a->host, out) == 1;
}

bool address_is_any6(const struct address *a)
{
	struct in6_addr v6;
	return parse_ipv6(a, &v6) && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

bool address_is_ipv6(const struct address *a)
{
	struct in6_addr v6;
	return parse_ipv6(a, &v6);
}

void address_finish(struct address *a)
{
	free(a->text);
	free(a->host);
	free(a->path);
	*a = (struct address){0};
}
