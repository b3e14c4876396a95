/*
 * Limits and who waits at them: never more connections than allowed, in order, fair, not for ever.
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

#define QRESYNC "CONDSTORE QRESYNC"

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT ENABLE QRESYNC";
	fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
	r->config.pool.queue_timeout = 3000;
	return result;
}

static void set_limits(struct pool_rig *r, unsigned per_user, unsigned at_server)
{
	r->config.pool.max_per_user = per_user;
	r->fake.config.max_connections = at_server;
	pool_rig_configure(r);
}

static void ask_as(struct borrower *b, struct pool_rig *r, const char *login, const char *class)
{
	borrower_init(b, r);
	b->request.login = span_str(login);
	b->request.enabled = span_str(class);
	borrower_ask(b, "right");
}

static void ask(struct borrower *b, struct pool_rig *r)
{
	ask_as(b, r, "alice", "");
}

static void wait_ready(struct borrower *b)
{
	while (b->ready == 0) {
		assert_int_equal(b->refused + b->failed, 0);
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
}

static void get_as(struct borrower *b, struct pool_rig *r, const char *login, const char *class)
{
	ask_as(b, r, login, class);
	wait_ready(b);
}

static void give_back(struct borrower *b)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_give_back(&b->loan, loan_enabled(b->loan)));
	assert_null(said);
}

static void hang_up(struct borrower *b)
{
	POOL_CALL(b->rig, loan_return(&b->loan, NULL, FAIL_CLIENT_LEFT));
}

static void finish(struct borrower *b)
{
	if (b->loan != NULL && loan_is_ready(b->loan)) {
		hang_up(b);
	}
	borrower_finish(b);
}

static void park(struct pool_rig *r, const char *login, const char *class)
{
	struct borrower b;
	size_t before = pool_count(r->pool, BACKEND_PARKED);
	get_as(&b, r, login, class);
	before -= loan_is_reused(b.loan);
	give_back(&b);
	pool_rig_wait(r, BACKEND_PARKED, before + 1);
	borrower_finish(&b);
}

static uint64_t counted(const struct pool_rig *r, enum counter which)
{
	return counter_get(&r->counters, which);
}

/* How many of them have got a connection. */
static size_t count_ready(const struct borrower *b, size_t n)
{
	size_t ready = 0;
	for (size_t i = 0; i < n; i++) {
		ready += b[i].ready > 0;
	}
	return ready;
}

/* Limits of a user. */

static void test_never_more_than_allowed(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 12 };
	struct borrower b[MANY];
	set_limits(r, 3, 0);
	for (size_t i = 0; i < MANY; i++) {
		ask(&b[i], r);
	}
	for (size_t i = 0; i < MANY; i++) {
		wait_ready(&b[i]);
		/* In their order: nobody behind the three has got anything. */
		assert_true(count_ready(b, MANY) <= i + 3);
		assert_int_equal(count_ready(b + i + 1, MANY - i - 1) <= 2, true);
		if (i % 2 == 0) {
			give_back(&b[i]);
		} else {
			hang_up(&b[i]);
		}
	}
	assert_int_equal(r->fake.most_open, 3);
	assert_true(counted(r, COUNTER_POOL_WAITED) >= 9);
	for (size_t i = 0; i < MANY; i++) {
		finish(&b[i]);
	}
}

static void test_waits_not_for_ever(void **state)
{
	struct pool_rig *r = *state;
	struct borrower held;
	struct borrower b;
	set_limits(r, 1, 0);
	get_as(&held, r, "alice", "");
	ask(&b, r);
	pool_rig_jump(r, 2900);
	assert_int_equal(b.failed, 0);
	pool_rig_jump(r, 200);
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_QUEUE_USER);
	assert_memory_equal(fail_client_text(b.why), "[LIMIT] ", 8);
	assert_int_equal(counted(r, COUNTER_POOL_WAITED), 1);
	assert_int_equal(counted(r, COUNTER_POOL_WAIT_TIMEOUTS), 1);
	assert_true(counted(r, COUNTER_POOL_WAIT_MS) >= 3000);
	borrower_finish(&b);
	/* Nobody waits: the next one fares no worse. */
	hang_up(&held);
	ask(&b, r);
	wait_ready(&b);
	finish(&b);
	finish(&held);
}

static void test_no_time_to_wait(void **state)
{
	struct pool_rig *r = *state;
	struct borrower held;
	struct borrower b;
	r->config.pool.queue_timeout = 0;
	set_limits(r, 1, 0);
	get_as(&held, r, "alice", "");
	ask(&b, r);
	assert_int_equal(b.failed, 0); /* not from inside the call */
	looper_wait(&r->looper, &b.failed);
	borrower_finish(&b);
	finish(&held);
}

