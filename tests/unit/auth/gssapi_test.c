/*
 * Keytabs that will not do, and messages that are no tokens. What a real realm says is an end-to-end test.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/gssapi.h"
#include "lib/scratch.h"

static struct gss_acceptor *acceptor_of(const char *keytab, struct config_errors *errors)
{
	struct config_auth auth = {
		.gssapi_keytab_place = {"test.conf", 7},
		.gssapi_keytab = (char *)(uintptr_t)keytab,
		.gssapi_service = (char[]){"imap"},
		.gssapi_hostname = (char[]){""},
	};
	return gss_acceptor_create(&auth, errors);
}

static void expect_error(const char *keytab)
{
	struct config_errors errors = {0};
	struct gss_acceptor *a = acceptor_of(keytab, &errors);
	assert_null(a);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], "test.conf:7: auth.gssapi_keytab: "));
	config_errors_finish(&errors);
	gss_acceptor_destroy(&a); /* NULL is fine */
}

static void test_bad_keytabs(void **state)
{
	(void)state;
	expect_error("/nowhere/keytab");
	expect_error(scratch_write("empty", ""));
	expect_error(scratch_write("garbage", "no keytab at all"));
	expect_error(scratch_dir());
}

#ifdef IMAPMUX_GSSAPI

/* A keytab of version 5.2 with one key: imap/localhost@EXAMPLE.TEST, aes256-cts-hmac-sha1-96, all ones. */
static const char *make_keytab(void)
{
	uint8_t bytes[200] = {5, 2, 0, 0, 0, 0, 0, 2, 0, 12};
	size_t n = 10;
	static const uint8_t tail[] = {0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 18, 0, 32};
	static const char *const parts[] = {"EXAMPLE.TEST", "imap", "localhost"};
	for (size_t i = 0; i < 3; i++) {
		if (i > 0) {
			bytes[n++] = 0;
			bytes[n++] = (uint8_t)strlen(parts[i]);
		}
		memcpy(bytes + n, parts[i], strlen(parts[i]));
		n += strlen(parts[i]);
	}
	memcpy(bytes + n, tail, sizeof tail);
	n += sizeof tail;
	memset(bytes + n, 1, 32);
	n += 32;
	bytes[5] = (uint8_t)(n - 6);
	return scratch_write_bytes("keytab", bytes, n);
}

static void test_bad_tokens(void **state)
{
	(void)state;
	static const char *const tokens[] = {"", "x", "\x60", "\x60\x82\xff\xff", "n,,n=user,r=x"};
	struct config_errors errors = {0};
	setenv("KRB5_CONFIG", scratch_write("krb5.conf", "[libdefaults]\n"), 1);
	struct gss_acceptor *a = acceptor_of(make_keytab(), &errors);
	if (a == NULL) {
		fail_msg("%s", errors.lines[0]);
	}
	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		struct gss_exchange *e = gss_exchange_create(a);
		struct buf out;
		buf_init(&out, GSS_TOKEN_MAX);
		assert_int_equal(gss_exchange_step(e, span_str(tokens[i]), &out), GSS_NO);
		assert_true(strlen(gss_exchange_reason(e)) > 0);
		assert_int_equal(gss_exchange_client(e).n, 0);
		buf_finish(&out);
		gss_exchange_destroy(&e);
		assert_null(e);
	}
	gss_acceptor_destroy(&a);
	assert_null(a);
}

#endif

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_keytabs),
#ifdef IMAPMUX_GSSAPI
		cmocka_unit_test(test_bad_tokens),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
