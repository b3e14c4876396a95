#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/address.h"

static void expect_inet(const char *text, const char *host, unsigned port, bool is_loopback)
{
	struct address a;
	const char *why = "";
	if (!address_parse(text, &a, &why)) {
		print_error("%s: %s\n", text, why);
		fail();
	}
	assert_int_equal(a.kind, ADDRESS_INET);
	assert_string_equal(a.text, text);
	assert_string_equal(a.host, host);
	assert_int_equal(a.port, port);
	assert_null(a.path);
	assert_int_equal(a.is_loopback, is_loopback);
	address_finish(&a);
	assert_null(a.host);
	address_finish(&a);
}

static void test_inet(void **state)
{
	(void)state;
	expect_inet("127.0.0.1:143", "127.0.0.1", 143, true);
	expect_inet("127.255.0.9:1", "127.255.0.9", 1, true);
	expect_inet("128.0.0.1:65535", "128.0.0.1", 65535, false);
	expect_inet("0.0.0.0:993", "0.0.0.0", 993, false);
	expect_inet("[::]:993", "::", 993, false);
	expect_inet("[::1]:993", "::1", 993, true);
	expect_inet("[::ffff:127.0.0.1]:993", "::ffff:127.0.0.1", 993, true);
	expect_inet("[::ffff:10.0.0.1]:993", "::ffff:10.0.0.1", 993, false);
	expect_inet("[2001:db8::5]:143", "2001:db8::5", 143, false);
	expect_inet("mail2.internal:993", "mail2.internal", 993, false);
	expect_inet("mail_2:0993", "mail_2", 993, false);
	/* A name may mean anything: only literal addresses are known to stay on this machine. */
	expect_inet("localhost:143", "localhost", 143, false);
}

static void test_unix(void **state)
{
	(void)state;
	struct address a;
	const char *why = "";
	assert_true(address_parse("unix:/run/imapmux/imap.sock", &a, &why));
	assert_int_equal(a.kind, ADDRESS_UNIX);
	assert_string_equal(a.path, "/run/imapmux/imap.sock");
	assert_null(a.host);
	assert_true(a.is_loopback);
	address_finish(&a);

	char text[200] = "unix:/";
	memset(text + 6, 'x', 106);
	text[6 + 106] = '\0';
	assert_true(address_parse(text, &a, &why));
	assert_int_equal(strlen(a.path), 107);
	address_finish(&a);
	memcpy(text + 6 + 106, "x", 2);
	assert_false(address_parse(text, &a, &why));
	assert_non_null(strstr(why, "longer than 107"));
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "port is missing"},
		{"127.0.0.1", "port is missing"},
		{"127.0.0.1:", "not a number"},
		{"127.0.0.1:0", "not a number"},
		{"127.0.0.1:65536", "not a number"},
		{"127.0.0.1:99999999999999999999", "not a number"},
		{"127.0.0.1:14x", "not a number"},
		{"127.0.0.1: 143", "not a number"},
		{"127.0.0.1:-1", "not a number"},
		{":143", "host is missing"},
		{"[]:143", "host is missing"},
		{"::1:143", "in brackets"},
		{"[::1:143", "] behind"},
		{"[::1]143", "port is missing"},
		{"[127.0.0.1]:143", "not an IPv6"},
		{"[mail]:143", "not an IPv6"},
		{"300.1.1.1:143", "neither a name nor"},
		{"1.2.3:143", "neither a name nor"},
		{"mail server:143", "neither a name nor"},
		{"-mail:143", "neither a name nor"},
		{".mail:143", "neither a name nor"},
		{"ma%il:143", "neither a name nor"},
		{"*:143", "neither a name nor"},
		{"unix:143", "must begin with /"},
		{"unix:", "must begin with /"},
		{"unix:run/x", "must begin with /"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address a = {.port = 7};
		const char *why = "";
		if (address_parse(cases[i].text, &a, &why) || strstr(why, cases[i].why) == NULL) {
			print_error("%s: %s\n", cases[i].text, why);
			fail();
		}
		assert_int_equal(a.port, 7);
	}
	/* 254 bytes of host are one too many. */
	char text[300];
	struct address a;
	const char *why = "";
	memset(text, 'x', sizeof text);
	memcpy(text + 254, ":143", 5);
	assert_false(address_parse(text, &a, &why));
	assert_true(address_parse(text + 1, &a, &why));
	address_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inet),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests_name("config/address", tests, NULL, NULL);
}
