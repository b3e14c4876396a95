/*
 * CRAM-MD5 against the example of RFC 2195 section 2 and the keys of `doveadm pw`.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/cram_md5.h"

static const char challenge[] = "<1896.697170952@postoffice.reston.mci.net>";
static const char answer[] = "tim b913a602c7eda7a495b4e6e7334d3890";

static void test_example_of_the_rfc(void **state)
{
	(void)state;
	struct cram_key key;
	struct span user, digest;
	assert_true(cram_answer_read(span_str(answer), &user, &digest));
	assert_true(span_is(user, "tim"));
	cram_key_derive(span_str("tanstaaftanstaaf"), &key);
	assert_true(cram_answer_check(&key, span_str(challenge), digest));
	assert_false(cram_answer_check(&key, span_str("<1896.697170953@x>"), digest));
	cram_key_derive(span_str("tanstaaftanstaag"), &key);
	assert_false(cram_answer_check(&key, span_str(challenge), digest));
}

static void test_keys_of_dovecot(void **state)
{
	(void)state;
	static const char text[] =
		"7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080";
	struct cram_key key, made;
	assert_true(cram_key_read(span_str(text), &key));
	cram_key_derive(span_str("pencil"), &made);
	assert_memory_equal(&key, &made, sizeof key);
	assert_true(cram_key_check(&key, span_str("pencil")));
	assert_false(cram_key_check(&key, span_str("pencils")));
	assert_false(cram_key_check(&key, span_str("")));
	char bad[sizeof text];
	for (size_t i = 0; i < strlen(text); i++) {
		assert_false(cram_key_read(span_of(text, i), &key));
		memcpy(bad, text, sizeof bad);
		bad[i] = 'g';
		assert_false(cram_key_read(span_str(bad), &key));
	}
	assert_false(cram_key_read(span_of(text, sizeof text), &key));
}

/* RFC 2202 test case 6: a key longer than a block is hashed first. */
static void test_long_password(void **state)
{
	(void)state;
	struct cram_key key;
	uint8_t password[80];
	memset(password, 0xaa, sizeof password);
	cram_key_derive(span_of(password, sizeof password), &key);
	struct span text = span_str("Test Using Larger Than Block-Size Key - Hash Key First");
	assert_true(cram_answer_check(&key, text, span_str("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd")));
}

static void test_answers(void **state)
{
	(void)state;
	struct span user, digest;
	assert_true(cram_answer_read(
		span_str("with a blank b913a602c7eda7a495b4e6e7334d3890"), &user, &digest));
	assert_true(span_is(user, "with a blank"));
	static const char *const bad[] = {
		"",
		" ",
		"b913a602c7eda7a495b4e6e7334d3890",
		" b913a602c7eda7a495b4e6e7334d3890",
		"tim b913a602c7eda7a495b4e6e7334d389",
		"tim b913a602c7eda7a495b4e6e7334d38901",
		"tim b913a602c7eda7a495b4e6e7334d389g",
		"tim B913A602C7EDA7A495B4E6E7334D3890",
		"timb913a602c7eda7a495b4e6e7334d3890",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(cram_answer_read(span_str(bad[i]), &user, &digest));
	}
	static const char nul[] = "t\0m b913a602c7eda7a495b4e6e7334d3890";
	assert_false(cram_answer_read(span_of(nul, sizeof nul - 1), &user, &digest));
}

static void test_challenges_differ(void **state)
{
	(void)state;
	char a[CRAM_CHALLENGE_MAX], b[CRAM_CHALLENGE_MAX];
	struct span x = cram_challenge(a);
	struct span y = cram_challenge(b);
	assert_false(span_equal(x, y));
	assert_int_equal(x.p[0], '<');
	assert_int_equal(x.p[x.n - 1], '>');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_the_rfc),
		cmocka_unit_test(test_keys_of_dovecot),
		cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_challenges_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