/* What is parked makes room, and the server is not asked for one more before it has let go of it. */
static void test_parked_ones_make_room(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	set_limits(r, 1, 0);
	for (int i = 0; i < 3; i++) {
		park(r, "alice", i % 2 == 0 ? QRESYNC : "");
		get_as(&b, r, "alice", i % 2 == 0 ? "" : QRESYNC);
		hang_up(&b);
		finish(&b);
		pool_rig_settle(r);
	}
	assert_int_equal(r->fake.most_open, 1);
	assert_true(counted(r, COUNTER_POOL_EVICTED) >= 2);
}

static void test_a_server_that_does_not_let_go(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	set_limits(r, 1, 0);
	park(r, "alice", QRESYNC);
	fake_silence(&r->fake, "LOGOUT");
	ask(&b, r);
	pool_rig_settle(r);
	assert_int_equal(b.ready, 0);
	assert_int_equal(r->fake.count, 1);
	pool_rig_jump(r, POOL_LINGER_MS + 100);
	wait_ready(&b);
	finish(&b);
}

/* One who could give his back is told, and what he gives back is lent at once. */
static void give_back_when_wanted(struct borrower *b)
{
	give_back(b);
}

static void test_sessions_are_asked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower busy;
	struct borrower idle;
	struct borrower other;
	struct borrower b;
	set_limits(r, 2, 0);
	get_as(&busy, r, "alice", "");
	get_as(&idle, r, "alice", "");
	get_as(&other, r, "bob", "");
	idle.on_wanted = give_back_when_wanted;
	ask(&b, r);
	assert_int_equal(idle.wanted, 0); /* not from inside the call */
	wait_ready(&b);
	assert_true(loan_is_reused(b.loan));
	assert_int_equal(idle.wanted, 1);
	assert_int_equal(busy.wanted, 1);
	assert_int_equal(other.wanted, 0);
	assert_int_equal(r->fake.count, 3);
	finish(&b);
	finish(&busy);
	finish(&idle);
	finish(&other);
}

static void test_strangers_hold_up_only_a_part(void **state)
{
	struct pool_rig *r = *state;
	enum { STRANGERS = 6 };
	struct borrower strangers[STRANGERS];
	struct borrower mine;
	struct borrower b;
	set_limits(r, 4, 0);
	get_as(&mine, r, "alice", "");
	fake_silence(&r->fake, "AUTHENTICATE");
	for (int i = 0; i < STRANGERS; i++) {
		borrower_init(&strangers[i], r);
		borrower_ask(&strangers[i], "wrong");
	}
	pool_rig_wait(r, BACKEND_SIGNIN, 2); /* half */
	fake_behave(&r->fake);
	ask(&b, r);
	wait_ready(&b);
	assert_int_equal(pool_count(r->pool, BACKEND_SIGNIN), 2);
	finish(&b);
	for (int i = 0; i < STRANGERS; i++) {
		borrower_finish(&strangers[i]);
	}
	finish(&mine);
}

/* A proved password lets all pass who wait with it, and they need no sign-in for what is parked. */
static void test_a_proof_serves_who_waits(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b[3];
	set_limits(r, 1, 0);
	for (int i = 0; i < 3; i++) {
		ask(&b[i], r);
	}
	for (int i = 0; i < 3; i++) {
		wait_ready(&b[i]);
		assert_int_equal(loan_is_reused(b[i].loan), i > 0);
		give_back(&b[i]);
	}
	assert_int_equal(r->fake.count, 1);
	for (int i = 0; i < 3; i++) {
		finish(&b[i]);
	}
}

static void test_given_up_while_waiting(void **state)
{
	struct pool_rig *r = *state;
	struct borrower held;
	struct borrower b[3];
	set_limits(r, 1, 0);
	get_as(&held, r, "alice", "");
	for (int i = 0; i < 3; i++) {
		ask(&b[i], r);
	}
	pool_rig_settle(r);
	POOL_CALL(r, loan_cancel(&b[0].loan));
	POOL_CALL(r, loan_cancel(&b[2].loan));
	give_back(&held);
	wait_ready(&b[1]);
	assert_int_equal(b[0].ready + b[2].ready, 0);
	for (int i = 0; i < 3; i++) {
		finish(&b[i]);
	}
	borrower_finish(&held);
}

