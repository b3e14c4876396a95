#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/scratch.h"
#include "route/table.h"

#define SERVERS                                                                                    \
	"listeners = ( { address = \"127.0.0.1:10143\"; } );\n"                                    \
	"backends = ( { name = \"mail1\"; address = \"127.0.0.1:2143\"; },\n"                      \
	"             { name = \"mail2\"; address = \"127.0.0.1:3143\"; } );\n"                    \
	"groups = ( { name = \"cluster\"; backends = ( \"mail1\", \"mail2\" ); } );\n"

static struct config *config;
static struct route_table *table;

static void open_table(const char *text)
{
	struct config_errors errors = {0};
	config = scratch_config(text);
	table = route_table_create(config, &errors);
	for (size_t i = 0; i < errors.count; i++) {
		print_error("%s\n", errors.lines[i]);
	}
	assert_non_null(table);
}

static int close_table(void **state)
{
	(void)state;
	route_table_destroy(&table);
	config_unref(&config);
	scratch_remove();
	return 0;
}

/* "BACKEND LOGIN (rule N)" or "none". */
static const char *find(const char *user)
{
	static char text[3000];
	struct route r;
	if (!route_find(table, span_str(user), &r)) {
		return "none";
	}
	snprintf(text, sizeof text, "%s %s (rule %zu)", config->backends[r.backend].name, r.login,
		r.rule);
	route_finish(&r);
	return text;
}

