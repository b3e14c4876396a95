/*
 * The PROXY header: read at every split with what follows left alone, written and read again, and everything
 * that is none (SECURITY.md S3: truncated, oversized, bytes behind it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TAIL      "\x16\x03\x01 PROXY a001 NOOP\r\n"
/* A literal's bytes without its NUL. */
#define BYTES(text) span_of(text, sizeof(text) - 1)

/* The CRC32C of the header that it stands in below. */
#define SUM     "\xa7\xee\xe1\x3d"
#define V4_ENDS "\xc0\x00\x02\x07\xc6\x33\x64\x09\xd6\xe4\x03\xe1"

/* Feeds in two pieces, split at `at`; checks that no byte behind the header is used. */
static enum proxy_read read_split(
	struct span bytes, size_t at, size_t length, struct proxy_header *out)
{
	struct proxy_reader r;
	proxy_reader_init(&r);
	struct span first = span_slice(bytes, 0, at);
	enum proxy_read result = proxy_reader_feed(&r, &first, out);
	if (result == PROXY_READ_MORE) {
		assert_int_equal(first.n, 0);
		struct span second = span_slice(bytes, at, bytes.n);
		result = proxy_reader_feed(&r, &second, out);
		if (result == PROXY_READ_DONE) {
			assert_int_equal(second.n, bytes.n - length);
		}
	} else if (result == PROXY_READ_DONE) {
		assert_int_equal(first.n, at - length);
	}
	if (result == PROXY_READ_BAD) {
		assert_non_null(proxy_reader_why(&r));
	}
	proxy_reader_finish(&r);
	return result;
}

static enum proxy_read read_bytewise(struct span bytes, size_t *used, struct proxy_header *out)
{
	struct proxy_reader r;
	enum proxy_read result = PROXY_READ_MORE;
	proxy_reader_init(&r);
	*used = 0;
	while (result == PROXY_READ_MORE && *used < bytes.n) {
		struct span one = span_slice(bytes, *used, *used + 1);
		result = proxy_reader_feed(&r, &one, out);
		*used += 1 - one.n;
	}
	proxy_reader_finish(&r);
	return result;
}

/* The header alone, with a tail, split everywhere, byte by byte: always the same. */
static struct proxy_header read_all(struct span header)
{
	uint8_t text[PROXY_HEADER_MAX + sizeof TAIL];
	struct proxy_header first;
	struct proxy_header again;
	size_t used;
	memcpy(text, header.p, header.n);
	memcpy(text + header.n, TAIL, sizeof TAIL);
	struct span whole = span_of(text, header.n + sizeof TAIL);
	memset(&first, 0, sizeof first);
	assert_int_equal(read_bytewise(whole, &used, &first), PROXY_READ_DONE);
	assert_int_equal(used, header.n);
	/* Everywhere in a header of usual length, here and there in a long one. */
	size_t step = whole.n < 512 ? 1 : 97;
	for (size_t at = 0; at <= whole.n; at += step) {
		memset(&again, 0, sizeof again);
		assert_int_equal(read_split(whole, at, header.n, &again), PROXY_READ_DONE);
		assert_memory_equal(&first, &again, sizeof first);
	}
	for (size_t n = 0; n < header.n; n += step) {
		assert_int_equal(
			read_bytewise(span_slice(header, 0, n), &used, &again), PROXY_READ_MORE);
	}
	return first;
}

static void expect_ends(const struct proxy_header *h, const char *source, const char *source_port,
	const char *destination, const char *destination_port)
{
	assert_false(h->is_local);
	assert_string_equal(h->source.address, source);
	assert_string_equal(h->source.port, source_port);
	assert_string_equal(h->destination.address, destination);
	assert_string_equal(h->destination.port, destination_port);
}

static void test_v1(void **state)
{
	(void)state;
	struct proxy_header h =
		read_all(span_str("PROXY TCP4 192.0.2.7 198.51.100.9 55012 993\r\n"));
	expect_ends(&h, "192.0.2.7", "55012", "198.51.100.9", "993");
	h = read_all(span_str("PROXY TCP6 2001:DB8:0:0::1 ::1 1 65535\r\n"));
	expect_ends(&h, "2001:db8::1", "1", "::1", "65535");
	assert_false(h.is_tls);
	assert_string_equal(h.authority, "");
}

