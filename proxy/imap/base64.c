#include "imap/base64.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character, or -1. */
static int bits_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	if (c == '+') {
		return 62;
	}
	return c == '/' ? 63 : -1;
}

/* Decodes four characters with `pad` equal signs at the end into 3 - pad bytes. */
static bool decode_quad(const uint8_t *quad, size_t pad, uint8_t *to)
{
	uint32_t value = 0;
	for (size_t i = 0; i < 4; i++) {
		int bits = i < 4 - pad ? bits_of(quad[i]) : 0;
		if (bits < 0) {
			return false;
		}
		value = value << 6 | (uint32_t)bits;
	}
	if ((value & ((UINT32_C(1) << (8 * pad)) - 1)) != 0) {
		return false; /* bits that no byte takes up */
	}
	for (size_t i = 0; i < 3 - pad; i++) {
		to[i] = (uint8_t)(value >> (16 - 8 * i));
	}
	return true;
}

bool base64_decode(struct span text, struct secret *out)
{
	if (text.n % 4 != 0) {
		return false;
	}
	size_t pad = 0;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=') {
		pad++;
	}
	size_t room = text.n / 4 * 3;
	struct secret found = {.data = xmalloc(room), .len = room - pad};
	for (size_t i = 0; i < text.n; i += 4) {
		bool is_last = i + 4 == text.n;
		if (!decode_quad(text.p + i, is_last ? pad : 0, found.data + i / 4 * 3)) {
			found.len = i / 4 * 3; /* only these were written */
			secret_drop(&found);
			return false;
		}
	}
	secret_move(out, &found);
	return true;
}

bool base64_encode(struct buf *out, struct span bytes)
{
	size_t n;
	if (__builtin_add_overflow(bytes.n, (size_t)2, &n) ||
		__builtin_mul_overflow(n / 3, (size_t)4, &n)) {
		return false;
	}
	if (n == 0) {
		return true;
	}
	uint8_t *to = buf_reserve(out, n);
	if (to == NULL) {
		return false;
	}
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t value = (uint32_t)bytes.p[i] << 16;
		value |= left > 1 ? (uint32_t)bytes.p[i + 1] << 8 : 0;
		value |= left > 2 ? (uint32_t)bytes.p[i + 2] : 0;
		*to++ = (uint8_t)alphabet[value >> 18];
		*to++ = (uint8_t)alphabet[value >> 12 & 63];
		*to++ = left > 1 ? (uint8_t)alphabet[value >> 6 & 63] : '=';
		*to++ = left > 2 ? (uint8_t)alphabet[value & 63] : '=';
	}
	buf_commit(out, n);
	return true;
}
