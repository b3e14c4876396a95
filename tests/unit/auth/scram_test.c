/*
 * SCRAM against the examples of RFC 5802 section 5 and RFC 7677 section 3, and what must be refused.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/scram.h"
#include "imap/base64.h"

static const char first_1[] = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
static const char nonce_1[] = "3rfcNHYJY1ZVvWVs7j";
static const char server_1[] =
	"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
static const char final_1[] = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			      "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
static const char verdict_1[] = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";

static const char first_256[] = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char nonce_256[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char server_256[] = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				 "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char final_256[] = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char verdict_256[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static struct scram_keys keys_of(enum digest d, const char *salt)
{
	struct scram_keys keys = {.digest = d, .iterations = 4096};
	struct secret bytes = {0};
	assert_true(base64_decode(span_str(salt), &bytes));
	keys.salt_size = bytes.len;
	memcpy(keys.salt, bytes.data, bytes.len);
	secret_drop(&bytes);
	scram_keys_derive(&keys, span_str("pencil"));
	return keys;
}

static struct scram *begin(const char *message, const struct scram_keys *keys, const char *nonce)
{
	struct scram_first first;
	const char *why = "";
	assert_true(scram_first_read(span_str(message), &first, &why));
	struct scram *s = scram_create(&first, keys, span_str(nonce));
	scram_first_drop(&first);
	return s;
}

static void assert_text(struct span got, const char *wanted)
{
	assert_int_equal(got.n, strlen(wanted));
	assert_memory_equal(got.p, wanted, got.n);
}

static void run_example(enum digest d, const char *salt, const char *const texts[5])
{
	struct scram_keys keys = keys_of(d, salt);
	struct scram *s = begin(texts[0], &keys, texts[1]);
	assert_text(scram_server_first(s), texts[2]);
	assert_int_equal(scram_finish(s, span_str(texts[3])), SCRAM_GOOD);
	assert_text(scram_server_final(s), texts[4]);
	scram_destroy(&s);
	assert_null(s);
	/* The same with another password's keys. */
	scram_keys_derive(&keys, span_str("pencil2"));
	s = begin(texts[0], &keys, texts[1]);
	assert_int_equal(scram_finish(s, span_str(texts[3])), SCRAM_WRONG);
	scram_destroy(&s);
}