static int close_scratch(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

/* To which of the backends anything leads: "1", "2", "12". */
static void assert_leads_to(const char *rules, bool first, bool second)
{
	char text[2000];
	snprintf(text, sizeof text, SERVERS "users = ( %s );", rules);
	open_table(text);
	assert_int_equal(route_table_leads_to(table, 0), first);
	assert_int_equal(route_table_leads_to(table, 1), second);
	route_table_destroy(&table);
	config_unref(&config);
}

static void test_which_backends_are_used(void **state)
{
	(void)state;
	char text[500];
	assert_leads_to("{ match = \"*\"; backend = \"mail2\"; }", false, true);
	assert_leads_to("{ regex = \"^a\"; backend = \"mail1\"; }", true, false);
	assert_leads_to("{ match = \"a\"; group = \"cluster\"; }", true, true);
	const char *map = scratch_write("users.map", "carol@example.org\tmail1\n");
	snprintf(text, sizeof text, "{ file = \"%s\"; }", map);
	assert_leads_to(text, true, false);
	map = scratch_write("users.map", "carol@example.org\tcluster\n");
	snprintf(text, sizeof text, "{ file = \"%s\"; }", map);
	assert_leads_to(text, true, true);
}

static void test_kinds_of_rules(void **state)
{
	(void)state;
	scratch_write("users.map", "carol@example.org\tmail2\tc.arol\n");
	open_table(SERVERS
		"users = ( { match = \"alice@example.org\"; backend = \"mail1\"; },\n"
		"{ regex = \"^(.+)@old\\\\.example$\"; backend = \"mail2\"; login = \"$1\"; },\n"
		"{ match = \"*@example.net\"; backend = \"mail2\"; login = \"%n\"; } );\n");
	assert_string_equal(find("alice@example.org"), "mail1 alice@example.org (rule 0)");
	assert_string_equal(find("Alice@Example.ORG"), "mail1 Alice@Example.ORG (rule 0)");
	assert_string_equal(find("bob@old.example"), "mail2 bob (rule 1)");
	assert_string_equal(find("bob@example.net"), "mail2 bob (rule 2)");
	assert_string_equal(find("bob@example.com"), "none");
	assert_string_equal(find(""), "none");
}

/* One rule of each kind for one name, in each order: the first one wins. */
static void test_first_match_wins_across_kinds(void **state)
{
	static const char *const rules[] = {
		"{ match = \"alice\"; backend = \"mail1\"; login = \"exact\"; }",
		"{ match = \"al*\"; backend = \"mail1\"; login = \"glob\"; }",
		"{ regex = \"^alice$\"; backend = \"mail1\"; login = \"regex\"; }",
		"{ file = \"%s\"; }",
	};
	static const char *const logins[] = {"exact", "glob", "regex", "file"};
	for (size_t first = 0; first < 4; first++) {
		char text[3000];
		size_t len = (size_t)snprintf(text, sizeof text, SERVERS "users = (");
		const char *map = scratch_write("alice.map", "alice mail1 file\n");
		for (size_t i = 0; i < 4; i++) {
			char rule[400];
			len += (size_t)snprintf(
				text + len, sizeof text - len, "%s", i > 0 ? "," : "");
			/* clang sees a format that is not literal. */
			const char *form = rules[(first + i) % 4];
			const char *hole = strstr(form, "%s");
			if (hole != NULL) {
				snprintf(rule, sizeof rule, "%.*s%s%s", (int)(hole - form), form,
					map, hole + 2);
				form = rule;
			}
			len += (size_t)snprintf(text + len, sizeof text - len, "%s", form);
		}
		snprintf(text + len, sizeof text - len, ");\n");
		open_table(text);
		struct route r;
		assert_true(route_find(table, span_str("Alice"), &r));
		assert_string_equal(r.login, logins[first]);
		assert_int_equal(r.rule, 0);
		assert_int_equal(r.line, first == 3 ? 1 : 0);
		route_finish(&r);
		close_table(state);
	}
}

static void test_exact_names_between_others(void **state)
{
	(void)state;
	open_table(SERVERS "users = ( { match = \"a\"; backend = \"mail1\"; },\n"
			   "{ match = \"?\"; backend = \"mail2\"; },\n"
			   "{ match = \"b\"; backend = \"mail1\"; },\n"
			   "{ match = \"bb\"; backend = \"mail1\"; },\n"
			   "{ match = \"b*\"; backend = \"mail2\"; },\n"
			   "{ match = \"bb\"; backend = \"mail2\"; },\n"
			   "{ match = \"*\"; backend = \"mail2\"; login = \"rest\"; } );\n");
	assert_string_equal(find("a"), "mail1 a (rule 0)");
	assert_string_equal(find("b"), "mail2 b (rule 1)");
	assert_string_equal(find("bb"), "mail1 bb (rule 3)");
	assert_string_equal(find("bc"), "mail2 bc (rule 4)");
	assert_string_equal(find("cc"), "mail2 rest (rule 6)");
}

static void test_map_file(void **state)
{
	(void)state;
	char text[1000];
	const char *map = scratch_write("users.map", "carol@example.org\tmail2\tc.%n\n"
						     "dave cluster\n");
	snprintf(text, sizeof text, SERVERS "users = ( { file = \"%s\"; } );\n", map);
	open_table(text);
	assert_string_equal(find("Carol@example.org"), "mail2 c.Carol (rule 0)");
	assert_string_equal(find("erin"), "none");
	struct route r;
	assert_true(route_find(table, span_str("dave"), &r));
	assert_string_equal(r.where, map);
	assert_int_equal(r.line, 2);
	assert_string_equal(r.login, "dave");
	route_finish(&r);
	assert_null(r.login);
}

/* A group spreads its users, and each stays where he is. */
static void test_group(void **state)
{
	(void)state;
	open_table(SERVERS "users = ( { match = \"*\"; group = \"cluster\"; } );\n");
	unsigned seen[2] = {0};
	for (unsigned i = 0; i < 1000; i++) {
		char name[32];
		struct route r, again;
		snprintf(name, sizeof name, "user%u", i);
		assert_true(route_find(table, span_str(name), &r));
		name[0] = 'U';
		assert_true(route_find(table, span_str(name), &again));
		assert_int_equal(r.backend, again.backend);
		assert_true(r.backend < 2);
		seen[r.backend]++;
		route_finish(&r);
		route_finish(&again);
	}
	assert_in_range(seen[0], 400, 600);
}

static void test_names_that_have_no_route(void **state)
{
	(void)state;
	open_table(SERVERS
		"users = ( { match = \"nobody@*\"; backend = \"mail1\"; login = \"$$\"; },\n"
		"{ match = \"@*\"; backend = \"mail1\"; login = \"%n\"; },\n"
		"{ match = \"long*\"; backend = \"mail1\"; login = \"%u%u\"; },\n"
		"{ match = \"*\"; backend = \"mail1\"; } );\n");
	struct route r = {.rule = 77};
	char name[ROUTE_USER_MAX + 1];
	memset(name, 'x', sizeof name);
	assert_false(route_find(table, span_of(NULL, 0), &r));
	assert_false(route_find(table, span_of("bob\0@evil", 9), &r));
	assert_false(route_find(table, span_of(name, sizeof name), &r));
	memcpy(name, "long", 4);
	assert_false(route_find(table, span_of(name, ROUTE_USER_MAX), &r));
	/* An empty login name is none. */
	assert_false(route_find(table, span_str("@example.org"), &r));
	assert_int_equal(r.rule, 77);
	memset(name, 'x', sizeof name);
	assert_true(route_find(table, span_of(name, ROUTE_USER_MAX), &r));
	assert_int_equal(strlen(r.login), ROUTE_USER_MAX);
	route_finish(&r);
	assert_string_equal(find("nobody@x"), "mail1 $ (rule 0)");
}

/* A rule that gave up may be the one that keeps a name out: a later one must not let it in. */
static void test_match_limit_is_no_route(void **state)
{
	(void)state;
	char name[600];
	open_table(SERVERS "users = ( { regex = \"^(a+)+$\"; backend = \"mail1\"; },\n"
			   "{ match = \"*\"; backend = \"mail2\"; } );\n");
	memset(name, 'a', sizeof name);
	name[599] = '\0';
	name[598] = '!';
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_string_equal(find(name), "none");
	assert_string_equal(find("aa"), "mail1 aa (rule 0)");
	assert_string_equal(find("b"), "mail2 b (rule 1)");
}

/*
 * S6: what breaks out of a query elsewhere is a name like any other here. Each hostile name goes
 * through a table with every kind of rule before the one that matches it, and comes out unchanged.
 */
static void test_s6_hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {
		"\r\n",
		"a\r\nA1 LOGIN x y",
		"x\tmail2",
		"' OR '1'='1",
		"*)(uid=*",
		"*",
		"?",
		"**",
		"%s%s%n",
		"%u",
		"%n@%d",
		"$1",
		"$(id)",
		"`id`",
		"../../etc/passwd",
		"\\",
		"\"",
		"#x",
		" x",
		"x ",
		"a@b@c",
		"@",
		"\x01\x7f",
		"{10}",
		"j\xc3\xbcrgen",
		"\xff\xfe\xc0\x80",
		"alice@example.org\n",
		"alice@example.org ",
		"alice@example.org\r",
		"unix:/x",
	};
	char text[2000];
	const char *map = scratch_write("users.map", "alice@example.org\tmail2\nx\tmail2\n");
	snprintf(text, sizeof text,
		SERVERS "users = ( { match = \"alice@example.org\"; backend = \"mail2\"; },\n"
			"{ match = \"alice@example.???\"; backend = \"mail2\"; },\n"
			"{ regex = \"^alice@example\\\\.org$\"; backend = \"mail2\"; },\n"
			"{ regex = \"^[a-z]+@[a-z.]+$\"; backend = \"mail2\"; },\n"
			"{ file = \"%s\"; },\n"
			"{ match = \"*\"; backend = \"mail1\"; login = \"<%%u>\"; } );\n",
		map);
	open_table(text);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char wanted[200];
		snprintf(wanted, sizeof wanted, "mail1 <%s> (rule 5)", names[i]);
		assert_string_equal(find(names[i]), wanted);
	}
	/* 4 KiB: not a route, not a crash. */
	char big[4096];
	struct route r;
	memset(big, '\'', sizeof big);
	assert_false(route_find(table, span_of(big, sizeof big), &r));
}

