/*
 * The reader gathers exactly the bytes of one header: a line for version 1, and for version 2 the fixed part
 * first, which tells the length. Law 5 has a cousin here: a reader that takes a byte more takes it
 * from the ClientHello, and one that takes a byte less gives it to IMAP (SECURITY.md S3).
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

#include "proxy_header_priv.h"

void proxy_reader_init(struct proxy_reader *r)
{
	buf_init(&r->bytes, PROXY_HEADER_MAX);
	r->why = NULL;
}

void proxy_reader_finish(struct proxy_reader *r)
{
	buf_finish(&r->bytes);
}

const char *proxy_reader_why(const struct proxy_reader *r)
{
	assert(r->why != NULL);
	return r->why;
}

static enum proxy_read refuse(struct proxy_reader *r, const char *why)
{
	r->why = why;
	return PROXY_READ_BAD;
}

/* The bytes so far could become the text, or begin with it. */
static bool could_be(struct span bytes, struct span text)
{
	size_t n = bytes.n < text.n ? bytes.n : text.n;
	return span_equal(span_slice(bytes, 0, n), span_slice(text, 0, n));
}

/* Version 1. */

static bool take_word(struct span *line, struct span *word)
{
	*word = span_take_until(line, " ");
	return word->n > 0 && span_take(line, ' ');
}

static bool take_address(struct span text, int family, char *out, size_t room)
{
	uint8_t bytes[16];
	if (text.n == 0 || text.n >= room || span_find(text, '\0') < text.n) {
		return false;
	}
	snprintf(out, room, "%.*s", SPAN_ARG(text));
	/* Written anew: the same address is the same text from here on. */
	return inet_pton(family, out, bytes) == 1 && inet_ntop(family, bytes, out, (socklen_t)room);
}

static bool take_port(struct span text, char *out, size_t room)
{
	uint64_t port;
	if (text.n > 5 || !span_take_number(&text, &port) || text.n > 0 || port > 65535) {
		return false;
	}
	snprintf(out, room, "%u", (unsigned)port);
	return true;
}

static const char *parse_addresses(struct span line, int family, struct proxy_header *out)
{
	struct span source;
	struct span destination;
	struct span source_port;
	if (!take_word(&line, &source) || !take_word(&line, &destination) ||
		!take_word(&line, &source_port)) {
		return "incomplete";
	}
	struct stream_name *from = &out->source;
	struct stream_name *to = &out->destination;
	bool is_good = take_address(source, family, from->address, sizeof from->address) &&
		       take_address(destination, family, to->address, sizeof to->address) &&
		       take_port(source_port, from->port, sizeof from->port) &&
		       take_port(line, to->port, sizeof to->port);
	return is_good ? NULL : "not an address or a port";
}

/* NULL: it is in *out. The line is without its end. */
static const char *v1_parse(struct span line, struct proxy_header *out)
{
	bool is_v1 = span_take_nocase(&line, PROXY_V1_PREFIX);
	assert(is_v1);
	(void)is_v1;
	struct span rest = line;
	struct span protocol = span_take_until(&rest, " ");
	if (span_is(protocol, "UNKNOWN")) {
		out->is_local = true; /* whatever stands behind it */
		return NULL;
	}
	bool is_v4 = span_is(protocol, "TCP4");
	if ((!is_v4 && !span_is(protocol, "TCP6")) || !span_take(&rest, ' ')) {
		return "neither TCP4, TCP6 nor UNKNOWN";
	}
	return parse_addresses(rest, is_v4 ? AF_INET : AF_INET6, out);
}

/* Moves n bytes of the input, or as many as there are. True: it was n. */
static bool gather(struct proxy_reader *r, struct span *in, size_t n)
{
	struct span part = {0};
	bool is_all = in->n >= n;
	bool is_taken = span_take_bytes(in, is_all ? n : in->n, &part);
	assert(is_taken);
	is_taken = buf_add(&r->bytes, part);
	assert(is_taken); /* the caller looked at the room */
	(void)is_taken;
	return is_all;
}

static enum proxy_read feed_v1(struct proxy_reader *r, struct span *in, struct proxy_header *out)
{
	size_t end = span_find(*in, '\n');
	size_t wanted = end < in->n ? end + 1 : in->n;
	if (wanted > PROXY_V1_MAX - buf_len(&r->bytes)) {
		return refuse(r, "longer than 107 bytes");
	}
	bool is_whole = end < in->n;
	gather(r, in, wanted);
	if (!is_whole) {
		/* Full without an end: the next byte could not be taken. */
		return buf_len(&r->bytes) < PROXY_V1_MAX ? PROXY_READ_MORE
							 : refuse(r, "longer than 107 bytes");
	}
	struct span line = buf_peek(&r->bytes);
	if (line.n < 2 || line.p[line.n - 2] != '\r') {
		return refuse(r, "does not end in CRLF");
	}
	struct proxy_header header = {0};
	r->why = v1_parse(span_slice(line, 0, line.n - 2), &header);
	if (r->why != NULL) {
		return PROXY_READ_BAD;
	}
	*out = header;
	return PROXY_READ_DONE;
}

/* Version 2. */

static enum proxy_read feed_v2(struct proxy_reader *r, struct span *in, struct proxy_header *out)
{
	size_t have = buf_len(&r->bytes);
	if (have < PROXY_V2_FIXED && !gather(r, in, PROXY_V2_FIXED - have)) {
		return PROXY_READ_MORE;
	}
	struct span bytes = buf_peek(&r->bytes);
	size_t length = PROXY_V2_FIXED + (size_t)bytes.p[14] * 256 + bytes.p[15];
	if (length > PROXY_HEADER_MAX) {
		return refuse(r, "too long");
	}
	if (!gather(r, in, length - bytes.n)) {
		return PROXY_READ_MORE;
	}
	struct proxy_header header = {0};
	r->why = proxy_v2_parse(buf_peek(&r->bytes), &header);
	if (r->why != NULL) {
		return PROXY_READ_BAD;
	}
	*out = header;
	return PROXY_READ_DONE;
}

enum proxy_read proxy_reader_feed(struct proxy_reader *r, struct span *in, struct proxy_header *out)
{
	static const char v2_text[] = PROXY_V2_SIGNATURE;
	const struct span v1 = span_str(PROXY_V1_PREFIX);
	const struct span v2 = span_of(v2_text, PROXY_V2_SIGNATURE_LEN);
	assert(r->why == NULL);
	/* Byte by byte until it is clear which of the two it is: the first one tells. */
	while (in->n > 0 && buf_len(&r->bytes) < v2.n) {
		struct span bytes = buf_peek(&r->bytes);
		if (bytes.n >= v1.n && could_be(bytes, v1)) {
			break;
		}
		gather(r, in, 1);
		bytes = buf_peek(&r->bytes);
		if (!could_be(bytes, v1) && !could_be(bytes, v2)) {
			return refuse(r, "does not begin as one");
		}
	}
	struct span bytes = buf_peek(&r->bytes);
	if (bytes.n >= v1.n && could_be(bytes, v1)) {
		return in->n > 0 ? feed_v1(r, in, out) : PROXY_READ_MORE;
	}
	return bytes.n >= v2.n ? feed_v2(r, in, out) : PROXY_READ_MORE;
}
