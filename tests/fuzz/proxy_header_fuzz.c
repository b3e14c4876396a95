/*
 * The PROXY header of a stranger: no byte is read that is not there, pieces give what the whole gives, nothing
 * behind the header is used, and what was understood is written and understood again.
 */
#include <stdlib.h>

#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_read feed(struct span bytes, size_t piece, size_t *used, struct proxy_header *out)
{
	struct proxy_reader r;
	enum proxy_read result = PROXY_READ_MORE;
	proxy_reader_init(&r);
	*used = 0;
	while (result == PROXY_READ_MORE && *used < bytes.n) {
		size_t n = bytes.n - *used < piece ? bytes.n - *used : piece;
		struct span part = span_slice(bytes, *used, *used + n);
		result = proxy_reader_feed(&r, &part, out);
		*used += n - part.n;
		if (result == PROXY_READ_MORE && part.n > 0) {
			abort();
		}
	}
	proxy_reader_finish(&r);
	return result;
}

static void write_again(const struct proxy_header *h, unsigned version)
{
	struct buf out;
	struct proxy_header back;
	size_t used;
	buf_init(&out, PROXY_HEADER_MAX);
	if (!proxy_header_write(&out, version, h) ||
		feed(buf_peek(&out), PROXY_HEADER_MAX, &used, &back) != PROXY_READ_DONE ||
		used != buf_len(&out)) {
		abort();
	}
	if (!back.is_local && strcmp(back.source.port, h->source.port) != 0) {
		abort();
	}
	buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole = {0};
	struct proxy_header pieces = {0};
	size_t used;
	size_t used_in_pieces;
	enum proxy_read result = feed(span_of(data, size), size, &used, &whole);
	if (feed(span_of(data, size), 1, &used_in_pieces, &pieces) != result) {
		abort();
	}
	if (result == PROXY_READ_DONE) {
		if (used != used_in_pieces || memcmp(&whole, &pieces, sizeof whole) != 0) {
			abort();
		}
		write_again(&whole, 1);
		write_again(&whole, 2);
	}
	return 0;
}