static void expect_errors(const char *text, const char *const *words, size_t count)
{
	struct config_errors errors = {0};
	config = scratch_config(text);
	table = route_table_create(config, &errors);
	assert_null(table);
	assert_int_equal(errors.count, count);
	for (size_t i = 0; i < count; i++) {
		if (strstr(errors.lines[i], words[i]) == NULL) {
			print_error("wanted %s, got %s\n", words[i], errors.lines[i]);
			fail();
		}
	}
	config_errors_finish(&errors);
}

static void test_errors(void **state)
{
	(void)state;
	char text[2000];
	const char *map = scratch_write("bad.map", "a mail3\nb\n");
	snprintf(text, sizeof text,
		SERVERS "users = (\n{ regex = \"(\"; backend = \"mail1\"; login = \"$1\"; },\n"
			"{ regex = \"(a)\"; backend = \"mail1\"; login = \"$2\"; },\n"
			"{ match = \"*\"; backend = \"mail1\"; login = \"$1\"; },\n"
			"{ match = \"*\"; backend = \"mail1\"; login = \"%%q\"; },\n"
			"{ file = \"%s\"; },\n{ file = \"/no/map\"; }\n);\n",
		map);
	static const char *const words[] = {
		"test.conf:6: users.regex: missing closing parenthesis (at byte 1)",
		"test.conf:7: users.login: the expression has no group of that number",
		"test.conf:8: users.login: $ and a digit need a rule with regex",
		"test.conf:9: users.login: behind % stands one of u n d %",
		"bad.map:1: unknown backend or group \"mail3\" (did you mean \"mail1\"?)",
		"bad.map:2: not of the form",
		"test.conf:11: users.file: cannot read /no/map: No such file or directory",
	};
	expect_errors(text, words, sizeof words / sizeof words[0]);
}

