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

	credentials_drop(&b);
	assert_int_equal(credentials_size(&b), 0);
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
	credentials_copy(&b, &a);
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
