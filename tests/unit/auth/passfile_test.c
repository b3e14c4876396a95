/*
 * Password files: lines, mistakes, pieces of any size, and many users.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/passfile.h"
#include "base/log.h"
#include "config/linefile.h"
#include "lib/scratch.h"

static struct passtable *table;
static struct config_errors errors;
static const struct config_place named_at = {"test.conf", 7};

static bool read_split(const char *bytes, size_t n, size_t split)
{
	table = passtable_create();
	struct passfile *f = passfile_create("users.pw", table, &errors);
	passfile_feed(f, span_of(bytes, split));
	passfile_feed(f, span_of(bytes + split, n - split));
	bool is_good = passfile_end(f);
	passfile_destroy(&f);
	assert_null(f);
	return is_good;
}

static int finish(void **state)
{
	(void)state;
	passtable_destroy(&table);
	config_errors_finish(&errors);
	return 0;
}

/* "user value line" or "none" */
static const char *find(const char *user, enum scheme scheme)
{
	static char text[PASSFILE_LINE_MAX + 100];
	struct passtable_entry e;
	if (!passtable_find(table, span_str(user), scheme, &e)) {
		return "none";
	}
	assert_int_equal(e.scheme, scheme);
	snprintf(text, sizeof text, "%.*s %.*s %u", SPAN_ARG(e.user), SPAN_ARG(e.value), e.line);
	return text;
}

#define CRAM "7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080"
#define SCRAM                                                                                      \
	"4096,palRQrIcNkdspoxpeAaC2A==,XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ="
#define BLF "$2y$05$CjT2qRuRF9Qj0p79FYRCwu5ox4nfOyLDK4rOtCydax32DiP/JGduq"

static const char sample[] = "# who may sign in\r\n"
			     "Bob@example.org:{PLAIN}a:b {c} \r\n"
			     "\n"
			     "carol:" BLF "\n"
			     "carol:{CRAM-MD5}" CRAM "\n"
			     "bob@EXAMPLE.org:{scram-sha-1}" SCRAM "\n"
			     "dave:{BLF-CRYPT}" BLF "\n"
			     "last one:{CLEARTEXT}#";

static void check_sample(void)
{
	assert_string_equal(find("bob@example.org", SCHEME_PLAIN), "Bob@example.org a:b {c}  2");
	assert_string_equal(
		find("BOB@example.org", SCHEME_SCRAM_SHA_1), "bob@EXAMPLE.org " SCRAM " 6");
	assert_string_equal(find("carol", SCHEME_CRYPT), "carol " BLF " 4");
	assert_string_equal(find("carol", SCHEME_CRAM_MD5), "carol " CRAM " 5");
	assert_string_equal(find("dave", SCHEME_CRYPT), "dave " BLF " 7");
	assert_string_equal(find("last one", SCHEME_PLAIN), "last one # 8");
	assert_string_equal(find("carol", SCHEME_PLAIN), "none");
	assert_string_equal(find("", SCHEME_PLAIN), "none");
	assert_string_equal(find("# who may sign in", SCHEME_PLAIN), "none");
	assert_int_equal(passtable_count(table), 6);
	assert_int_equal(passtable_schemes(table, span_str("Carol")),
		SCHEME_BIT(SCHEME_CRYPT) | SCHEME_BIT(SCHEME_CRAM_MD5));
	assert_int_equal(passtable_schemes(table, span_str("eve")), 0);
	assert_int_equal(passtable_all_schemes(table),
		SCHEME_BIT(SCHEME_CRYPT) | SCHEME_BIT(SCHEME_CRAM_MD5) | SCHEME_BIT(SCHEME_PLAIN) |
			SCHEME_BIT(SCHEME_SCRAM_SHA_1));
	struct passtable_entry e;
	assert_true(passtable_first(table, SCHEME_CRYPT, &e));
	assert_int_equal(e.line, 4);
	assert_false(passtable_first(table, SCHEME_SCRAM_SHA_256, &e));
}

static void test_split_at_every_byte(void **state)
{
	for (size_t i = 0; i <= strlen(sample); i++) {
		assert_true(read_split(sample, strlen(sample), i));
		assert_int_equal(errors.count, 0);
		check_sample();
		finish(state);
	}
}

static void test_byte_for_byte(void **state)
{
	(void)state;
	table = passtable_create();
	struct passfile *f = passfile_create("users.pw", table, &errors);
	for (size_t i = 0; i < strlen(sample); i++) {
		passfile_feed(f, span_of(sample + i, 1));
	}
	assert_true(passfile_end(f));
	passfile_destroy(&f);
	check_sample();
}

static void test_mistakes(void **state)
{
	(void)state;
	static const char text[] = "alice\n"
				   ":{PLAIN}x\n"
				   "alice:secret\n"
				   "alice:{SSHA}secret\n"
				   "alice:{PLAIN\n"
				   "alice:{PLAIN}\n"
				   "alice:{CRAM-MD5}secret\n"
				   "alice:{SCRAM-SHA-256}" SCRAM "\n"
				   "alice:{CRYPT}!\n"
				   "alice:$99$secret\n"
				   "al\0ice:{PLAIN}x\n"
				   "alice:{PLAIN}x\n"
				   "ALICE:{PLAIN}x\n";
	static const char unknown[] =
		"unknown scheme: known are CRYPT, SHA512-CRYPT, BLF-CRYPT and the like, PLAIN, "
		"CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256";
	static const char *const lines[] = {
		"not of the form: user:{SCHEME}value",
		"not of the form: user:{SCHEME}value",
		unknown,
		unknown,
		unknown,
		"the password is empty",
		"not 64 hexadecimal digits",
		"not of the form: iterations,salt,StoredKey,ServerKey",
		"crypt(3) does not know this kind of password hash",
		"crypt(3) does not know this kind of password hash",
		"the line holds a NUL byte",
	};
	assert_false(read_split(text, sizeof text - 1, 0));
	size_t count = sizeof lines / sizeof lines[0];
	assert_int_equal(errors.count, count + 1);
	for (size_t i = 0; i < count; i++) {
		char wanted[300];
		snprintf(wanted, sizeof wanted, "users.pw:%zu: %s", i + 1, lines[i]);
		assert_string_equal(errors.lines[i], wanted);
	}
	assert_string_equal(
		errors.lines[count], "users.pw:13: the user has PLAIN in line 12 already");
	/* What stands in the file is said nowhere. */
	for (size_t i = 0; i < errors.count; i++) {
		assert_null(strstr(errors.lines[i], "secret"));
		assert_null(strstr(errors.lines[i], "palRQ"));
	}
}

