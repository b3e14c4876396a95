#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "imap/base64.h"
#include "imap/sasl.h"

static struct buf encode(const void *p, size_t n)
{
	struct buf text;
	buf_init(&text, 65536);
	assert_true(base64_encode(&text, span_of(p, n)));
	return text;
}

static void check_plain(
	const char *message, size_t n, const char *authzid, const char *user, const char *password)
{
	struct buf text = encode(message, n);
	struct credentials c = {0};
	assert_int_equal(sasl_plain_read(buf_peek(&text), &c), SASL_GOOD);
	assert_int_equal(c.mechanism, MECHANISM_PLAIN);
	assert_true(span_is(secret_span(&c.authzid), authzid));
	assert_true(span_is(secret_span(&c.user), user));
	assert_true(span_is(secret_span(&c.password), password));
	credentials_drop(&c);
	buf_finish(&text);
}

static void plain(void **state)
{
	(void)state;
	check_plain("\0u2\0pw2", 7, "", "u2", "pw2");
	check_plain("c1\0cyrus\0pwcyrus", 16, "c1", "cyrus", "pwcyrus");
	check_plain("\0\0", 2, "", "", "");
	check_plain("a\0\0", 3, "a", "", "");
	check_plain("\0u\0", 3, "", "u", "");
	check_plain("\0u\r\nx\0p w", 9, "", "u\r\nx", "p w");

	struct credentials c = {0};
	assert_int_equal(sasl_plain_read(span_str("AHUyAHB3Mg=="), &c), SASL_GOOD);
	assert_true(span_is(secret_span(&c.user), "u2"));
	/* What does not parse leaves the credentials alone. */
	assert_int_equal(sasl_plain_read(span_str("%%%%"), &c), SASL_MALFORMED);
	assert_true(span_is(secret_span(&c.password), "pw2"));
	credentials_drop(&c);
}

static void plain_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t n;
	} rows[] = {{"", 0}, {"u", 1}, {"u\0", 2}, {"\0u", 2}, {"u\0p", 3}, {"\0u\0p\0", 5},
		{"\0u\0p\0x", 6}, {"\0\0\0", 3}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text = encode(rows[i].message, rows[i].n);
		struct credentials c = {0};
		assert_int_equal(sasl_plain_read(buf_peek(&text), &c), SASL_MALFORMED);
		assert_int_equal(credentials_size(&c), 0);
		buf_finish(&text);
	}
	struct credentials c = {0};
	assert_int_equal(sasl_plain_read(span_str("="), &c), SASL_MALFORMED);
	assert_int_equal(sasl_plain_read(span_str("*"), &c), SASL_CANCELLED);
	assert_int_equal(sasl_plain_read(span_str("**"), &c), SASL_MALFORMED);
	assert_int_equal(sasl_plain_read(span_str("AHUyAHB3Mg"), &c), SASL_MALFORMED);
}

static void login(void **state)
{
	(void)state;
	struct secret s = {0};
	assert_int_equal(sasl_login_read(span_str("dTI="), &s), SASL_GOOD);
	assert_true(span_is(secret_span(&s), "u2"));
	assert_int_equal(sasl_login_read(span_str("*"), &s), SASL_CANCELLED);
	assert_int_equal(sasl_login_read(span_str("dTI"), &s), SASL_MALFORMED);
	assert_int_equal(sasl_login_read(span_str("dQAy"), &s), SASL_MALFORMED); /* u NUL 2 */
	assert_true(span_is(secret_span(&s), "u2"));
	assert_int_equal(sasl_login_read(span_str("="), &s), SASL_GOOD);
	assert_int_equal(s.len, 0);
	assert_int_equal(sasl_login_read(span_str(""), &s), SASL_GOOD);
	assert_int_equal(s.len, 0);
	secret_drop(&s);
	struct secret ask = {0};
	assert_true(base64_decode(span_str(SASL_LOGIN_ASK_USER), &ask));
	assert_true(span_is(secret_span(&ask), "Username:"));
	assert_true(base64_decode(span_str(SASL_LOGIN_ASK_PASSWORD), &ask));
	assert_true(span_is(secret_span(&ask), "Password:"));
	secret_drop(&ask);
}

static void long_lines(void **state)
{
	(void)state;
	char *text = xmalloc(SASL_LINE_MAX + 4);
	memset(text, 'A', SASL_LINE_MAX + 4);
	memcpy(text, "dXV1", 4);
	struct secret s = {0};
	/* The length is the matter: zeroes are refused, and letters are not. */
	assert_int_equal(sasl_login_read(span_of(text, SASL_LINE_MAX), &s), SASL_MALFORMED);
	for (size_t i = 0; i < SASL_LINE_MAX + 4; i += 4) {
		memcpy(text + i, "eHh4", 4);
	}
	assert_int_equal(sasl_login_read(span_of(text, SASL_LINE_MAX), &s), SASL_GOOD);
	assert_int_equal(s.len, SASL_LINE_MAX / 4 * 3);
	assert_int_equal(sasl_login_read(span_of(text, SASL_LINE_MAX + 4), &s), SASL_MALFORMED);
	secret_drop(&s);
	free(text);
}

static void plain_round_trip(void **state)
{
	(void)state;
	static const char *const values[] = {
		"", "u", "u\r\nZZ01 CAPABILITY", "\"{5}", "\xc3\xa4", "%n%s"};
	size_t count = sizeof(values) / sizeof(values[0]);
	for (size_t i = 0; i < count * count * count; i++) {
		struct span z = span_str(values[i % count]);
		struct span u = span_str(values[i / count % count]);
		struct span p = span_str(values[i / count / count]);
		struct buf text;
		buf_init(&text, 4096);
		assert_true(sasl_plain_write(&text, z, u, p));
		struct credentials c = {0};
		assert_int_equal(sasl_plain_read(buf_peek(&text), &c), SASL_GOOD);
		assert_true(span_equal(secret_span(&c.authzid), z));
		assert_true(span_equal(secret_span(&c.user), u));
		assert_true(span_equal(secret_span(&c.password), p));
		credentials_drop(&c);
		buf_finish(&text);
		buf_init(&text, 3);
		assert_false(sasl_plain_write(&text, z, u, span_str("long enough")));
		buf_finish(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(plain_malformed),
		cmocka_unit_test(login),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(plain_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