/* A sign-in that fails gives its place to the next. */
static void test_refused_ones_make_room(void **state)
{
	struct pool_rig *r = *state;
	struct borrower wrong;
	struct borrower right;
	set_limits(r, 1, 0);
	borrower_init(&wrong, r);
	borrower_ask(&wrong, "wrong");
	ask(&right, r);
	wait_ready(&right);
	assert_int_equal(wrong.refused, 1);
	assert_int_equal(r->fake.most_open, 1);
	finish(&right);
	borrower_finish(&wrong);
}

static void test_limits_change(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b[4];
	set_limits(r, 1, 0);
	for (int i = 0; i < 4; i++) {
		ask(&b[i], r);
	}
	wait_ready(&b[0]);
	set_limits(r, 3, 0);
	wait_ready(&b[2]);
	pool_rig_settle(r);
	assert_int_equal(b[3].ready, 0);
	set_limits(r, 0, 0);
	wait_ready(&b[3]);
	for (int i = 0; i < 4; i++) {
		finish(&b[i]);
	}
}

/* Limits of a server. */

static void test_one_queue_delays_no_other(void **state)
{
	struct pool_rig *r = *state;
	struct borrower alice[4];
	struct borrower bob;
	set_limits(r, 1, 0);
	for (int i = 0; i < 4; i++) {
		ask(&alice[i], r);
	}
	pool_rig_settle(r);
	ask_as(&bob, r, "bob", "");
	wait_ready(&bob);
	finish(&bob);
	for (int i = 0; i < 4; i++) {
		finish(&alice[i]);
	}
}

static void test_users_take_turns(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 5 };
	struct borrower held;
	struct borrower alice[MANY];
	struct borrower bob;
	struct borrower carol;
	set_limits(r, 0, 1);
	get_as(&held, r, "dave", "");
	for (int i = 0; i < MANY; i++) {
		ask(&alice[i], r);
	}
	pool_rig_settle(r);
	ask_as(&bob, r, "bob", "");
	ask_as(&carol, r, "carol", "");
	pool_rig_settle(r);
	hang_up(&held);
	wait_ready(&alice[0]);
	hang_up(&alice[0]);
	wait_ready(&bob);
	assert_int_equal(count_ready(alice, MANY), 1);
	hang_up(&bob);
	wait_ready(&carol);
	assert_int_equal(count_ready(alice, MANY), 1);
	hang_up(&carol);
	for (int i = 1; i < MANY; i++) {
		wait_ready(&alice[i]);
		hang_up(&alice[i]);
	}
	assert_int_equal(r->fake.most_open, 1);
	finish(&held);
	finish(&bob);
	finish(&carol);
	for (int i = 0; i < MANY; i++) {
		finish(&alice[i]);
	}
}

static void test_the_oldest_makes_room(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	set_limits(r, 0, 2);
	park(r, "alice", "");
	park(r, "bob", "");
	get_as(&b, r, "carol", "");
	pool_rig_settle(r);
	assert_int_equal(r->fake.most_open, 2);
	assert_true(r->fake.connections[0].has_hung_up);
	assert_false(r->fake.connections[1].has_hung_up);
	finish(&b);
}

static void test_a_full_server(void **state)
{
	struct pool_rig *r = *state;
	struct borrower held;
	struct borrower b;
	set_limits(r, 0, 1);
	get_as(&held, r, "alice", "");
	ask_as(&b, r, "bob", "");
	pool_rig_settle(r);
	assert_true(held.wanted > 0);
	pool_rig_jump(r, 3100);
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_QUEUE_SERVER);
	assert_memory_equal(fail_client_text(b.why), "[LIMIT] ", 8);
	borrower_finish(&b);
	finish(&held);
}

/* Other workers. */

struct neighbour {
	struct pool_rig *rig;
	struct pool *pool;
	struct counters counters;
	int told;
};

static void on_scarce(void *owner)
{
	struct neighbour *n = owner;
	assert_false(n->rig->is_inside);
	n->told++;
	pool_make_room(n->pool);
}

static void neighbour_make(struct neighbour *n, struct pool_rig *r)
{
	*n = (struct neighbour){.rig = r};
	n->pool = pool_create(&r->looper.loop, &n->counters, r->budget);
	pool_configure(n->pool, &r->config, NULL, 2);
	pool_on_scarce(r->pool, on_scarce, n);
}

static bool has_ended(void *arg)
{
	struct neighbour *n = arg;
	return pool_is_empty(n->pool);
}