static void test_bounds(void **state)
{
	char text[2 * PASSFILE_LINE_MAX];
	memset(text, 'x', sizeof text);
	memcpy(text + PASSFILE_LINE_MAX + 1, "\nalice:{PLAIN}x\n", 17);
	assert_false(read_split(text, PASSFILE_LINE_MAX + 17, PASSFILE_LINE_MAX - 3));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.lines[0], "users.pw:1: the line is too long");
	assert_string_equal(find("alice", SCHEME_PLAIN), "alice x 2");
	finish(state);
	memset(text, 'x', sizeof text);
	memcpy(text + PASSFILE_USER_MAX, ":{PLAIN}x", 9);
	assert_true(read_split(text, PASSFILE_USER_MAX + 9, 5));
	finish(state);
	memset(text, 'x', sizeof text);
	memcpy(text + PASSFILE_USER_MAX + 1, ":{PLAIN}x", 9);
	assert_false(read_split(text, PASSFILE_USER_MAX + 10, 5));
	assert_string_equal(errors.lines[0], "users.pw:1: the name is too long");
	finish(state);
	/* Errors are capped. */
	for (size_t i = 0; i < 100; i++) {
		memcpy(text + 6 * i, "alice\n", 6);
	}
	assert_false(read_split(text, 600, 0));
	assert_int_equal(errors.count, LINEFILE_SHOWN_MAX + 1);
	assert_string_equal(errors.lines[LINEFILE_SHOWN_MAX], "users.pw: 80 more errors");
}

/* As some editors begin a file; the first user is no other for it. */
static void test_byte_order_mark(void **state)
{
	(void)state;
	static const char text[] = "\xef\xbb\xbf"
				   "bob:{PLAIN}x\n\xef\xbb\xbf"
				   "carol:{PLAIN}y\n";
	for (size_t split = 0; split < 6; split++) {
		assert_true(read_split(text, sizeof text - 1, split));
		assert_string_equal(find("bob", SCHEME_PLAIN), "bob x 1");
		assert_string_equal(find("carol", SCHEME_PLAIN), "none");
		finish(state);
	}
}

static void test_files(void **state)
{
	(void)state;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	table = passtable_create();
	struct passfile *f = passfile_create(scratch_write("users.pw", sample), table, &errors);
	assert_true(passfile_read(f, named_at));
	passfile_destroy(&f);
	check_sample();
	passtable_destroy(&table);
	table = passtable_create();
	f = passfile_create("/nowhere/users.pw", table, &errors);
	assert_false(passfile_read(f, named_at));
	passfile_destroy(&f);
	assert_string_equal(errors.lines[0],
		"test.conf:7: auth.password_file: cannot read /nowhere/users.pw: "
		"No such file or directory");
	config_errors_finish(&errors);
	passtable_destroy(&table);
	table = passtable_create();
	f = passfile_create(scratch_dir(), table, &errors);
	assert_false(passfile_read(f, named_at));
	passfile_destroy(&f);
	assert_non_null(strstr(errors.lines[0], ": not a regular file"));
}

static void test_installed_sample(void **state)
{
	(void)state;
	table = passtable_create();
	struct passfile *f = passfile_create("etc/passwords.sample", table, &errors);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_true(passfile_read(f, named_at));
	passfile_destroy(&f);
	assert_int_equal(passtable_count(table), 6);
	assert_string_equal(find("carol@example.org", SCHEME_PLAIN), "carol@example.org pencil 15");
}

static void test_many_users(void **state)
{
	(void)state;
	enum { USERS = 200000 };
	table = passtable_create();
	struct passfile *f = passfile_create("users.pw", table, &errors);
	char line[200];
	for (unsigned i = 0; i < USERS; i++) {
		int n = snprintf(line, sizeof line, "user%u@example.org:{BLF-CRYPT}" BLF "\n", i);
		passfile_feed(f, span_of(line, (size_t)n));
	}
	assert_true(passfile_end(f));
	passfile_destroy(&f);
	assert_int_equal(passtable_count(table), USERS);
	assert_string_equal(find("user199999@example.org", SCHEME_CRYPT),
		"user199999@example.org " BLF " 200000");
	assert_string_equal(find("user200000@example.org", SCHEME_CRYPT), "none");
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
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test_teardown(test_byte_for_byte, finish),
		cmocka_unit_test_teardown(test_mistakes, finish),
		cmocka_unit_test_teardown(test_bounds, finish),
		cmocka_unit_test_teardown(test_byte_order_mark, finish),
		cmocka_unit_test_teardown(test_files, finish),
		cmocka_unit_test_teardown(test_installed_sample, finish),
		cmocka_unit_test_teardown(test_many_users, finish),
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