static void test_examples_of_the_rfcs(void **state)
{
	(void)state;
	static const char *const sha_1[] = {first_1, nonce_1, server_1, final_1, verdict_1};
	static const char *const sha_256[] = {
		first_256, nonce_256, server_256, final_256, verdict_256};
	run_example(DIGEST_SHA_1, "QSXCR+Q6sek8bf92", sha_1);
	run_example(DIGEST_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==", sha_256);
}

/* Every byte of the second message counts: none can be another, left out, or put in. */
static void test_every_byte_counts(void **state)
{
	(void)state;
	struct scram_keys keys = keys_of(DIGEST_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==");
	size_t n = strlen(final_256);
	char text[256];
	for (size_t i = 0; i < n; i++) {
		memcpy(text, final_256, n + 1);
		text[i] ^= 1;
		struct scram *s = begin(first_256, &keys, nonce_256);
		assert_int_not_equal(scram_finish(s, span_of(text, n)), SCRAM_GOOD);
		scram_destroy(&s);
		s = begin(first_256, &keys, nonce_256);
		assert_int_equal(scram_finish(s, span_of(final_256, i)), SCRAM_MALFORMED);
		scram_destroy(&s);
	}
	struct scram *s = begin(first_256, &keys, nonce_256);
	snprintf(text, sizeof text, "%sAAAA", final_256);
	assert_int_not_equal(scram_finish(s, span_str(text)), SCRAM_GOOD);
	scram_destroy(&s);
}

static void test_header_is_bound(void **state)
{
	(void)state;
	struct scram_keys keys = keys_of(DIGEST_SHA_1, "QSXCR+Q6sek8bf92");
	/* Another header was sent first than is repeated: somebody changed it on the way. */
	struct scram *s = begin("y,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", &keys, nonce_1);
	assert_int_equal(scram_finish(s, span_str(final_1)), SCRAM_MALFORMED);
	scram_destroy(&s);
	s = begin("n,a=other,n=user,r=fyko+d2lbbFgONRv9qkxdawL", &keys, nonce_1);
	assert_int_equal(scram_finish(s, span_str(final_1)), SCRAM_MALFORMED);
	scram_destroy(&s);
}

static void test_own_nonce_is_random(void **state)
{
	(void)state;
	struct scram_keys keys = keys_of(DIGEST_SHA_1, "QSXCR+Q6sek8bf92");
	struct scram *a = begin(first_1, &keys, "");
	struct scram *b = begin(first_1, &keys, "");
	assert_false(span_equal(scram_server_first(a), scram_server_first(b)));
	assert_int_equal(scram_finish(a, span_str(final_1)), SCRAM_MALFORMED);
	scram_destroy(&a);
	scram_destroy(&b);
}

static void test_first_message(void **state)
{
	(void)state;
	struct scram_first f;
	const char *why = "";
	assert_true(scram_first_read(span_str("n,a=ad=3Dm=2Cin,n=b=2Cob=3D,r=x,e=1"), &f, &why));
	assert_text(secret_span(&f.authzid), "ad=m,in");
	assert_text(secret_span(&f.user), "b,ob=");
	assert_text(f.header, "n,a=ad=3Dm=2Cin,");
	assert_text(f.bare, "n=b=2Cob=3D,r=x,e=1");
	assert_text(f.nonce, "x");
	scram_first_drop(&f);
	static const char *const bad[] = {
		"",
		"n",
		"n,",
		"n,,",
		"n,,n=",
		"n,,n=user",
		"n,,n=user,",
		"n,,n=user,r=",
		"n,,n=,r=x",
		"n,,n==,r=x",
		"n,,n=a=2,r=x",
		"n,,n=a=2c=3,r=x",
		"n,,r=x,n=user",
		"n,,n=user,r=a b",
		"n,,n=user,r=\x80",
		"n,a=,n=user,r=x",
		"n,a==2B,n=user,r=x",
		"n,b=x,n=user,r=x",
		"n,a=x",
		"q,,n=user,r=x",
		"p=tls-unique,,n=user,r=x",
		"n,,m=ext,n=user,r=x",
		"n=user,r=x",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(scram_first_read(span_str(bad[i]), &f, &why));
		assert_int_not_equal(strlen(why), 0);
	}
	static const char nul[] = "n,,n=us\0er,r=x";
	assert_false(scram_first_read(span_of(nul, sizeof nul - 1), &f, &why));
	char *long_text = malloc(SCRAM_MESSAGE_MAX + 1);
	memset(long_text, 'x', SCRAM_MESSAGE_MAX + 1);
	memcpy(long_text, "n,,n=user,r=x,", 14);
	assert_true(scram_first_read(span_of(long_text, SCRAM_MESSAGE_MAX), &f, &why));
	scram_first_drop(&f);
	assert_false(scram_first_read(span_of(long_text, SCRAM_MESSAGE_MAX + 1), &f, &why));
	memset(long_text, 'x', SCRAM_MESSAGE_MAX);
	memcpy(long_text, "n,,n=user,r=", 12);
	assert_true(scram_first_read(span_of(long_text, 12 + SCRAM_NONCE_MAX), &f, &why));
	scram_first_drop(&f);
	assert_false(scram_first_read(span_of(long_text, 13 + SCRAM_NONCE_MAX), &f, &why));
	free(long_text);
}

/* As `doveadm pw -s SCRAM-SHA-256 -p pencil` writes them. */
static const char stored_256[] =
	"4096,CBfiql5mmePHZezm4c6Llg==,iApuCOGgwEVzhazmKDjKw9z1ZOJV0lArLov/hAzRFPg=,"
	"WSpzRiBYVZ7xgW/HWKwQvSKvj6uP+5HV1ZAucHWfO7M=";
static const char stored_1[] = "4096,palRQrIcNkdspoxpeAaC2A==,XbbKuFbdKMax/7lNr7cpbJZAEvk=,"
			       "//2A9rbz7DLn9UgpJIt49T9kJnQ=";

static void test_stored_keys(void **state)
{
	(void)state;
	struct scram_keys keys;
	const char *why = "";
	assert_true(scram_keys_read(DIGEST_SHA_256, span_str(stored_256), &keys, &why));
	assert_true(scram_keys_check(&keys, span_str("pencil")));
	assert_false(scram_keys_check(&keys, span_str("Pencil")));
	struct scram_keys made = keys;
	scram_keys_derive(&made, span_str("pencil"));
	assert_memory_equal(&made, &keys, sizeof keys);
	assert_true(scram_keys_read(DIGEST_SHA_1, span_str(stored_1), &keys, &why));
	assert_true(scram_keys_check(&keys, span_str("pencil")));
	assert_false(scram_keys_read(DIGEST_SHA_256, span_str(stored_1), &keys, &why));
	for (size_t i = 0; i < strlen(stored_1); i++) {
		assert_false(scram_keys_read(DIGEST_SHA_1, span_of(stored_1, i), &keys, &why));
	}
	static const char *const bad[] = {
		"4095,AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"1000001,AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"99999999999999999999,AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//"
		"2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"-4096,AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"4096,,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"4096,AAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
		"4096,AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=,x",
		"4096,"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AA"
		"AAAA,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ=",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(scram_keys_read(DIGEST_SHA_1, span_str(bad[i]), &keys, &why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_of_the_rfcs),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_header_is_bound),
		cmocka_unit_test(test_own_nonce_is_random),
		cmocka_unit_test(test_first_message),
		cmocka_unit_test(test_stored_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
