/*
 * Every kind of mistake in a configuration: the line, the key, the near miss; all in one run.
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

/* Line 1 and 2 of each text. */
#define HEAD                                                                                       \
	"listeners = ( { address = \"127.0.0.1:1\"; } );\n"                                        \
	"backends = ( { name = \"mail1\"; address = \"127.0.0.1:2\"; } );\n"

/* 54 bytes. */
#define LONG_NAME "socket-of-the-operator-whose-path-takes-too-many-bytes"

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;
	for (; (text = strchr(text, '\n')) != NULL; text++) {
		n++;
	}
	return n;
}

/* The text behind HEAD gives exactly one error, "test.conf:LINE: WORDS". */
static void expect(const char *text, unsigned line, const char *words)
{
	char whole[4000];
	char wanted[400];
	snprintf(whole, sizeof whole, HEAD "%s", text);
	snprintf(wanted, sizeof wanted, "/test.conf:%u: %s\n", line, words);
	char *errors = scratch_config_errors(whole);
	if (strstr(errors, wanted) == NULL || count_lines(errors) != 1) {
		print_error("wanted %sgot %s", wanted, errors);
		fail();
	}
	free(errors);
}

static void test_unknown_keys(void **state)
{
	(void)state;
	expect("wrokers = 1;", 3, "wrokers: unknown key (did you mean \"workers\"?)");
	expect("xyz = 1;", 3, "xyz: unknown key");
	expect("\npool = {\n\tidle_timout = 5;\n};", 5,
		"pool.idle_timout: unknown key (did you mean \"idle_timeout\"?)");
	expect("pool = { idle-timeout = 5; };", 3,
		"pool.idle-timeout: unknown key (did you mean \"idle_timeout\"?)");
	expect("pool = { Max_Idle = 5; };", 3,
		"pool.Max_Idle: unknown key (did you mean \"max_idle\"?)");
	/* The name of a key that stands elsewhere. */
	expect("pool = { drain_timeout = 5; };", 3,
		"pool.drain_timeout: unknown key (did you mean \"limits.drain_timeout\"?)");
	expect("pool = { certificate = \"x\"; };", 3,
		"pool.certificate: unknown key (did you mean \"tls.certificate\"?)");
	/* One that stands in several places. */
	expect("pool = { address = \"x\"; };", 3, "pool.address: unknown key");
	expect("users = ( { match = \"*\"; backend = \"mail1\"; },\n{ mach = \"*\";\nmatch = "
	       "\"x\"; "
	       "backend = \"mail1\"; } );",
		4, "users.mach: unknown key (did you mean \"match\"?)");
}

static void test_wrong_types(void **state)
{
	(void)state;
	expect("workers = \"two\";", 3, "workers: must be an integer");
	expect("workers = 1.5;", 3, "workers: must be an integer");
	expect("workers = true;", 3, "workers: must be an integer");
	expect("user = 5;", 3, "user: must be a string in quotes");
	expect("pool = { enabled = 1; };", 3, "pool.enabled: must be true or false");
	expect("pool = { enabled = \"yes\"; };", 3, "pool.enabled: must be true or false");
	expect("pool = ( );", 3, "pool: must be a group: { key = value; }");
	expect("groups = { };", 3, "groups: must be a list of groups: ( { key = value; } )");
	expect("groups = ( 1 );", 3, "groups: must be a list of groups: ( { key = value; } )");
	expect("groups = \"cluster\";", 3,
		"groups: must be a list of groups: ( { key = value; } )");
	expect("capabilities = { hide = \"IDLE\"; };", 3,
		"capabilities.hide: must be a list of strings: ( \"a\", \"b\" )");
	expect("capabilities = { hide = ( 1 ); };", 3,
		"capabilities.hide: must be a list of strings: ( \"a\", \"b\" )");
	expect("limits = { idle_timeout = \"soon\"; };", 3,
		"limits.idle_timeout: must be seconds or a duration such as \"500ms\", \"30s\", "
		"\"5m\", "
		"\"1h\"");
	expect("limits = { idle_timeout = ( 1 ); };", 3,
		"limits.idle_timeout: must be seconds or a duration such as \"500ms\", \"30s\", "
		"\"5m\", "
		"\"1h\"");
	expect("limits = { line = \"big\"; };", 3,
		"limits.line: must be bytes or a size such as \"64k\", \"1m\"");
	expect("log = { level = \"loud\"; };", 3,
		"log.level: \"loud\" is none of error|warn|info|debug");
}

