/* Reports of the pool: they say what is there, add up over workers, and flush closes what it should. */
#include "backend/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

static void test_parked_and_lent(void **state)
{
	struct pool_rig *r = *state;
	struct borrower a, b;
	struct pool_report report = {0};
	const char *server = r->config.backends[0].name;
	borrower_link(&a, r, "right");
	borrower_link(&b, r, "right");
	assert_null(borrower_return(&a, FAIL_LOGOUT));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	pool_inspect(r->pool, true, &report);
	assert_int_equal(report.server_count, 1);
	const struct pool_server_row *row = &report.servers[0];
	assert_string_equal(row->server, server);
	assert_int_equal(row->states[BACKEND_PARKED], 1);
	assert_int_equal(row->states[BACKEND_LENT], 1);
	assert_int_equal(row->class_count, 1);
	assert_string_equal(row->classes[0].class, "");
	assert_int_equal(row->classes[0].parked, 1);
	assert_int_equal(row->tally.count[POOL_EVENT_MISS], 2);
	assert_int_equal(row->tally.count[POOL_EVENT_UP], 2);
	assert_int_equal(report.user_count, 1);
	assert_string_equal(report.users[0].server, server);
	assert_string_equal(report.users[0].login, "alice");
	assert_int_equal(report.users[0].connections, 2);
	assert_int_equal(report.users[0].parked, 1);
	assert_int_equal(report.users[0].lent, 1);
	pool_report_finish(&report);
	borrower_return(&b, FAIL_LOGOUT);
	borrower_finish(&a);
	borrower_finish(&b);
}

static void test_flush_chooses(void **state)
{
	struct pool_rig *r = *state;
	const char *server = r->config.backends[0].name;
	borrower_park(r, "right");
	assert_int_equal(pool_flush(r->pool, "another", NULL).connections, 0);
	assert_int_equal(pool_flush(r->pool, NULL, "bob").connections, 0);
	assert_int_equal(pool_flush(r->pool, server, "alic").connections, 0);
	pool_rig_wait(r, BACKEND_PARKED, 1);
	assert_int_equal(pool_flush(r->pool, server, "alice").connections, 1);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 0);
	assert_int_equal(pool_flush(r->pool, NULL, NULL).connections, 0);
}

static struct pool_report made(const char *server, const char *login, size_t parked)
{
	struct pool_report r = {0};
	struct pool_server_row *row = pool_report_server(&r, span_str(server));
	row->states[BACKEND_PARKED] = parked;
	row->classes = calloc(1, sizeof *row->classes);
	row->class_count = 1;
	row->classes[0] = (struct pool_class_row){strdup("CONDSTORE"), parked};
	row->longest_wait_ms = 10 * parked;
	row->tally.count[POOL_EVENT_FAILED] = 1;
	row->tally.last_ms[POOL_EVENT_FAILED] = 100 * parked;
	row->tally.why = parked == 1 ? FAIL_CONNECT : FAIL_SERVER_TLS;
	r.users = calloc(1, sizeof *r.users);
	r.users[0] = (struct pool_user_row){strdup(server), strdup(login), parked, 0, parked};
	r.user_count = 1;
	return r;
}

static void test_reports_add_up(void **state)
{
	(void)state;
	struct pool_report sum = {0};
	struct pool_report parts[] = {made("b", "zoe", 2), made("a", "alice", 3),
		made("b", "zoe", 1), made("b", "adam", 4)};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		pool_report_merge(&sum, &parts[i]);
		pool_report_finish(&parts[i]);
	}
	assert_int_equal(sum.server_count, 2);
	const struct pool_server_row *b = pool_report_server(&sum, span_str("b"));
	assert_int_equal(b->states[BACKEND_PARKED], 7);
	assert_int_equal(b->class_count, 1);
	assert_int_equal(b->classes[0].parked, 7);
	assert_int_equal(b->longest_wait_ms, 40);
	/* The latest failure is the one of the least age. */
	assert_int_equal(b->tally.count[POOL_EVENT_FAILED], 3);
	assert_int_equal(b->tally.last_ms[POOL_EVENT_FAILED], 100);
	assert_int_equal(b->tally.why, FAIL_CONNECT);
	assert_int_equal(sum.user_count, 3);
	assert_string_equal(sum.users[0].login, "alice");
	assert_string_equal(sum.users[1].login, "adam");
	assert_string_equal(sum.users[2].login, "zoe");
	assert_int_equal(sum.users[2].parked, 3);
	pool_report_finish(&sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_parked_and_lent, pool_rig_make, pool_rig_unmake),
		cmocka_unit_test_setup_teardown(test_flush_chooses, pool_rig_make, pool_rig_unmake),
		cmocka_unit_test(test_reports_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
