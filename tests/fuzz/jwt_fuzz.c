/*
 * The end of a token. The bytes are a payload: an end that is read in it stands in it, digit for digit, and
 * is none of a larger number. They are a whole token, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/base64.h"
#include "imap/jwt.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* The number stands there, and no digit beside it but zeroes before. */
static bool holds(struct span text, uint64_t number)
{
	char digits[24];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	for (size_t i = 0; i + n <= text.n; i++) {
		bool is_here = span_is(span_slice(text, i, i + n), digits);
		bool goes_on = i + n < text.n && is_digit(text.p[i + n]);
		if (is_here && !goes_on &&
			(i == 0 || !is_digit(text.p[i - 1]) || text.p[i - 1] == '0')) {
			return true;
		}
	}
	return false;
}

static void check_payload(struct span payload)
{
	struct buf base64, token;
	buf_init(&base64, 1 << 22);
	buf_init(&token, 1 << 22);
	CHECK(base64_encode(&base64, payload) && buf_add_str(&token, "e30."));
	struct span text = buf_peek(&base64);
	for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
		uint8_t c = text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i];
		CHECK(buf_add(&token, span_of(&c, 1)));
	}
	CHECK(buf_add_str(&token, ".c2ln"));
	uint64_t end = jwt_expiry(buf_peek(&token));
	CHECK(end == UINT64_MAX || end == 0 || holds(payload, end));
	buf_finish(&base64);
	buf_finish(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	check_payload(input);
	jwt_expiry(input);
	return 0;
}
