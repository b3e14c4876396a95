/* What servers offer before sign-in: who learns it, who asks and how often, what they have in common. */
#include "backend/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pool_rig.h"
#include "route/table.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, unmake)

enum { PERIOD = 60000, MOST = PERIOD + PERIOD / 8 + 100 + (int)WHEEL_LONG_TICK_MS };

static struct route_table *routes;

/* Everybody lives at the fake server. */
static struct config_rule rule = {
	.kind = RULE_MATCH, .pattern = "*", .target = "fake", .login = ""};

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	struct config_errors errors = {0};
	rule.target = r->fake.config.name;
	r->config.rules = &rule;
	r->config.rule_count = 1;
	routes = route_table_create(&r->config, &errors);
	assert_non_null(routes);
	return result;
}

static int unmake(void **state)
{
	route_table_destroy(&routes);
	return pool_rig_unmake(state);
}

static void want_probes(struct pool_rig *r)
{
	r->config.probe = PERIOD;
	pool_rig_configure(r);
	pool_rig_jump(r, 100);
}

static void wait_for_count(struct pool_rig *r, size_t count)
{
	while (r->fake.count < count || pool_rig_alive(r) > 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_settle(r);
	assert_int_equal(r->fake.count, count);
}

static void assert_offered(struct pool_rig *r, const char *list)
{
	struct span got = pool_offered(r->pool, routes);
	if (!span_is(got, list)) {
		fail_msg("%.*s, not %s", SPAN_ARG(got), list);
	}
}

static void test_a_probe_reads_the_list_and_leaves(void **state)
{
	struct pool_rig *r = *state;
	assert_offered(r, "");
	want_probes(r);
	wait_for_count(r, 1);
	assert_offered(r, r->fake.capabilities);
	assert_true(fake_has_heard(&r->fake.connections[0], "LOGOUT "));
	assert_int_equal(pool_count(r->pool, BACKEND_SPARE), 0);
	/* A list that the greeting does not hold is asked for. */
	r->fake.greeting = "* OK hello\r\n";
	r->fake.capabilities = "IMAP4rev1 OTHER AUTH=PLAIN";
	pool_rig_jump(r, MOST);
	wait_for_count(r, 2);
	assert_true(fake_has_heard(&r->fake.connections[1], "CAPABILITY LOGOUT "));
	assert_offered(r, r->fake.capabilities);
}

static void test_once_in_a_period(void **state)
{
	struct pool_rig *r = *state;
	want_probes(r);
	wait_for_count(r, 1);
	for (size_t n = 1; n < 4; n++) {
		pool_rig_jump(r, PERIOD - 1000);
		assert_int_equal(r->fake.count, n);
		pool_rig_jump(r, MOST - PERIOD + 1000);
		wait_for_count(r, n + 1);
	}
	/* A reload is no reason to ask. */
	pool_rig_configure(r);
	pool_rig_jump(r, 1000);
	assert_int_equal(r->fake.count, 4);
	r->config.probe = 0;
	pool_rig_configure(r);
	pool_rig_jump(r, 100 * PERIOD);
	assert_int_equal(r->fake.count, 4);
}

/* One worker asks for all. */
static void test_workers_take_turns(void **state)
{
	struct pool_rig *r = *state;
	struct counters counters = {0};
	struct pool *there = pool_create(&r->looper.loop, &counters, r->budget);
	r->config.probe = PERIOD;
	pool_rig_configure(r);
	pool_configure(there, &r->config, NULL, 2);
	for (size_t n = 1; n < 5; n++) {
		pool_rig_jump(r, MOST);
		wait_for_count(r, n);
	}
	assert_true(span_is(pool_offered(there, routes), r->fake.capabilities));
	pool_drain(there);
	while (!pool_is_empty(there)) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_destroy(&there);
}

/* Who signs in has read the greeting: nobody else needs to. */
static void test_users_spare_the_probe(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	want_probes(r);
	wait_for_count(r, 1);
	pool_rig_jump(r, PERIOD - 2000);
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT NEWS";
	borrower_link(&b, r, "right");
	assert_offered(r, r->fake.capabilities);
	pool_rig_jump(r, MOST - PERIOD);
	assert_int_equal(r->fake.count, 2);
	borrower_return(&b, FAIL_CLIENT_LEFT);
	borrower_finish(&b);
	pool_rig_jump(r, PERIOD);
	assert_int_equal(r->fake.count, 3);
}

static void test_a_wrong_password_is_a_server_that_works(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_init(&b, r);
	borrower_ask(&b, "wrong");
	while (b.refused == 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	assert_offered(r, r->fake.capabilities);
	borrower_finish(&b);
}

/* A server that went is asked again, at a pace that lets it come back. */
static void test_a_server_that_goes_and_comes_back(void **state)
{
	struct pool_rig *r = *state;
	want_probes(r);
	wait_for_count(r, 1);
	const char *old = r->fake.capabilities;
	r->fake.greeting = "* BYE not today\r\n";
	for (size_t n = 2; n < 6; n++) {
		pool_rig_jump(r, MOST);
		wait_for_count(r, n);
	}
	/* The only one: what it said last is the best that is known. */
	assert_offered(r, old);
	r->fake.greeting = NULL;
	r->fake.capabilities = "IMAP4rev1 AUTH=PLAIN BACK";
	pool_rig_jump(r, MOST);
	wait_for_count(r, 6);
	assert_offered(r, r->fake.capabilities);
}

/* Nobody asks for what nobody needs: those who wait come first, and a full server is not sick. */
static void test_no_probe_beyond_the_limit_of_the_server(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.config.max_connections = 1;
	borrower_link(&b, r, "right");
	want_probes(r);
	pool_rig_jump(r, 3 * PERIOD);
	assert_int_equal(r->fake.count, 1);
	assert_offered(r, r->fake.capabilities);
	borrower_return(&b, FAIL_CLIENT_LEFT);
	borrower_finish(&b);
}

static void test_ends_while_a_probe_is_on_its_way(void **state)
{
	struct pool_rig *r = *state;
	r->fake.greeting = "";
	want_probes(r);
	pool_rig_wait(r, BACKEND_SIGNIN, 1);
	/* unmake drains: it must not wait for the greeting */
}

/* The offers themselves. */

static bool learn(struct offer *o, const char *list)
{
	return offer_learn(o, span_str(list), 1000);
}

static void test_versions(void **state)
{
	(void)state;
	_Atomic unsigned version = 0;
	struct offer o;
	struct buf out;
	offer_init(&o, &version);
	buf_init(&out, 100);
	assert_int_equal(offer_read(&o, &out), OFFER_UNKNOWN);
	assert_false(learn(&o, "A B"));
	assert_int_equal(version, 1);
	assert_false(learn(&o, "A B"));
	assert_int_equal(version, 1);
	assert_true(offer_fail(&o, 1000, 1000));
	assert_false(offer_fail(&o, 1000, 1000));
	assert_int_equal(version, 2);
	assert_int_equal(offer_read(&o, &out), OFFER_UNREACHABLE);
	assert_true(span_is(buf_peek(&out), "A B"));
	assert_true(learn(&o, "A B"));
	assert_int_equal(version, 3);
	offer_finish(&o);
	buf_finish(&out);
}

/* All workers together leave a failing server in peace, for longer each time. */
static void test_rests(void **state)
{
	(void)state;
	static const uint64_t rests[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	_Atomic unsigned version = 0;
	struct offer o;
	uint64_t wait = 0;
	uint64_t now = 0;
	offer_init(&o, &version);
	for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++) {
		offer_fail(&o, now, now);
		assert_false(offer_claim(&o, now, 1, &wait));
		assert_int_equal(wait, rests[i]);
		now += wait;
		assert_true(offer_claim(&o, now, 1, &wait));
	}
	learn(&o, "A");
	assert_true(offer_claim(&o, now + 1, 1, &wait));
	/* A long period stays what it is. */
	offer_fail(&o, now + 1, now + 1);
	assert_false(offer_claim(&o, now + 1, 100000, &wait));
	assert_int_equal(wait, 100000);
	offer_finish(&o);
}

/* Those that began before a failure was seen are part of it. */
static void test_failures_at_the_same_time(void **state)
{
	(void)state;
	_Atomic unsigned version = 0;
	struct offer o;
	uint64_t wait = 0;
	offer_init(&o, &version);
	for (uint64_t since = 0; since < 10; since++) {
		offer_fail(&o, since, 10 + since);
		assert_false(offer_claim(&o, 10 + since, 1, &wait));
		assert_int_equal(wait, 1000);
	}
	offer_fail(&o, 11, 30);
	assert_false(offer_claim(&o, 30, 1, &wait));
	assert_int_equal(wait, 2000);
	learn(&o, "A");
	offer_fail(&o, 2000, 2000);
	assert_false(offer_claim(&o, 2000, 1, &wait));
	assert_int_equal(wait, 1000);
	offer_finish(&o);
}

/* Somebody has reached it meanwhile. */
static void test_failure_of_the_past(void **state)
{
	(void)state;
	_Atomic unsigned version = 0;
	struct offer o;
	uint64_t wait = 0;
	offer_init(&o, &version);
	offer_learn(&o, span_str("A"), 50);
	assert_false(offer_fail(&o, 49, 60));
	assert_int_equal(o.state, OFFER_REACHABLE);
	assert_int_equal(version, 1);
	assert_true(offer_fail(&o, 50, 60));
	assert_int_equal(o.state, OFFER_UNREACHABLE);
	assert_false(offer_fail(&o, 49, 70));
	assert_false(offer_claim(&o, 70, 1, &wait));
	assert_int_equal(wait, 1000);
	offer_finish(&o);
}

static void test_claims(void **state)
{
	(void)state;
	_Atomic unsigned version = 0;
	struct offer o;
	uint64_t wait = 0;
	offer_init(&o, &version);
	assert_true(offer_claim(&o, 5, 100, &wait));
	assert_false(offer_claim(&o, 5, 100, &wait));
	assert_int_equal(wait, 100);
	offer_learn(&o, span_str("A"), 50);
	assert_false(offer_claim(&o, 149, 100, &wait));
	assert_int_equal(wait, 1);
	/* A worker whose clock is behind. */
	offer_learn(&o, span_str("A"), 40);
	assert_false(offer_claim(&o, 45, 100, &wait));
	assert_int_equal(wait, 100);
	assert_true(offer_claim(&o, 150, 100, &wait));
	offer_finish(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_a_probe_reads_the_list_and_leaves),
		STORY(test_once_in_a_period),
		STORY(test_workers_take_turns),
		STORY(test_users_spare_the_probe),
		STORY(test_a_wrong_password_is_a_server_that_works),
		STORY(test_a_server_that_goes_and_comes_back),
		STORY(test_no_probe_beyond_the_limit_of_the_server),
		STORY(test_ends_while_a_probe_is_on_its_way),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_rests),
		cmocka_unit_test(test_failures_at_the_same_time),
		cmocka_unit_test(test_failure_of_the_past),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
