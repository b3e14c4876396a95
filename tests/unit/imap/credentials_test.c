#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/credentials.h"

static void names(void **state)
{
	(void)state;
	assert_string_equal(mechanism_name(MECHANISM_LOGIN_COMMAND), "LOGIN");
	assert_string_equal(mechanism_name(MECHANISM_PLAIN), "PLAIN");
	assert_string_equal(mechanism_name(MECHANISM_LOGIN), "SASL-LOGIN");
	assert_null(mechanism_word(MECHANISM_LOGIN_COMMAND));
	for (int m = MECHANISM_PLAIN; m < MECHANISM_COUNT; m++) {
		const char *word = mechanism_word((enum mechanism)m);
		assert_true(strlen(word) <= MECHANISM_WORD_MAX);
		assert_int_equal(mechanism_find(span_str(word)), m);
		assert_true(m == MECHANISM_LOGIN ||
			    strcmp(word, mechanism_name((enum mechanism)m)) == 0);
	}
	assert_int_equal(mechanism_find(span_str("scram-sha-256")), MECHANISM_SCRAM_SHA_256);
	assert_int_equal(mechanism_find(span_str("SCRAM-SHA-256-PLUS")), MECHANISM_COUNT);
	assert_int_equal(mechanism_find(span_str("")), MECHANISM_COUNT);
}

static void moves_and_drops(void **state)
{
	(void)state;
	struct credentials a = {.mechanism = MECHANISM_PLAIN};
	secret_set(&a.user, span_str("user"));
	secret_set(&a.authzid, span_str("boss"));
	secret_set(&a.password, span_str("secret"));
	assert_int_equal(credentials_size(&a), 14);

	struct credentials b = {0};
	secret_set(&b.user, span_str("someone before"));
	credentials_move(&b, &a);
	assert_int_equal(credentials_size(&a), 0);
	assert_null(a.password.data);
	assert_int_equal(b.mechanism, MECHANISM_PLAIN);
	assert_true(span_is(secret_span(&b.user), "user"));
	assert_true(span_is(secret_span(&b.authzid), "boss"));
	assert_true(span_is(secret_span(&b.password), "secret"));

	secret_set(&b.message, span_str("a whole message"));
	b.is_verified = true;
	assert_int_equal(credentials_size(&b), 15); /* what is sent */
	credentials_move(&a, &b);
	assert_null(b.message.data);
	assert_true(a.is_verified);
	credentials_move(&b, &a);

	credentials_drop(&b);
	assert_int_equal(credentials_size(&b), 0);
	assert_false(b.is_verified);
	assert_null(b.message.data);
	assert_null(b.user.data);
	credentials_drop(&b);
}

static void copies(void **state)
{
	(void)state;
	struct credentials a = {.mechanism = MECHANISM_LOGIN};
	secret_set(&a.user, span_str("user"));
	secret_set(&a.password, span_str("secret"));
	struct credentials b = {0};
	secret_set(&b.authzid, span_str("someone before"));
	secret_set(&a.message, span_str("message"));
	a.is_verified = true;
	credentials_copy(&b, &a);
	assert_true(span_is(secret_span(&b.message), "message"));
	assert_true(b.is_verified);
	secret_drop(&b.message);
	credentials_drop(&a);
	assert_int_equal(b.mechanism, MECHANISM_LOGIN);
	assert_int_equal(credentials_size(&b), 10);
	assert_int_equal(b.authzid.len, 0);
	assert_true(span_is(secret_span(&b.user), "user"));
	assert_true(span_is(secret_span(&b.password), "secret"));
	credentials_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(moves_and_drops),
		cmocka_unit_test(copies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
