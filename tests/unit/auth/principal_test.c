/*
 * Kerberos principals to users.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/principal.h"

static const char service[] = "imap/mail.example.org@EXAMPLE.ORG";

static const char *user_of(const char *client, enum gssapi_user form)
{
	static char text[2000];
	struct secret user = {0};
	const char *why = NULL;
	if (!principal_user(span_str(client), span_str(service), form, &user, &why)) {
		assert_non_null(why);
		assert_int_equal(user.len, 0);
		return "nobody";
	}
	memcpy(text, user.data, user.len);
	text[user.len] = '\0';
	secret_drop(&user);
	return text;
}

static void test_people(void **state)
{
	(void)state;
	assert_string_equal(user_of("alice@EXAMPLE.ORG", GSSAPI_USER_NAME), "alice");
	assert_string_equal(user_of("Alice.B@EXAMPLE.ORG", GSSAPI_USER_NAME), "Alice.B");
	assert_string_equal(user_of("Alice@EXAMPLE.ORG", GSSAPI_USER_ADDRESS), "Alice@example.org");
}

static void test_others(void **state)
{
	(void)state;
	static const char *const nobody[] = {"", "alice", "@EXAMPLE.ORG", "alice@",
		"alice@OTHER.ORG", "alice@example.org", "alice@SUB.EXAMPLE.ORG",
		"alice/admin@EXAMPLE.ORG", "host/x.example.org@EXAMPLE.ORG",
		"alice\\@OTHER.ORG@EXAMPLE.ORG", "a\\/b@EXAMPLE.ORG", "a b@EXAMPLE.ORG",
		"a\nb@EXAMPLE.ORG", "alice@OTHER@EXAMPLE.ORG"};
	for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
		assert_string_equal(user_of(nobody[i], GSSAPI_USER_NAME), "nobody");
		assert_string_equal(user_of(nobody[i], GSSAPI_USER_ADDRESS), "nobody");
	}
	char text[PRINCIPAL_USER_MAX + 20];
	memset(text, 'x', sizeof text);
	memcpy(text + PRINCIPAL_USER_MAX, "@EXAMPLE.ORG", 13);
	assert_string_equal(user_of(text, GSSAPI_USER_NAME), "nobody");
	struct secret user = {0};
	const char *why;
	assert_false(principal_user(
		span_str("alice@EXAMPLE.ORG"), span_str("imap"), GSSAPI_USER_NAME, &user, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_people),
		cmocka_unit_test(test_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