static void test_v1_unknown(void **state)
{
	(void)state;
	struct proxy_header h = read_all(span_str("PROXY UNKNOWN\r\n"));
	assert_true(h.is_local);
	/* Whatever else the line holds is not looked at; 107 bytes is the longest line. */
	char line[108];
	snprintf(line, sizeof line, "PROXY UNKNOWN %091d\r\n", 0);
	assert_int_equal(strlen(line), 107);
	h = read_all(span_str(line));
	assert_true(h.is_local);
	assert_string_equal(h.source.address, "");
}

static void test_v2(void **state)
{
	(void)state;
	struct proxy_header h = read_all(BYTES(SIGNATURE "\x21\x11\x00\x0c" V4_ENDS));
	expect_ends(&h, "192.0.2.7", "55012", "198.51.100.9", "993");
	h = read_all(BYTES(SIGNATURE "\x21\x21\x00\x24"
				     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
				     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
				     "\x00\x01\xff\xff"));
	expect_ends(&h, "2001:db8::1", "1", "::1", "65535");
}

static void test_v2_unix(void **state)
{
	(void)state;
	uint8_t bytes[16 + 216] = SIGNATURE "\x21\x31\x00\xd8/run/front";
	struct proxy_header h = read_all(span_of(bytes, sizeof bytes));
	expect_ends(&h, "unix", "0", "unix", "0");
}

static void test_v2_local(void **state)
{
	(void)state;
	struct proxy_header h = read_all(BYTES(SIGNATURE "\x20\x00\x00\x00"));
	assert_true(h.is_local);
	/* A health check may carry anything, and none of it counts. */
	h = read_all(BYTES(SIGNATURE "\x20\x11\x00\x0c" V4_ENDS));
	assert_true(h.is_local);
	assert_string_equal(h.source.address, "");
	h = read_all(BYTES(SIGNATURE "\x20\xff\x00\x03"
				     "\x03\xff\xff"));
	assert_true(h.is_local);
	h = read_all(BYTES(SIGNATURE "\x21\x00\x00\x00"));
	assert_true(h.is_local);
}

static void test_v2_extensions(void **state)
{
	(void)state;
	/* ALPN, AUTHORITY, padding, UNIQUE_ID, SSL with its version, CRC32C; one that nobody knows. */
	struct proxy_header h =
		read_all(BYTES(SIGNATURE "\x21\x11\x00\x44" V4_ENDS "\x01\x00\x04imap"
					 "\x02\x00\x10mail.example.org"
					 "\x04\x00\x02\0\0"
					 "\x05\x00\x04id-1"
					 "\x20\x00\x0f\x01\0\0\0\x01\x21\x00\x07TLSv1.3"));
	expect_ends(&h, "192.0.2.7", "55012", "198.51.100.9", "993");
	assert_true(h.is_tls);
	assert_string_equal(h.tls_version, "TLSv1.3");
	assert_string_equal(h.alpn, "imap");
	assert_string_equal(h.authority, "mail.example.org");
	assert_string_equal(h.unique_id, "id-1");
	h = read_all(BYTES(SIGNATURE "\x21\x11\x00\x1a" V4_ENDS "\xee\x00\x03xyz"
				     "\x20\x00\x05\x00\0\0\0\0"));
	assert_false(h.is_tls);
}