static void test_no_rules(void **state)
{
	(void)state;
	open_table(SERVERS);
	assert_string_equal(find("alice"), "none");
}

/* Ten thousand exact rules: memory in proportion, the last one found. */
static void test_many_exact_rules(void **state)
{
	(void)state;
	size_t room = 10000 * 60 + 2000;
	char *text = malloc(room);
	assert_non_null(text);
	size_t len = (size_t)snprintf(text, room, SERVERS "users = ( ");
	for (unsigned i = 0; i < 10000; i++) {
		len += (size_t)snprintf(text + len, room - len,
			"%s{ match = \"u%u\"; backend = \"mail%u\"; }", i > 0 ? ",\n" : "", i,
			1 + i % 2);
	}
	snprintf(text + len, room - len, " );\n");
	open_table(text);
	free(text);
	assert_string_equal(find("u9999"), "mail2 u9999 (rule 9999)");
	assert_string_equal(find("u10000"), "none");
	assert_true(route_table_memory(table) < 10000 * 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_which_backends_are_used, close_scratch),
		cmocka_unit_test_teardown(test_kinds_of_rules, close_table),
		cmocka_unit_test_teardown(test_first_match_wins_across_kinds, close_table),
		cmocka_unit_test_teardown(test_exact_names_between_others, close_table),
		cmocka_unit_test_teardown(test_map_file, close_table),
		cmocka_unit_test_teardown(test_group, close_table),
		cmocka_unit_test_teardown(test_names_that_have_no_route, close_table),
		cmocka_unit_test_teardown(test_match_limit_is_no_route, close_table),
		cmocka_unit_test_teardown(test_s6_hostile_names, close_table),
		cmocka_unit_test_teardown(test_errors, close_table),
		cmocka_unit_test_teardown(test_no_rules, close_table),
		cmocka_unit_test_teardown(test_many_exact_rules, close_table),
	};
	return cmocka_run_group_tests_name("route/table", tests, NULL, NULL);
}
