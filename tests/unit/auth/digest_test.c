/*
 * Known answers: RFC 3174 and FIPS 180 ("abc"), RFC 2202 and RFC 4231 (test case 2), RFC 6070 (PBKDF2).
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/digest.h"

static const char *hex(const uint8_t *bytes, size_t n)
{
	static char text[2 * DIGEST_MAX + 1];
	for (size_t i = 0; i < n; i++) {
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	}
	return text;
}

static void test_hash(void **state)
{
	(void)state;
	uint8_t out[DIGEST_MAX];
	digest_hash(DIGEST_SHA_1, span_str("abc"), out);
	assert_string_equal(hex(out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_hash(DIGEST_SHA_256, span_str("abc"), out);
	assert_string_equal(
		hex(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_hash(DIGEST_SHA_1, (struct span){0}, out);
	assert_string_equal(hex(out, 20), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_int_equal(digest_size(DIGEST_SHA_1), 20);
	assert_int_equal(digest_size(DIGEST_SHA_256), 32);
}

static void test_hmac(void **state)
{
	(void)state;
	uint8_t out[DIGEST_MAX];
	struct span key = span_str("Jefe");
	struct span text = span_str("what do ya want for nothing?");
	digest_hmac(DIGEST_SHA_1, key, text, out);
	assert_string_equal(hex(out, 20), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	digest_hmac(DIGEST_SHA_256, key, text, out);
	assert_string_equal(
		hex(out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac(DIGEST_SHA_1, (struct span){0}, (struct span){0}, out);
	assert_string_equal(hex(out, 20), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void test_stretch(void **state)
{
	(void)state;
	uint8_t out[DIGEST_MAX];
	digest_stretch(DIGEST_SHA_1, span_str("password"), span_str("salt"), 2, out);
	assert_string_equal(hex(out, 20), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
	digest_stretch(DIGEST_SHA_1, span_str("password"), span_str("salt"), 4096, out);
	assert_string_equal(hex(out, 20), "4b007901b765489abead49d926f721d065a429c1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_stretch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
