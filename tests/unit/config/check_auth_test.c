/*
 * Sign-ins that end at the proxy: combinations that cannot work are said with line and key.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "lib/scratch.h"

#define LISTENER "listeners = ( { address = \"127.0.0.1:1\"; %s } );\n"
#define BACKEND  "backends = ( { name = \"m\"; address = \"h:2\"; %s } );\n"

static void expect(
	const char *listener, const char *backend, const char *more, const char *const *wanted)
{
	char text[4000], lines[4000] = "";
	snprintf(text, sizeof text, LISTENER BACKEND "%s", listener, backend, more);
	for (size_t i = 0; wanted[i] != NULL; i++) {
		size_t n = strlen(lines);
		snprintf(
			lines + n, sizeof lines - n, "%s/test.conf:%s\n", scratch_dir(), wanted[i]);
	}
	char *errors = scratch_config_errors(text);
	assert_string_equal(errors, lines);
	free(errors);
}

#define EXPECT(listener, backend, more, ...)                                                       \
	expect(listener, backend, more, (const char *const[]){__VA_ARGS__, NULL})

static void test_mechanisms(void **state)
{
	(void)state;
	EXPECT("mechanisms = ( \"PLAIN\", \"CRAM_MD5\", \"NTLM-X\" );", "", "",
		"1: listeners.mechanisms: unknown mechanism \"CRAM_MD5\" (did you mean "
		"\"CRAM-MD5\"?)",
		"1: listeners.mechanisms: unknown mechanism \"NTLM-X\"");
	EXPECT("mechanisms = ( \"external\", \"CRAM-MD5\", \"GSSAPI\" );", "", "",
		"1: listeners.mechanisms: EXTERNAL needs TLS on this listener",
		"1: listeners.mechanisms: CRAM-MD5 needs auth.password_file",
		"1: listeners.mechanisms: GSSAPI needs auth.gssapi_keytab");
	const char *file = scratch_write("users.pw", "");
	char more[400];
	snprintf(more, sizeof more, "auth = { password_file = \"%s\"; };", file);
	EXPECT("mechanisms = ( \"CRAM-MD5\" );", "", more,
		"1: listeners.mechanisms: CRAM-MD5 ends at the proxy, and backend \"m\" has no "
		"master_user",
		"3: auth.password_file: a sign-in by it ends at the proxy, and backend \"m\" has "
		"no "
		"master_user");
}

static void test_masters(void **state)
{
	(void)state;
	EXPECT("", "master_user = \"x\";", "",
		"2: backends.master_password_file: missing beside backends.master_user");
	EXPECT("", "master_password_file = \"/nowhere\";", "",
		"2: backends.master_user: missing beside backends.master_password_file",
		"2: backends.master_password_file: cannot read /nowhere: No such file or "
		"directory");
	EXPECT("", "master_separator = \"\";", "",
		"2: backends.master_separator: must be one to 8 printable characters");
	EXPECT("", "master_separator = \"a b\";", "",
		"2: backends.master_separator: must be one to 8 printable characters");
	const char *word = scratch_write("word", "x\n");
	char backend[400];
	snprintf(backend, sizeof backend,
		"master_user = \"a*b\"; master_password_file = \"%s\"; master_form = "
		"\"separator\";",
		word);
	EXPECT("", backend, "",
		"2: backends.master_separator: \"*\" stands in the name of the master user");
}

static void test_files(void **state)
{
	(void)state;
	EXPECT("", "", "tls = { client_auth = \"optional\"; };",
		"3: tls.client_ca: missing: who vouches for the clients?");
	EXPECT("", "", "tls = { client_auth = \"require\"; client_ca = \"/nowhere\"; };",
		"3: tls.client_ca: cannot read /nowhere: No such file or directory");
	EXPECT("", "", "auth = { gssapi_keytab = \"/nowhere\"; gssapi_service = \"\"; };",
		"3: auth.gssapi_keytab: cannot read /nowhere: No such file or directory");
	EXPECT("", "master_user = \"x\"; master_password_file = \"/dev/null\";",
		"auth = { password_file = \"/nowhere\"; };",
		"3: auth.password_file: cannot read /nowhere: No such file or directory");
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
		cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_masters),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
