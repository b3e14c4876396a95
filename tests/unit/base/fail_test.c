/* What clients are told: it stands behind "tag NO " and "* BYE ", whatever the code. */
#include "base/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < FAIL_COUNT; i++) {
		const char *name = fail_name((enum fail)i);
		assert_non_null(name);
		assert_true(name[0] != '\0');
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		for (int other = 0; other < i; other++) {
			assert_string_not_equal(name, fail_name((enum fail)other));
		}
	}
	assert_string_equal(fail_name(FAIL_NONE), "none");
	assert_string_equal(fail_name(FAIL_SHUTDOWN), "shutdown");
}

static void test_sides(void **state)
{
	(void)state;
	assert_int_equal(fail_side(FAIL_LOGOUT), FAIL_SIDE_NONE);
	assert_int_equal(fail_side(FAIL_CLIENT_TLS), FAIL_SIDE_CLIENT);
	assert_int_equal(fail_side(FAIL_SERVER_TLS), FAIL_SIDE_SERVER);
	assert_int_equal(fail_side(FAIL_SHUTDOWN), FAIL_SIDE_PROXY);
	for (int i = 0; i < FAIL_COUNT; i++) {
		const char *name = fail_name((enum fail)i);
		if (strncmp(name, "server-", 7) == 0) {
			assert_int_equal(fail_side((enum fail)i), FAIL_SIDE_SERVER);
		}
		if (strncmp(name, "client-", 7) == 0 && i != FAIL_CLIENT_LEFT) {
			assert_int_equal(fail_side((enum fail)i), FAIL_SIDE_CLIENT);
		}
	}
}

/* The response codes of RFC 5530 section 3, as far as they are ours to give. */
static bool is_known_code(const char *code, size_t n)
{
	static const char *const codes[] = {"UNAVAILABLE", "AUTHENTICATIONFAILED", "LIMIT",
		"PRIVACYREQUIRED", "CONTACTADMIN", "NOPERM", "INUSE", "EXPIRED", "SERVERBUG",
		"CLIENTBUG", "CANNOT"};
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (strlen(codes[i]) == n && memcmp(codes[i], code, n) == 0) {
			return true;
		}
	}
	return false;
}

static void test_texts_for_clients(void **state)
{
	(void)state;
	for (int i = 0; i < FAIL_COUNT; i++) {
		const char *text = fail_client_text((enum fail)i);
		if (text == NULL) {
			continue;
		}
		const char *words = text;
		if (text[0] == '[') {
			const char *end = strchr(text, ']');
			assert_non_null(end);
			assert_true(is_known_code(text + 1, (size_t)(end - text - 1)));
			assert_int_equal(end[1], ' ');
			words = end + 2;
		}
		/* RFC 9051 "text": at least one character, none of CR, LF, and no second code. */
		assert_true(words[0] >= 'A' && words[0] <= 'Z');
		for (const char *c = text; *c != '\0'; c++) {
			assert_true(*c >= ' ' && *c <= '~');
			assert_true(*c != '"' && *c != '\\' && *c != '{' && *c != '%');
		}
		assert_null(strpbrk(words, "[]"));
		assert_true(strlen(text) < 100);
	}
}

/* A name that does not exist must not be told from a wrong password. */
static void test_no_route_is_a_wrong_password(void **state)
{
	(void)state;
	assert_string_equal(fail_client_text(FAIL_NO_ROUTE), fail_client_text(FAIL_AUTH));
	assert_non_null(strstr(fail_client_text(FAIL_AUTH), "[AUTHENTICATIONFAILED] "));
}

/* Why exactly a server cannot be had is nobody's business but the operator's. */
static void test_servers_are_not_described(void **state)
{
	(void)state;
	for (int i = 0; i < FAIL_COUNT; i++) {
		const char *text = fail_client_text((enum fail)i);
		if (fail_side((enum fail)i) == FAIL_SIDE_SERVER && text != NULL) {
			assert_memory_equal(text, "[UNAVAILABLE] ", 14);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_texts_for_clients),
		cmocka_unit_test(test_no_route_is_a_wrong_password),
		cmocka_unit_test(test_servers_are_not_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