static void test_out_of_bounds(void **state)
{
	(void)state;
	expect("workers = 257;", 3, "workers: out of bounds: 0 to 256");
	expect("workers = -1;", 3, "workers: must not be negative");
	/* libconfig alone would keep the low 32 bits: 0. */
	expect("workers = 4294967296;", 3, "workers: out of bounds: 0 to 256");
	expect("workers = 99999999999999999999999;", 3, "workers: out of bounds: 0 to 256");
	expect("workers = 0x101;", 3, "workers: out of bounds: 0 to 256");
	expect("pool = { idle_timeout = 0; };", 3, "pool.idle_timeout: out of bounds: 1ms to 1d");
	expect("pool = { idle_timeout = \"25h\"; };", 3,
		"pool.idle_timeout: out of bounds: 1ms to 1d");
	expect("pool = { idle_timeout = 9223372036854775807; };", 3,
		"pool.idle_timeout: out of bounds: 1ms to 1d");
	expect("limits = { line = 255; };", 3, "limits.line: out of bounds: 256 to 16m");
	expect("limits = { line = \"17m\"; };", 3, "limits.line: out of bounds: 256 to 16m");
}

static void test_later_work_is_refused(void **state)
{
	(void)state;
	expect("admin = { http = \"127.0.0.1:1\"; };", 3,
		"admin.http: not supported yet; leave it at its default, 127.0.0.1:9143");
}

static void test_later_work_is_taken_when_off(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"admin = { socket = \"/run/imapmux/admin.sock\"; http = \"127.0.0.1:9143\"; };",
		"admin = { socket = \"\"; http = \"\"; };",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char whole[1000];
		snprintf(whole, sizeof whole, HEAD "%s", texts[i]);
		struct config *c = scratch_config(whole);
		config_unref(&c);
	}
	struct config *c =
		scratch_config("listeners = ( { address = \"127.0.0.1:1\"; proxy_protocol = false; "
			       "trusted = ( ); } );\n"
			       "backends = ( { name = \"m\"; address = \"h:2\"; send_proxy = 0;\n"
			       "master_user = \"\"; master_password_file = \"\"; } );\n");
	config_unref(&c);
}

static void expect_listener(const char *keys, const char *words)
{
	char whole[1000];
	char wanted[400];
	snprintf(whole, sizeof whole,
		"listeners = ( { address = \"127.0.0.1:1\"; %s } );\n"
		"backends = ( { name = \"m\"; address = \"h:2\"; } );\n",
		keys);
	snprintf(wanted, sizeof wanted, "/test.conf:1: listeners.trusted: %s\n", words);
	char *errors = scratch_config_errors(whole);
	if (strstr(errors, wanted) == NULL || count_lines(errors) != 1) {
		print_error("wanted %sgot %s", wanted, errors);
		fail();
	}
	free(errors);
}

static void test_trusted(void **state)
{
	(void)state;
	expect_listener("trusted = ( \"10.0.0.0/24\", \"10.0.0.300\" );",
		"\"10.0.0.300\": must be an address, a network such as 10.0.0.0/8, or unix");
	expect_listener("trusted = ( \"10.0.0.0/33\" );",
		"\"10.0.0.0/33\": behind the slash stands a number from 0 to 32");
	expect_listener("trusted = ( \"10.0.0.5/24\" );",
		"\"10.0.0.5/24\": has bits behind its prefix: write the first address of the "
		"network, or one address without a slash");
	expect_listener("proxy_protocol = true;",
		"missing: nobody could connect, as a PROXY header is taken from trusted networks "
		"only");
}

static void test_names(void **state)
{
	(void)state;
	expect("users = ( { match = \"*\"; backend = \"mial1\"; } );", 3,
		"users.backend: unknown backend \"mial1\" (did you mean \"mail1\"?)");
	expect("users = ( { match = \"*\";\ngroup = \"x\"; } );", 4,
		"users.group: unknown group \"x\"");
	expect("users = ( { match = \"*\"; group = \"mail1\"; } );", 3,
		"users.group: \"mail1\" is a backend, not a group");
	expect("groups = ( { name = \"g\"; backends = ( \"mail2\" ); } );", 3,
		"groups.backends: unknown backend \"mail2\" (did you mean \"mail1\"?)");
	expect("groups = ( { name = \"g\"; backends = ( ); } );", 3,
		"groups.backends: must not be empty");
	expect("groups = ( { name = \"g\"; backends = ( \"mail1\", \"mail1\" ); } );", 3,
		"groups.backends: \"mail1\" stands here twice");
	expect("groups = ( { name = \"mail1\"; backends = ( \"mail1\" ); } );", 3,
		"groups.name: \"mail1\" is taken already");
	expect("groups = ( { name = \"a b\"; backends = ( \"mail1\" ); } );", 3,
		"groups.name: must be 1 to 64 letters, digits, dots, underscores and hyphens");
	expect("groups = ( { backends = ( \"mail1\" ); } );", 3, "groups.name: missing");
	expect("groups = ( { name = \"\"; backends = ( \"mail1\" ); } );", 3,
		"groups.name: must not be empty");
	expect("groups = ( { name = \"g\"; } );", 3, "groups.backends: missing");
}

