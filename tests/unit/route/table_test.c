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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_kinds_of_rules, close_table),
	};
	return cmocka_run_group_tests_name("route/table", tests, NULL, NULL);
}