static void neighbour_unmake(struct neighbour *n)
{
	pool_drain(n->pool);
	looper_until(&n->rig->looper, has_ended, n);
	pool_destroy(&n->pool);
	pool_on_scarce(n->rig->pool, NULL, NULL);
}

/* Asks in the neighbour's pool. */
static void get_there(struct borrower *b, struct neighbour *n, const char *login)
{
	struct pool *here = n->rig->pool;
	n->rig->pool = n->pool;
	get_as(b, n->rig, login, "");
	n->rig->pool = here;
}

static void test_other_workers_make_room(void **state)
{
	struct pool_rig *r = *state;
	struct neighbour n;
	struct borrower there;
	struct borrower b;
	set_limits(r, 0, 1);
	neighbour_make(&n, r);
	get_there(&there, &n, "alice");
	ask_as(&b, r, "bob", "");
	while (there.wanted == 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	assert_true(n.told > 0);
	assert_int_equal(b.ready, 0);
	give_back(&there); /* parked there, and closed for who waits here */
	wait_ready(&b);
	assert_int_equal(r->fake.most_open, 1);
	finish(&b);
	finish(&there);
	neighbour_unmake(&n);
}

static void test_parked_at_other_workers(void **state)
{
	struct pool_rig *r = *state;
	struct neighbour n;
	struct borrower there;
	struct borrower b;
	set_limits(r, 0, 1);
	neighbour_make(&n, r);
	get_there(&there, &n, "alice");
	give_back(&there);
	while (pool_count(n.pool, BACKEND_PARKED) == 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	borrower_finish(&there);
	get_as(&b, r, "bob", "");
	assert_int_equal(r->fake.most_open, 1);
	finish(&b);
	neighbour_unmake(&n);
}

/* Two workers in need tell one another, and not for ever; both get their share. */
static int told_back;

static void on_scarce_there(void *owner)
{
	struct neighbour *n = owner;
	told_back++;
	pool_make_room(n->rig->pool);
}

static void test_two_workers_in_need(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 6 };
	struct neighbour n;
	struct borrower held;
	struct borrower here[MANY];
	struct borrower there[MANY];
	set_limits(r, 0, 1);
	neighbour_make(&n, r);
	pool_on_scarce(n.pool, on_scarce_there, &n);
	told_back = 0;
	get_there(&held, &n, "eve");
	struct pool *mine = r->pool;
	for (int i = 0; i < MANY; i++) {
		ask_as(&here[i], r, i % 2 ? "alice" : "bob", "");
		r->pool = n.pool;
		ask_as(&there[i], r, i % 2 ? "carol" : "dave", "");
		r->pool = mine;
	}
	pool_rig_settle(r);
	assert_true(n.told + told_back < 20);
	hang_up(&held);
	size_t served[2] = {0};
	while (served[0] + served[1] < 2 * MANY) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
		for (size_t i = 0; i < 2 * MANY; i++) {
			struct borrower *b = i < MANY ? &here[i] : &there[i - MANY];
			if (b->ready && b->loan != NULL) {
				hang_up(b);
				served[i / MANY]++;
			}
		}
		/* Neither is far ahead of the other. */
		assert_true(served[0] <= served[1] + 4 && served[1] <= served[0] + 4);
	}
	assert_int_equal(r->fake.most_open, 1);
	for (int i = 0; i < MANY; i++) {
		finish(&here[i]);
		finish(&there[i]);
	}
	finish(&held);
	pool_on_scarce(n.pool, NULL, NULL);
	neighbour_unmake(&n);
}

/* [LIMIT] of the server itself. */

static size_t refusals;

static bool refuse_some(struct fake_connection *c, struct span line)
{
	if (refusals > 0 && span_contains_nocase(line, "AUTHENTICATE")) {
		refusals--;
		fake_reply(c, "NO [LIMIT] Maximum number of connections from user+IP exceeded");
		return true;
	}
	return false;
}

static void test_limit_of_the_server(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park(r, "alice", QRESYNC);
	park(r, "bob", "");
	r->fake.on_line = refuse_some;
	refusals = 1;
	get_as(&b, r, "alice", "");
	assert_int_equal(b.refused, 0);
	assert_true(r->fake.connections[0].has_hung_up);
	assert_false(r->fake.connections[1].has_hung_up);
	assert_false(loan_is_reused(b.loan));
	finish(&b);
}

