/*
 * Master users: their password files, and what they sign in with.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/master.h"
#include "base/log.h"
#include "lib/scratch.h"

static char user[] = "master", separator[] = "*", none[] = "";
static struct config_errors errors;

static struct config_backend backend_with(const char *file, enum master_form form)
{
	return (struct config_backend){
		.master_password_file_place = {"test.conf", 5},
		.master_user = user,
		.master_password_file = (char *)(uintptr_t)file,
		.master_form = form,
		.master_separator = separator,
	};
}

static void test_forms(void **state)
{
	(void)state;
	const char *file = scratch_write("word", "pass word\r\nof no account\n");
	struct master m;
	struct credentials c = {0};
	struct config_backend b = backend_with(file, MASTER_AUTHZID);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_true(master_init(&m, &b, &errors));
	assert_true(master_is_known(&m));
	assert_true(master_credentials(&m, span_str("bob*x"), &c));
	assert_int_equal(c.mechanism, MECHANISM_PLAIN);
	assert_false(c.is_verified);
	assert_true(span_is(secret_span(&c.user), "master"));
	assert_true(span_is(secret_span(&c.authzid), "bob*x"));
	assert_true(span_is(secret_span(&c.password), "pass word"));
	master_finish(&m);
	assert_false(master_is_known(&m));
	b = backend_with(file, MASTER_SEPARATOR);
	assert_true(master_init(&m, &b, &errors));
	assert_false(master_credentials(&m, span_str("bob*x"), &c));
	assert_false(master_credentials(&m, span_str("*"), &c));
	assert_true(master_credentials(&m, span_str("bob"), &c));
	assert_true(span_is(secret_span(&c.user), "bob*master"));
	assert_int_equal(c.authzid.len, 0);
	master_finish(&m);
	credentials_drop(&c);
}

static void test_no_master(void **state)
{
	(void)state;
	struct master m;
	struct config_backend b = backend_with(none, MASTER_AUTHZID);
	b.master_user = none;
	assert_true(master_init(&m, &b, &errors));
	assert_false(master_is_known(&m));
	master_finish(&m);
}

static void expect(const char *file, const char *why)
{
	struct master m;
	struct config_backend b = backend_with(file, MASTER_AUTHZID);
	assert_false(master_init(&m, &b, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], why));
	config_errors_finish(&errors);
	master_finish(&m);
}

static void test_bad_files(void **state)
{
	(void)state;
	char text[MASTER_PASSWORD_MAX + 2];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	expect("/nowhere", "backends.master_password_file: /nowhere: No such file");
	expect(scratch_write("empty", ""), "the first line is empty");
	expect(scratch_write("empty", "\nx"), "the first line is empty");
	expect(scratch_write("long", text), "the first line is too long");
	expect(scratch_write_bytes("nul", "a\0b\n", 4), "the first line holds a NUL byte");
	expect(scratch_dir(), "Is a directory");
}

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_no_master),
		cmocka_unit_test(test_bad_files),
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
