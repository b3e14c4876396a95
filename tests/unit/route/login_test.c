#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/login.h"

static void expect(const char *form, const char *user, const char *login)
{
	struct span groups[LOGIN_GROUPS] = {
		span_str("ZERO"), span_str("one"), span_str(""), span_str("three")};
	const char *why = "";
	assert_true(login_check(span_str(form), LOGIN_GROUPS, &why));
	char *made = login_expand(span_str(form), span_str(user), groups);
	if (login == NULL) {
		assert_null(made);
	} else if (made == NULL || strcmp(made, login) != 0) {
		print_error("%s of %s: %s, not %s\n", form, user, made, login);
		fail();
	}
	free(made);
}

static void test_templates(void **state)
{
	(void)state;
	expect("", "Alice@Example.org", "Alice@Example.org");
	expect("%u", "Alice@Example.org", "Alice@Example.org");
	expect("%n", "Alice@Example.org", "Alice");
	expect("%d", "Alice@Example.org", "Example.org");
	expect("%n%%%d", "a@b", "a%b");
	expect("x-%n.y", "a@b", "x-a.y");
	expect("%n", "alice", "alice");
	expect("%d!", "alice", "!");
	/* The last @ ends the name, as "*@example.org" sees it. */
	expect("%n", "evil@x@example.org", "evil@x");
	expect("%d", "evil@x@example.org", "example.org");
	expect("%n%d", "@", NULL);
	expect("%d", "alice", NULL);
	expect("$1+$0$$3$", "u", "one+ZERO$3$");
	expect("$2", "u", NULL);
	expect("$3$9", "u", "three");
	expect("$x", "u", "$x");
	/* Names are data: what looks like a variable in one is none. */
	expect("%u", "%n%s%d$1", "%n%s%d$1");
	expect("", "%u", "%u");
}

static void refuse(const char *form, size_t groups, const char *words)
{
	const char *why = "";
	assert_false(login_check(span_str(form), groups, &why));
	assert_non_null(strstr(why, words));
}

static void test_refused_templates(void **state)
{
	(void)state;
	refuse("%", 0, "u n d %");
	refuse("%x", 0, "u n d %");
	refuse("a%", 0, "u n d %");
	refuse("%%%", 0, "u n d %");
	refuse("%U", 0, "u n d %");
	refuse("$1", 0, "need a rule with regex");
	refuse("$0", 0, "need a rule with regex");
	refuse("$2", 2, "no group of that number");
	const char *why = "";
	assert_true(login_check(span_str("$1$0"), 2, &why));
	assert_true(login_check(span_str("$$1 $"), 0, &why));
	assert_true(login_check(span_of(NULL, 0), 0, &why));
}

static void test_length(void **state)
{
	(void)state;
	char user[LOGIN_MAX + 1];
	memset(user, 'x', sizeof user);
	user[LOGIN_MAX] = '\0';
	char *made = login_expand(span_str("%u"), span_str(user), NULL);
	assert_string_equal(made, user);
	free(made);
	assert_null(login_expand(span_str("%u%u"), span_str(user), NULL));
	assert_null(login_expand(span_str("a%u"), span_str(user), NULL));
	assert_null(login_expand(span_str("%ua"), span_str(user), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_refused_templates),
		cmocka_unit_test(test_length),
	};
	return cmocka_run_group_tests_name("route/login", tests, NULL, NULL);
}