static void test_rules(void **state)
{
	(void)state;
	expect("users = ( { backend = \"mail1\"; } );", 3,
		"users: a rule needs exactly one of match, regex, file");
	expect("users = ( { match = \"a\"; regex = \"b\"; backend = \"mail1\"; } );", 3,
		"users: a rule needs exactly one of match, regex, file");
	expect("users = ( { match = \"a\"; } );", 3,
		"users: a rule with match or regex needs one of backend, group");
	expect("users = ( { file = \"/x\"; backend = \"mail1\"; } );", 3,
		"users.file: backend, group and login stand in the lines of the file");
}

/* The text alone gives all of these words, in this order, and as many lines. */
static void expect_all(const char *text, const char *const *words, unsigned count)
{
	char *errors = scratch_config_errors(text);
	const char *at = errors;
	for (unsigned i = 0; i < count; i++) {
		const char *found = strstr(at, words[i]);
		if (found == NULL) {
			print_error("wanted %s, got %s", words[i], errors);
			fail();
		}
		at = found;
	}
	assert_int_equal(count_lines(errors), count);
	free(errors);
}

static void test_files_and_rights(void **state)
{
	(void)state;
	static const char *const unreadable[] = {
		"test.conf:4: tls.certificate: cannot read /no/cert: No such file or directory",
		"test.conf:5: tls.key: cannot read /: a folder",
		"test.conf:6: tls.names.certificate: cannot read /no/a",
		"test.conf:6: tls.names.key: cannot read /no/b",
		"test.conf:7: tls.ticket_key_file: cannot read /no/tickets",
	};
	expect_all(HEAD "tls = {\ncertificate = \"/no/cert\";\nkey = \"/\";\n"
			"names = ( { name = \"*.example.org\"; certificate = \"/no/a\"; key = "
			"\"/no/b\"; } );\n"
			"ticket_key_file = \"/no/tickets\"; };",
		unreadable, 5);
	expect("user = \"no-such-user\";", 3, "user: there is no user \"no-such-user\"");
	expect("group = \"no-such-group\";", 3, "group: there is no group \"no-such-group\"");
	expect("user = \"4294967295\";", 3, "user: there is no user \"4294967295\"");
	expect("group = \"99999999999\";", 3, "group: there is no group \"99999999999\"");
	expect("admin = {\nsocket = \"run/admin.sock\"; };", 4,
		"admin.socket: must be a path that begins with a slash");
	expect("admin = {\nsocket = \"/" LONG_NAME LONG_NAME "\"; };", 4,
		"admin.socket: longer than 107 bytes");
	expect("tls = { key = \"/dev/null\"; };", 3, "tls.certificate: missing beside tls.key");
	expect("tls = { certificate = \"/dev/null\"; };", 3,
		"tls.key: missing beside tls.certificate");
	expect("tls = { names = ( { name = \"a\"; certificate = \"/dev/null\"; key = "
	       "\"/dev/null\"; } "
	       "); };",
		3, "tls.certificate: missing: clients that ask for none of tls.names get this one");
	expect("tls = { certificate = \"/dev/null\"; key = \"/dev/null\"; names = (\n{ name = "
	       "\"a*b\"; "
	       "certificate = \"/dev/null\"; key = \"/dev/null\"; } ); };",
		4, "tls.names.name: \"a*b\" is neither a host name nor *.domain");
	expect("tls = { certificate = \"/dev/null\"; key = \"/dev/null\"; names = (\n"
	       "{ name = \"a.org\"; certificate = \"/dev/null\"; key = \"/dev/null\"; },\n"
	       "{ name = \"A.org\"; certificate = \"/dev/null\"; key = \"/dev/null\"; } ); };",
		5, "tls.names.name: \"A.org\" stands here twice");
	expect("capabilities = { hide = ( \"A B\" ); };", 3,
		"capabilities.hide: \"A B\" is not the name of a capability");
}