/* What would break a log line or a header of ours is as good as not said. */
static void test_v2_texts(void **state)
{
	(void)state;
	struct proxy_header h = read_all(BYTES(SIGNATURE "\x21\x11\x00\x1f" V4_ENDS "\x02\x00\x04"
							 "a\nb\""
							 "\x05\x00\x03"
							 "a b"
							 "\x01\x00\x03"
							 "x\0y"));
	assert_string_equal(h.authority, "");
	assert_string_equal(h.unique_id, "");
	assert_string_equal(h.alpn, "");
	uint8_t bytes[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x0f\xf0" V4_ENDS "\x02\x0f\xe1";
	memset(bytes + 31, 'x', sizeof bytes - 31);
	h = read_all(span_of(bytes, sizeof bytes));
	assert_string_equal(h.authority, "");
	assert_string_equal(h.source.address, "192.0.2.7");
}

static void test_checksum(void **state)
{
	(void)state;
	static const char good[] = SIGNATURE "\x21\x11\x00\x13" V4_ENDS "\x03\x00\x04" SUM;
	uint8_t bytes[sizeof good - 1];
	struct proxy_header h =
		read_all(BYTES(SIGNATURE "\x21\x11\x00\x13" V4_ENDS "\x03\x00\x04" SUM));
	assert_string_equal(h.source.address, "192.0.2.7");
	/* Whatever byte behind the fixed part is another one is noticed. */
	for (size_t i = 16; i < sizeof bytes; i++) {
		size_t used;
		memcpy(bytes, good, sizeof bytes);
		bytes[i] ^= 1;
		struct span in = span_of(bytes, sizeof bytes);
		enum proxy_read result = read_bytewise(in, &used, &h);
		/* In the type it is no checksum any more. */
		assert_int_equal(result, i == 28 ? PROXY_READ_DONE : PROXY_READ_BAD);
	}
}

static void expect_bad(struct span bytes)
{
	struct proxy_header untouched;
	struct proxy_header h;
	size_t used;
	memset(&untouched, 0x5a, sizeof untouched);
	for (size_t at = 0; at <= bytes.n; at++) {
		h = untouched;
		if (read_split(bytes, at, bytes.n, &h) != PROXY_READ_BAD) {
			fail_msg("taken (split at %zu): %.*s", at, SPAN_ARG(bytes));
		}
		assert_memory_equal(&h, &untouched, sizeof h);
	}
	assert_int_equal(read_bytewise(bytes, &used, &h), PROXY_READ_BAD);
}

static void test_bad_v1(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"a001 LOGIN u p\r\n",
		"\x16\x03\x01\x02",
		"proxy UNKNOWN\r\n",
		"PROXY\r\n",
		"PROXY TCP4\r\n",
		"PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
		"PROXY UNKNOWNS\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
		"PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
		"PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n",
		"PROXY TCP4 ::1 ::1 1 1\r\n",
		"PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 000001\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n",
		"PROXY UNKNOWN\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		expect_bad(span_str(lines[i]));
	}
	char line[200];
	snprintf(line, sizeof line, "PROXY UNKNOWN %092d\r\n", 0);
	expect_bad(span_of(line, 108));
	snprintf(line, sizeof line, "PROXY UNKNOWN %0150d", 0);
	expect_bad(span_str(line));
}

static void test_bad_v2(void **state)
{
	(void)state;
	expect_bad(BYTES("\r\n\r\n\0\r\nQUIT\r"));
	expect_bad(BYTES(SIGNATURE "\x11\x11\x00\x0c" V4_ENDS)); /* version 1 in this form */
	expect_bad(BYTES(SIGNATURE "\x22\x11\x00\x0c" V4_ENDS)); /* no such command */
	expect_bad(BYTES(SIGNATURE "\x21\x12\x00\x0c" V4_ENDS)); /* datagrams */
	expect_bad(BYTES(SIGNATURE "\x21\x41\x00\x0c" V4_ENDS)); /* no such family */
	expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x0b" V4_ENDS)); /* a byte too short */
	expect_bad(BYTES(SIGNATURE "\x21\x21\x00\x0c" V4_ENDS));
	expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x0d" V4_ENDS "\x04")); /* half an extension */
	expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x10" V4_ENDS "\x04\x00\x02\0"));
	expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x13" V4_ENDS "\x20\x00\x04\x01\0\0\0"));
	expect_bad(
		BYTES(SIGNATURE "\x21\x11\x00\x16" V4_ENDS "\x20\x00\x07\x01\0\0\0\x01\x21\x00"));
	expect_bad(BYTES(SIGNATURE "\x21\x11\x00\x11" V4_ENDS "\x03\x00\x02\0\0"));
	expect_bad(BYTES(SIGNATURE "\x21\x11\x0f\xf1")); /* one more than is taken */
	expect_bad(BYTES(SIGNATURE "\x21\x11\xff\xff"));
}

