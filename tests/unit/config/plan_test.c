#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/plan.h"
#include "lib/scratch.h"

#define HEAD(listeners)                                                                            \
	"listeners = (" listeners ");\n"                                                           \
	"backends = ( { name = \"mail1\"; address = \"127.0.0.1:2143\"; } );\n"
#define A       "{ address = \"127.0.0.1:1\"; }"
#define B       "{ address = \"[::1]:2\"; }"
#define U(mode) "{ address = \"unix:/run/x\"; mode = \"" mode "\"; }"

static struct config *before, *after;
static struct config_plan plan;

static void make(const char *old, const char *new)
{
	before = old != NULL ? scratch_config(old) : NULL;
	after = scratch_config(new);
	config_plan_make(&plan, before, after);
	assert_int_equal(plan.listener_count, after->listener_count);
}

static int finish(void **state)
{
	(void)state;
	config_plan_finish(&plan);
	config_unref(&before);
	config_unref(&after);
	scratch_remove();
	return 0;
}

static void test_start_adds_all(void **state)
{
	(void)state;
	make(NULL, HEAD(A "," B) "workers = 3; user = \"nobody\";");
	assert_int_equal(plan.added, 2);
	assert_int_equal(plan.dropped, 0);
	assert_int_equal(plan.kept_from[0], CONFIG_PLAN_NEW);
	assert_int_equal(plan.kept_from[1], CONFIG_PLAN_NEW);
	assert_int_equal(plan.restart_count, 0);
}

static void test_listeners_are_known_by_address(void **state)
{
	(void)state;
	make(HEAD(A "," U("0600")), HEAD(U("0600") "," B "," A));
	assert_int_equal(plan.kept_from[0], 1);
	assert_int_equal(plan.kept_from[1], CONFIG_PLAN_NEW);
	assert_int_equal(plan.kept_from[2], 0);
	assert_int_equal(plan.added, 1);
	assert_int_equal(plan.dropped, 0);
}

/* A socket cannot be bound beside the one that serves: what else changes must not make it another. */
static void test_listener_keeps_its_socket(void **state)
{
	(void)state;
	make(HEAD(A "," U("0600")), HEAD(U("0660") ", { address = \"127.0.0.1:1\"; insecure = "
						   "true; mode = \"600\"; }"));
	assert_int_equal(plan.kept_from[0], 1);
	assert_int_equal(plan.kept_from[1], 0);
	assert_int_equal(plan.added + plan.dropped, 0);
}

#define ALL  "{ address = \"[::]:5\"; insecure = true; }"
#define ALL4 "{ address = \"0.0.0.0:5\"; insecure = true; }"

/* Whether a socket takes IPv4 clients is settled when it is bound. */
static void test_socket_of_all_addresses(void **state)
{
	(void)state;
	make(HEAD(ALL "," A), HEAD(ALL "," B));
	assert_true(before->listeners[0].takes_ipv4 && after->listeners[0].takes_ipv4);
	assert_false(before->listeners[1].takes_ipv4);
	assert_int_equal(plan.kept_from[0], 0);
	finish(state);
	make(HEAD(ALL), HEAD(ALL4 "," ALL));
	assert_false(after->listeners[0].takes_ipv4 || after->listeners[1].takes_ipv4);
	assert_int_equal(plan.kept_from[1], CONFIG_PLAN_NEW);
}

static void test_listener_keeps_its_socket_with_other_tls(void **state)
{
	(void)state;
	const char *pem = scratch_write("any.pem", "");
	char text[600];
	snprintf(text, sizeof text,
		HEAD("{ address = \"127.0.0.1:1\"; tls = \"starttls\"; }") "tls = { certificate = "
									   "\"%s\"; key = \"%s\"; "
									   "};",
		pem, pem);
	make(HEAD(A), text);
	assert_int_equal(plan.kept_from[0], 0);
	assert_int_equal(plan.added + plan.dropped, 0);
}

static void test_restart_settings_are_named(void **state)
{
	(void)state;
	make(HEAD(A) "workers = 2; limits = { clients = 5; };",
		HEAD(A) "workers = 3; user = \"root\"; limits = { clients = 6; };");
	assert_int_equal(plan.restart_count, 2);
	assert_string_equal(plan.restart[0], "workers");
	assert_string_equal(plan.restart[1], "user");
}

static void test_nothing_changed(void **state)
{
	(void)state;
	make(HEAD(A) "group = \"root\";", HEAD(A) "group = \"root\";");
	assert_int_equal(plan.restart_count, 0);
	assert_int_equal(plan.added + plan.dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_start_adds_all, finish),
		cmocka_unit_test_teardown(test_listeners_are_known_by_address, finish),
		cmocka_unit_test_teardown(test_listener_keeps_its_socket, finish),
		cmocka_unit_test_teardown(test_socket_of_all_addresses, finish),
		cmocka_unit_test_teardown(test_listener_keeps_its_socket_with_other_tls, finish),
		cmocka_unit_test_teardown(test_restart_settings_are_named, finish),
		cmocka_unit_test_teardown(test_nothing_changed, finish),
	};
	return cmocka_run_group_tests_name("config/plan", tests, NULL, NULL);
}