/* One that is about to be parked makes room, too. */
static void test_limit_while_one_is_cleaned(void **state)
{
	struct pool_rig *r = *state;
	struct borrower first;
	struct borrower second;
	get_as(&first, r, "alice", "");
	fake_silence(&r->fake, "NOOP");
	POOL_CALL(r, assert_null(loan_give_back(&first.loan, loan_enabled(first.loan))));
	borrower_finish(&first);
	r->fake.on_line = refuse_some;
	refusals = 1;
	ask_as(&second, r, "alice", QRESYNC);
	while (refusals > 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_settle(r);
	assert_int_equal(second.refused + second.ready, 0);
	assert_int_equal(r->fake.count, 2);
	fake_reply(&r->fake.connections[0], "OK done");
	wait_ready(&second);
	assert_true(r->fake.connections[0].has_left);
	assert_int_equal(r->fake.count, 3);
	assert_int_equal(second.refused, 0);
	finish(&second);
}

static void wait_refused(struct borrower *b)
{
	while (b->refused + b->ready + b->failed == 0) {
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
	assert_int_equal(b->refused, 1);
	assert_false(b->is_wrong_credential);
	assert_memory_equal(b->text, "[LIMIT] ", 8);
}

/* Once only; and not at all where nothing is parked. */
static void test_limit_of_the_server_again(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park(r, "alice", QRESYNC);
	park(r, "bob", "");
	r->fake.on_line = refuse_some;
	refusals = 2;
	ask_as(&b, r, "alice", "");
	wait_refused(&b);
	assert_int_equal(refusals, 0);
	borrower_finish(&b);
	refusals = 1;
	ask_as(&b, r, "carol", "");
	wait_refused(&b);
	assert_int_equal(refusals, 0);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
	borrower_finish(&b);
}

/* The second try waits until the server has let go, also where nobody else would wait for anything. */
static void test_limit_of_a_slow_server(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->config.pool.queue_timeout = 0;
	pool_rig_configure(r);
	park(r, "alice", QRESYNC);
	fake_silence(&r->fake, "LOGOUT");
	r->fake.on_line = refuse_some;
	refusals = 1;
	ask_as(&b, r, "alice", "");
	while (refusals > 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_settle(r);
	assert_int_equal(r->fake.count, 2);
	fake_hang_up(&r->fake.connections[0]);
	wait_ready(&b);
	assert_int_equal(r->fake.count, 3);
	finish(&b);
}

/* All at once, in all ways, with every limit: nothing is lost, nothing exceeds. */
static void test_crowd(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 40 };
	static const char *const logins[] = {"alice", "bob", "carol", "dave"};
	static const char *const classes[] = {"", QRESYNC};
	struct borrower b[MANY];
	set_limits(r, 3, 7);
	for (size_t i = 0; i < MANY; i++) {
		borrower_init(&b[i], r);
		b[i].request.login = span_str(logins[i % 4]);
		b[i].request.enabled = span_str(classes[i / 4 % 2]);
		borrower_ask(&b[i], i % 7 == 3 ? "wrong" : "right");
		looper_spin(&r->looper, (int)(i % 3));
	}
	size_t over = 0;
	size_t turns = 0;
	while (over < MANY) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
		over = 0;
		for (size_t i = 0; i < MANY; i++) {
			if (b[i].loan != NULL && b[i].ready && ++turns % 3 == 0) {
				(i % 2 ? give_back : hang_up)(&b[i]);
			}
			over += b[i].loan == NULL;
			assert_true(b[i].refused == 0 || i % 7 == 3);
			assert_int_equal(b[i].failed, 0);
		}
	}
	assert_true(r->fake.most_open <= 7);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(b[i].ready, i % 7 != 3);
		borrower_finish(&b[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_never_more_than_allowed),
		STORY(test_waits_not_for_ever),
		STORY(test_no_time_to_wait),
		STORY(test_parked_ones_make_room),
		STORY(test_a_server_that_does_not_let_go),
		STORY(test_sessions_are_asked),
		STORY(test_strangers_hold_up_only_a_part),
		STORY(test_a_proof_serves_who_waits),
		STORY(test_given_up_while_waiting),
		STORY(test_refused_ones_make_room),
		STORY(test_limits_change),
		STORY(test_one_queue_delays_no_other),
		STORY(test_users_take_turns),
		STORY(test_the_oldest_makes_room),
		STORY(test_a_full_server),
		STORY(test_other_workers_make_room),
		STORY(test_parked_at_other_workers),
		STORY(test_two_workers_in_need),
		STORY(test_limit_of_the_server),
		STORY(test_limit_while_one_is_cleaned),
		STORY(test_limit_of_the_server_again),
		STORY(test_limit_of_a_slow_server),
		STORY(test_crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