/* Written. */

static struct proxy_header header_of(const char *source, const char *destination)
{
	struct proxy_header h = {0};
	snprintf(h.source.address, sizeof h.source.address, "%s", source);
	snprintf(h.source.port, sizeof h.source.port, "55012");
	snprintf(h.destination.address, sizeof h.destination.address, "%s", destination);
	snprintf(h.destination.port, sizeof h.destination.port, "993");
	return h;
}

static struct proxy_header round_trip(const struct proxy_header *h, unsigned version)
{
	struct buf out;
	buf_init(&out, PROXY_HEADER_MAX);
	assert_true(proxy_header_write(&out, version, h));
	struct proxy_header back = read_all(buf_peek(&out));
	buf_finish(&out);
	return back;
}

static void test_write_v1(void **state)
{
	(void)state;
	struct buf out;
	struct proxy_header h = header_of("192.0.2.7", "198.51.100.9");
	buf_init(&out, 107);
	assert_true(proxy_header_write(&out, 1, &h));
	assert_true(span_is(buf_peek(&out), "PROXY TCP4 192.0.2.7 198.51.100.9 55012 993\r\n"));
	buf_clear(&out);
	h = header_of("unix", "unix");
	assert_true(proxy_header_write(&out, 1, &h));
	assert_true(span_is(buf_peek(&out), "PROXY UNKNOWN\r\n"));
	buf_clear(&out);
	h = header_of("fe80::1%eth0", "::1");
	assert_true(proxy_header_write(&out, 1, &h));
	assert_true(span_is(buf_peek(&out), "PROXY TCP6 fe80::1 ::1 55012 993\r\n"));
	buf_finish(&out);
	buf_init(&out, 10);
	assert_false(proxy_header_write(&out, 1, &h));
	buf_finish(&out);
}

static void test_round_trips(void **state)
{
	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		struct proxy_header h = header_of("2001:db8::7", "2001:db8::1");
		struct proxy_header back = round_trip(&h, version);
		expect_ends(&back, "2001:db8::7", "55012", "2001:db8::1", "993");
		h = header_of("192.0.2.7", "::1");
		back = round_trip(&h, version);
		expect_ends(&back, "::ffff:192.0.2.7", "55012", "::1", "993");
		h = header_of("::1", "192.0.2.7");
		back = round_trip(&h, version);
		expect_ends(&back, "::1", "55012", "::ffff:192.0.2.7", "993");
		h = header_of("unix", "192.0.2.7");
		back = round_trip(&h, version);
		assert_true(back.is_local);
		h = header_of("", "");
		back = round_trip(&h, version);
		assert_true(back.is_local);
	}
}

static void test_write_extensions(void **state)
{
	(void)state;
	struct proxy_header h = header_of("192.0.2.7", "198.51.100.9");
	h.is_tls = true;
	snprintf(h.tls_version, sizeof h.tls_version, "TLSv1.3");
	snprintf(h.authority, sizeof h.authority, "%0255d", 0);
	struct proxy_header back = round_trip(&h, 2);
	expect_ends(&back, "192.0.2.7", "55012", "198.51.100.9", "993");
	assert_true(back.is_tls);
	assert_string_equal(back.tls_version, "TLSv1.3");
	assert_string_equal(back.authority, h.authority);
	back = round_trip(&h, 1);
	assert_false(back.is_tls);
	h.is_local = true;
	back = round_trip(&h, 2);
	assert_true(back.is_local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v1_unknown),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v2_unix),
		cmocka_unit_test(test_v2_local),
		cmocka_unit_test(test_v2_extensions),
		cmocka_unit_test(test_v2_texts),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_bad_v1),
		cmocka_unit_test(test_bad_v2),
		cmocka_unit_test(test_write_v1),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_write_extensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