static void test_listeners(void **state)
{
	(void)state;
	static const char *const words[] = {
		"test.conf:2: listeners.address: the port is missing",
		"test.conf:8: listeners.mode: must be permission bits in octal",
		("test.conf:3: listeners.tls: passwords would cross the network in clear on "
		 "0.0.0.0:1"),
		"test.conf:4: listeners.tls: TLS needs tls.certificate and tls.key",
		"test.conf:6: listeners.address: \"127.0.0.1:3\" stands here twice",
	};
	expect_all("listeners = ( \n"
		   "{ address = \"127.0.0.1\"; },\n"
		   "{ address = \"0.0.0.0:1\"; },\n"
		   "{ address = \"[::]:2\"; tls = \"starttls\"; },\n"
		   "{ address = \"127.0.0.1:3\"; },\n"
		   "{ address = \"127.0.0.1:3\"; },\n"
		   "{ address = \"0.0.0.0:4\"; insecure = true; },\n"
		   "{ address = \"unix:/x\"; mode = \"9\"; } );\n",
		words, 5);
	static const char *const none[] = {"test.conf: listeners: none: there is nothing to do"};
	expect_all("workers = 1;", none, 1);
	static const char *const missing[] = {"test.conf:2: listeners.address: missing"};
	expect_all("listeners = (\n{ tls = \"none\"; } );", missing, 1);
}

static void test_backends(void **state)
{
	(void)state;
	static const char *const all[] = {
		"test.conf:3: backends.address: the port is not a number from 1 to 65535",
		"test.conf:4: backends.weight: out of bounds: 0 to 1000",
		"test.conf:5: backends.name: \"b\" is taken already",
		"test.conf:6: backends.server_name: a unix socket has no host name to verify",
		"test.conf:7: backends.ca: cannot read /no/ca",
	};
	expect_all("listeners = ( { address = \"127.0.0.1:1\"; } );\nbackends = (\n"
		   "{ name = \"a\"; address = \"h:0\"; },\n"
		   "{ name = \"b\"; address = \"h:1\"; weight = 1001; },\n"
		   "{ name = \"b\"; address = \"h:2\"; },\n"
		   "{ name = \"c\"; address = \"unix:/x\"; tls = \"starttls\"; },\n"
		   "{ name = \"d\"; address = \"h:3\"; tls = \"implicit\"; ca = \"/no/ca\"; } );\n",
		all, 5);
}

static void test_syntax(void **state)
{
	(void)state;
	expect("\tworkers = ; ", 3, "syntax error at or before: workers = ;");
	expect("a = 1;\nworkers = 1;\nworkers = 2;", 5,
		"duplicate setting name at or before: workers = 2;");
	expect("users = ( { match = \"*\"; backend = \"mail1\"; },\n);", 4,
		"syntax error at or before: );");
	expect("pool = {\n", 3, "syntax error at or before: pool = {");
}

/* All stages speak in one run: scalars, names, files. */
static void test_all_errors_in_one_run(void **state)
{
	(void)state;
	static const char *const words[] = {
		"test.conf:1: wokers: unknown key (did you mean \"workers\"?)",
		"test.conf:2: log.level: must be a string",
		"test.conf:3: limits.line: out of bounds",
		"test.conf:5: users.backend: unknown backend \"m\"",
		"test.conf:4: tls.certificate: cannot read /no/cert",
		"test.conf:4: tls.key: cannot read /no/key",
		"test.conf: listeners: none",
	};
	expect_all("wokers = 1;\nlog = { level = 3; };\nlimits = { line = 1; };\n"
		   "tls = { certificate = \"/no/cert\"; key = \"/no/key\"; };\n"
		   "users = ( { match = \"*\"; backend = \"m\"; } );\n",
		words, 7);
}

static void test_lines_stay_lines(void **state)
{
	(void)state;
	struct config_errors e = {0};
	config_errors_add(&e, (struct config_place){"f", 3}, "k", "%s", "a\nb\x7f\x1b");
	config_errors_add(&e, (struct config_place){"f", 0}, "", "b");
	config_errors_add(&e, (struct config_place){NULL, 7}, "k", "c");
	assert_int_equal(e.count, 3);
	assert_string_equal(e.lines[0], "f:3: k: a?b??");
	assert_string_equal(e.lines[1], "f: b");
	assert_string_equal(e.lines[2], "k: c");
	char big[10000];
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	config_errors_add(&e, (struct config_place){big, 1}, big, "%s", big);
	assert_in_range(strlen(e.lines[3]), 1000, 5000);
	config_errors_finish(&e);
	assert_int_equal(e.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_out_of_bounds),
		cmocka_unit_test(test_later_work_is_refused),
		cmocka_unit_test(test_later_work_is_taken_when_off),
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_files_and_rights),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_backends),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_all_errors_in_one_run),
		cmocka_unit_test(test_lines_stay_lines),
	};
	return cmocka_run_group_tests_name("config/errors", tests, NULL, remove_files);
}
