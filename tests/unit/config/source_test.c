/*
 * Files within files: errors name the file and line where the text really stands.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "config/config.h"
#include "lib/scratch.h"

#define HEAD                                                                                       \
	"listeners = ( { address = \"127.0.0.1:1\"; } );\n"                                        \
	"backends = ( { name = \"mail1\"; address = \"127.0.0.1:2\"; } );\n"

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

static void expect(const char *text, const char *words)
{
	char *errors = scratch_config_errors(text);
	if (strstr(errors, words) == NULL) {
		print_error("wanted %s, got %s", words, errors);
		fail();
	}
	free(errors);
}

static void test_include_counts_from_its_file(void **state)
{
	(void)state;
	char folder[200];
	snprintf(folder, sizeof folder, "%s/sub", scratch_dir());
	assert_int_equal(mkdir(folder, 0700), 0);
	scratch_write("sub/a.conf", "workers = 3;\n@include \"b.conf\"\n");
	scratch_write("sub/b.conf", "log = { level = \"warn\"; };");
	struct config *c =
		scratch_config(HEAD "\t@include \t\"sub/a.conf\"  # more\nuser = \"root\";\n");
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->log_level, LOG_WARN);
	assert_string_equal(c->user, "root");
	assert_int_equal(c->file_count, 3);
	config_unref(&c);
	scratch_write("sub/b.conf", "\n\nlog = { level = 7; };");
	expect(HEAD "@include \"sub/a.conf\"\nuser = 5;\n", "/sub/b.conf:3: log.level: must be");
	expect(HEAD "@include \"sub/a.conf\"\nuser = 5;\n", "/test.conf:4: user: must be");
	scratch_write("sub/b.conf", "\nlog = ;");
	expect(HEAD "@include \"sub/a.conf\"\n", "/sub/b.conf:2: syntax error");
}

static void test_absolute_include(void **state)
{
	(void)state;
	char text[500];
	snprintf(text, sizeof text, HEAD "@include \"%s\"\n",
		scratch_write("absolute.conf", "workers = 5;"));
	struct config *c = scratch_config(text);
	assert_int_equal(c->workers, 5);
	config_unref(&c);
}

static void test_include_within_a_group(void **state)
{
	(void)state;
	scratch_write("users.conf", "{ match = \"a\"; backend = \"mail1\"; },\n"
				    "{ match = \"b\"; backend = \"mail1\"; }");
	struct config *c = scratch_config(HEAD "users = (\n@include \"users.conf\"\n);\n");
	assert_int_equal(c->rule_count, 2);
	assert_int_equal(c->rules[1].place.line, 2);
	assert_non_null(strstr(c->rules[1].place.file, "/users.conf"));
	config_unref(&c);
}

static void test_words_that_are_no_include(void **state)
{
	(void)state;
	struct config *c = scratch_config(HEAD "/* is\n@include \"missing.conf\"\n*/\n"
					       "#@include \"missing.conf\"\n"
					       "tls = { ciphers = \"a \\\"\n"
					       "@include \\\"missing.conf\\\"\n\"; };\n");
	config_unref(&c);
}

static void test_includes_that_fail(void **state)
{
	(void)state;
	expect(HEAD "\n@include \"missing.conf\"\nworkers = 1;", "/test.conf:4: cannot read");
	expect(HEAD "@include \"/\"\n", "/test.conf:3: cannot read /: not a regular file");
	scratch_write("circle.conf", "@include \"circle.conf\"\n");
	expect(HEAD "@include \"circle.conf\"\n", "includes are nested too deeply");
	scratch_write_bytes("nul.conf", "a\0b", 3);
	expect(HEAD "@include \"nul.conf\"\n", "it holds NUL bytes");
	/* One error and not a thousand million: a file that names itself many times. */
	scratch_write("many.conf", "@include \"many.conf\"\n@include \"many.conf\"\n"
				   "@include \"many.conf\"\n@include \"many.conf\"\n");
	expect(HEAD "@include \"many.conf\"\n", "too many includes");
}

static void test_line_ends(void **state)
{
	(void)state;
	struct config *c =
		scratch_config("listeners = (\r\n { address = \"127.0.0.1:1\"; } );\r\n"
			       "workers = 2; # x\r\n# y\r\nlog = { level = \"warn\"; };");
	assert_int_equal(c->workers, 2);
	assert_int_equal(c->log_level, LOG_WARN);
	config_unref(&c);
}

/* Numbers in strings, comments and names are left alone; real ones keep all their bits. */
static void test_long_numbers(void **state)
{
	(void)state;
	struct config *c = scratch_config(
		HEAD "user = \"root\"; # 99999999999\n/* 99999999999 */ // 99999999999\n"
		     "tls = { ciphers = \"99999999999 \\\" 99999999999\"; };\n"
		     "pool = { idle_timeout = 86400; };\n"
		     "limits = { clients = 10000000; clients_per_ip = 5L; };\n");
	assert_string_equal(c->tls.ciphers, "99999999999 \" 99999999999");
	assert_int_equal(c->pool.idle_timeout, 86400000);
	assert_int_equal(c->limits.clients_per_ip, 5);
	config_unref(&c);
	expect(HEAD "limits = { clients = 2147483648; };", "limits.clients: out of bounds");
	expect(HEAD "limits = { clients = 4294967297; };", "limits.clients: out of bounds");
	expect(HEAD "limits = { clients = 18446744073709551617; };",
		"limits.clients: out of bounds");
	expect(HEAD "limits = { clients = 18446744073709551617L; };",
		"limits.clients: out of bounds");
	expect(HEAD "limits = { clients = -4294967295; };", "limits.clients: must not be negative");
	expect(HEAD "limits = { clients = 0x100000001; };", "limits.clients: out of bounds");
	expect(HEAD "limits = { clients = 0x10000000000000001; };", "/test.conf:3: syntax error");
}

static void test_odd_files(void **state)
{
	(void)state;
	expect("", "/test.conf: listeners: none");
	expect("# only this", "/test.conf: listeners: none");
	expect("\n\"", "/test.conf:2: a string begins here and does not end");
	expect("# */\n/* \"\n\n", "/test.conf:2: a comment begins here and does not end");
	struct config_errors errors = {0};
	assert_null(config_load(scratch_dir(), &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], "not a regular file"));
	config_errors_finish(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_include_counts_from_its_file),
		cmocka_unit_test(test_absolute_include),
		cmocka_unit_test(test_include_within_a_group),
		cmocka_unit_test(test_words_that_are_no_include),
		cmocka_unit_test(test_includes_that_fail),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_odd_files),
	};
	return cmocka_run_group_tests_name("config/source", tests, NULL, remove_files);
}
