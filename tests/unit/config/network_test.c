/* Who is in a network and who is not, at each border; and what is no network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/network.h"

static bool has(const char *network, const char *address)
{
	struct network n;
	const char *why = "";
	if (!network_parse(network, &n, &why)) {
		fail_msg("%s: %s", network, why);
	}
	return network_has(&n, 1, address);
}

static void test_v4(void **state)
{
	(void)state;
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("10.0.0.0/8", "10.255.255.255"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("192.0.2.64/26", "192.0.2.64"));
	assert_true(has("192.0.2.64/26", "192.0.2.127"));
	assert_false(has("192.0.2.64/26", "192.0.2.63"));
	assert_false(has("192.0.2.64/26", "192.0.2.128"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("0.0.0.1/32", "0.0.0.1"));
	assert_true(has("128.0.0.0/1", "200.0.0.1"));
	assert_false(has("128.0.0.0/1", "127.0.0.1"));
}

static void test_v6(void **state)
{
	(void)state;
	assert_true(has("::1", "::1"));
	assert_false(has("::1", "::2"));
	assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/32", "2001:db9::1"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::/0", "2001:db8::1"));
	assert_false(has("::/0", "192.0.2.7"));
	assert_true(has("fe80::/10", "fe80::1%eth0"));
	assert_true(has("2001:db8::7/128", "2001:0DB8::7"));
}

/* An IPv6 socket names IPv4 clients in its own way; the operator need not know. */
static void test_mapped(void **state)
{
	(void)state;
	assert_true(has("192.0.2.0/24", "::ffff:192.0.2.7"));
	assert_true(has("::ffff:192.0.2.0/120", "192.0.2.7"));
	assert_true(has("::ffff:192.0.2.7", "::ffff:192.0.2.7"));
	assert_false(has("::ffff:192.0.2.0/120", "192.0.3.7"));
}

static void test_unix(void **state)
{
	(void)state;
	assert_true(has("unix", "unix"));
	assert_false(has("unix", "127.0.0.1"));
	assert_false(has("127.0.0.0/8", "unix"));
	assert_false(has("0.0.0.0/0", "unix"));
}

static void test_list(void **state)
{
	(void)state;
	struct network list[3];
	const char *why;
	assert_true(network_parse("10.0.0.0/8", &list[0], &why));
	assert_true(network_parse("unix", &list[1], &why));
	assert_true(network_parse("::1", &list[2], &why));
	assert_true(network_has(list, 3, "::1"));
	assert_true(network_has(list, 3, "unix"));
	assert_false(network_has(list, 2, "::1"));
	assert_false(network_has(list, 0, "10.0.0.1"));
	assert_false(network_has(list, 3, ""));
	assert_false(network_has(list, 3, "unknown"));
}

static void test_wrong(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "/", "10.0.0.0/", "10.0.0.0/33", "::/129",
		"10.0.0.0/8 ", "10.0.0.0/8/8", "10.0.0/8", "10.0.0.5/24", "10.0.0.1/31", "::1/64",
		"localhost", "unix/8", "unix:", "010.0.0.0/8", "1.2.3.4/-1", "1.2.3.4/+8",
		"1.2.3.4/99999999999999999999", "fe80::1%eth0",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct network n = {.bits = 99};
		const char *why = NULL;
		if (network_parse(texts[i], &n, &why)) {
			fail_msg("\"%s\" was taken for a network", texts[i]);
		}
		assert_non_null(why);
		assert_int_equal(n.bits, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
