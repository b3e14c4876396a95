/*
 * Hashes of crypt(5), made by `doveadm pw`.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/crypt.h"

static const char *const hashes[] = {
	"$6$JAZ5VRaiu0LZzomW$D55IXxEwrc.v4pEi0zTiRTIUCVzKO0ix8XyMaETPyNf2NzQB9iT3/ve./"
	"2EDA29bwPlC3fdvnRVPafAUSrK.G/",
	"$2y$05$CjT2qRuRF9Qj0p79FYRCwu5ox4nfOyLDK4rOtCydax32DiP/JGduq",
};

static void test_checks(void **state)
{
	(void)state;
	const char *why = "";
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
		struct span hash = span_str(hashes[i]);
		assert_true(crypt_can_check(hash, &why));
		assert_true(crypt_check(hash, span_str("pencil")));
		assert_false(crypt_check(hash, span_str("pencil ")));
		assert_false(crypt_check(hash, span_str("")));
		/* A password that ends behind a NUL is not the shorter one. */
		assert_false(crypt_check(hash, span_of("pencil\0x", 8)));
		assert_false(crypt_check(span_slice(hash, 0, hash.n - 1), span_str("pencil")));
	}
	char *password = malloc(2000);
	memset(password, 'x', 2000);
	assert_false(crypt_check(span_str(hashes[0]), span_of(password, 2000)));
	free(password);
}

static void test_unknown(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "*", "!", "x", "$", "$6", "$99$abc", "$argon2id$v=19",
		"$6$a b$x", "$6$a:b$x", "$6$\x80"};
	const char *why = "";
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(crypt_can_check(span_str(bad[i]), &why));
		assert_int_not_equal(strlen(why), 0);
		assert_false(crypt_check(span_str(bad[i]), span_str("")));
		assert_false(crypt_check(span_str(bad[i]), span_str(bad[i])));
	}
	char text[CRYPT_HASH_MAX + 1];
	memset(text, 'x', sizeof text);
	memcpy(text, "$6$a$", 5);
	assert_false(crypt_can_check(span_of(text, sizeof text), &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
