/*
 * What is parked: whose it is, how long it is kept, when it is asked whether it still lives, and what
 * ends it.
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, pool_rig_make, pool_rig_unmake)

static struct fake_connection *connection(struct pool_rig *r, size_t n)
{
	assert_true(n < r->fake.count);
	return &r->fake.connections[n];
}

static uint64_t counted(const struct pool_rig *r, enum counter which)
{
	return counter_get(&r->counters, which);
}

static size_t parked(const struct pool_rig *r)
{
	return pool_count(r->pool, BACKEND_PARKED);
}

/* Parks n connections of one user at the same time. */
static void park_many(struct pool_rig *r, size_t n, const char *login)
{
	enum { MOST = 8 };
	struct borrower b[MOST];
	assert_true(n <= MOST);
	for (size_t i = 0; i < n; i++) {
		borrower_init(&b[i], r);
		b[i].request.login = span_str(login);
		borrower_ask(&b[i], "right");
	}
	for (size_t i = 0; i < n; i++) {
		if (b[i].ready == 0) {
			looper_wait(&r->looper, &b[i].ready);
		}
		b[i].tracker = tracker_create(&(struct tracker_options){
			.server_capabilities = loan_capabilities(b[i].loan),
			.max_line = 65536,
			.proxy_tag = loan_proxy_tag(b[i].loan),
			.is_attached = true,
		});
	}
	for (size_t i = 0; i < n; i++) {
		assert_null(borrower_return(&b[i], FAIL_LOGOUT));
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		borrower_finish(&b[i]);
	}
}

/* Asks and reports whether the answer was there at once; the connection is closed afterwards. */
static bool is_hit(struct pool_rig *r, const char *password, const char *login, bool is_secure)
{
	struct borrower b;
	borrower_init(&b, r);
	b.request.login = span_str(login);
	b.request.is_secure = is_secure;
	borrower_ask(&b, password);
	bool is_ready = b.ready == 1;
	while (b.ready + b.refused == 0) {
		assert_int_equal(b.failed, 0);
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	if (b.ready) {
		assert_int_equal(loan_is_reused(b.loan), is_ready);
		POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	}
	borrower_finish(&b);
	pool_rig_settle(r);
	return is_ready;
}

/* L6, S9: strangers with wrong passwords do not touch what is parked, however many come. */
static void test_wrong_passwords_touch_nothing(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 2, "alice");
	for (int i = 0; i < 30; i++) {
		struct borrower b;
		borrower_init(&b, r);
		borrower_ask(&b, "wrong");
		looper_wait(&r->looper, &b.refused);
		assert_true(b.is_wrong_credential);
		borrower_finish(&b);
		assert_int_equal(parked(r), 2);
	}
	/* Each was judged by the server. */
	assert_int_equal(r->fake.count, 32);
	assert_true(is_hit(r, "right", "alice", true));
	assert_true(is_hit(r, "right", "alice", true));
	assert_false(is_hit(r, "right", "alice", true));
}

static void test_whose_it_is(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 1, "alice");
	assert_false(is_hit(r, "right", "bob", true));
	assert_false(
		is_hit(r, "right", "ALICE", true)); /* for the server to say whether it is her */
	assert_false(is_hit(r, "right", "", true));
	assert_false(is_hit(r, "right", "alice", false));
	assert_int_equal(parked(r), 1);
	assert_true(is_hit(r, "right", "alice", true));
	/* And what a sign-in in clear has parked is for those in clear. */
	struct borrower b;
	borrower_init(&b, r);
	b.request.is_secure = false;
	borrower_ask(&b, "right");
	looper_wait(&r->looper, &b.ready);
	b.tracker = tracker_create(&(struct tracker_options){
		.max_line = 65536, .proxy_tag = loan_proxy_tag(b.loan), .is_attached = true});
	borrower_return(&b, FAIL_LOGOUT);
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	assert_false(is_hit(r, "right", "alice", true));
	assert_true(is_hit(r, "right", "alice", false));
}

/* Another server of the same cluster, though it knows the same user. */
static void test_where_it_is(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 1, "alice");
	struct config_backend other = r->fake.config;
	static char name[] = "fake2";
	other.name = name;
	struct borrower b;
	borrower_init(&b, r);
	b.request.server = &other;
	borrower_ask(&b, "right");
	assert_int_equal(b.ready, 0);
	looper_wait(&r->looper, &b.ready);
	assert_false(loan_is_reused(b.loan));
	POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	assert_int_equal(parked(r), 1);
}

/* App passwords: each answers for the connections that it opened itself. */
static bool any_password(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "AUTHENTICATE")) {
		fake_reply(c, "OK [CAPABILITY IMAP4rev1] Welcome");
		return true;
	}
	return false;
}

static void test_several_passwords(void **state)
{
	struct pool_rig *r = *state;
	r->fake.on_line = any_password;
	borrower_park(r, "one");
	borrower_park(r, "two");
	assert_int_equal(r->fake.count, 2);
	assert_int_equal(parked(r), 2);
	assert_true(is_hit(r, "one", "alice", true));
	assert_int_equal(parked(r), 1);
	assert_false(is_hit(r, "one", "alice", true)); /* the other one's is not lent */
	assert_true(is_hit(r, "two", "alice", true));
}

/* Not so many that a user could make us remember without end. */
static void test_passwords_are_forgotten(void **state)
{
	struct pool_rig *r = *state;
	r->fake.on_line = any_password;
	borrower_park(r, "first");
	for (int i = 0; i < 12; i++) {
		char password[16];
		snprintf(password, sizeof password, "p%d", i);
		assert_false(is_hit(r, password, "alice", true));
	}
	assert_int_equal(parked(r), 1);
	assert_false(is_hit(r, "first", "alice", true));
}

/* L5: the proof ages from the server's word, and hits do not make it younger. */
static void test_credential_ttl(void **state)
{
	struct pool_rig *r = *state;
	borrower_park(r, "right");
	for (int i = 0; i < 29; i++) {
		pool_rig_jump(r, 10000);
		borrower_park(r, "right");
		assert_int_equal(r->fake.count, 1);
	}
	pool_rig_jump(r, 11000);
	assert_false(is_hit(r, "right", "alice", true));
	/* That was the server's word anew: the parked one answers again. */
	assert_int_equal(parked(r), 1);
	assert_true(is_hit(r, "right", "alice", true));
}

static void test_credential_ttl_of_nothing(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.credential_ttl = 0;
	pool_rig_configure(r);
	borrower_park(r, "right");
	assert_false(is_hit(r, "right", "alice", true));
	assert_int_equal(parked(r), 1);
}

/* The password was changed: the server's NO to one that we knew ends what it had opened. */
static void test_a_refused_proof_is_dropped(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 2, "alice");
	park_many(r, 1, "bob");
	assert_int_equal(parked(r), 3);
	r->fake.password = "changed";
	pool_rig_jump(r, 301000); /* also beyond idle_timeout, but for what follows */
	pool_rig_settle(r);
	assert_int_equal(parked(r), 0);
	r->fake.password = "right";
	park_many(r, 2, "alice");
	park_many(r, 1, "bob");
	r->fake.password = "changed";
	r->config.pool.credential_ttl = 0;
	pool_rig_configure(r);
	assert_int_equal(parked(r), 3);
	assert_false(is_hit(r, "right", "alice", true));
	assert_int_equal(parked(r), 1); /* bob's */
	/* The old password is known no more, even if the time allowed it again. */
	r->config.pool.credential_ttl = 300000;
	pool_rig_configure(r);
	assert_false(is_hit(r, "right", "alice", true));
}

/* The same while a connection of that credential is lent: it goes on, the parked ones do not. */
static void test_a_refused_proof_spares_the_living(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	park_many(r, 1, "alice");
	r->fake.password = "changed";
	r->config.pool.credential_ttl = 0;
	pool_rig_configure(r);
	assert_false(is_hit(r, "right", "alice", true));
	assert_int_equal(parked(r), 0);
	borrower_say(&b, "a NOOP\r\n");
	borrower_hear(&b, "a OK done\r\n");
	/* It does not serve again: what the old password opened, ends. */
	assert_string_equal(borrower_return(&b, FAIL_LOGOUT), "purged");
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
	r->config.pool.credential_ttl = 300000;
	pool_rig_configure(r);
	assert_false(is_hit(r, "right", "alice", true));
}

/* Time. */

static void test_idle_timeout(void **state)
{
	struct pool_rig *r = *state;
	borrower_park(r, "right");
	pool_rig_jump(r, 299000);
	assert_int_equal(parked(r), 1);
	pool_rig_jump(r, 1600);
	pool_rig_wait(r, BACKEND_PARKED, 0);
	/* The server sees a clean end. */
	assert_true(fake_has_heard(connection(r, 0), "ID AUTHENTICATE NOOP LOGOUT "));
	assert_int_equal(counted(r, COUNTER_POOL_EVICTED), 1);
	looper_wait(&r->looper, &r->empties);
}

/* Idleness is counted anew from each parking; age is not. */
static void test_lifetime(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.max_lifetime = 1000000;
	r->config.pool.credential_ttl = 3600000;
	pool_rig_configure(r);
	for (int i = 0; i < 4; i++) {
		borrower_park(r, "right");
		pool_rig_jump(r, 200000);
		assert_int_equal(parked(r), 1);
	}
	pool_rig_jump(r, 201000);
	pool_rig_wait(r, BACKEND_PARKED, 0);
	assert_int_equal(counted(r, COUNTER_POOL_EVICTED), 1);
}

static void test_too_old_to_be_parked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	pool_rig_jump(r, 3600001);
	borrower_say(&b, "a NOOP\r\n");
	borrower_hear(&b, "a OK done\r\n"); /* a session lives as long as it likes */
	assert_string_equal(borrower_return(&b, FAIL_LOGOUT), "lifetime");
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* Too old by the time that it is clean. */
static void test_too_old_behind_the_scrub(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "NOOP");
	borrower_link(&b, r, "right");
	pool_rig_jump(r, 3599000);
	assert_null(borrower_return(&b, FAIL_LOGOUT));
	pool_rig_settle(r);
	pool_rig_jump(r, 2000);
	fake_reply(connection(r, 0), "OK done");
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* Caps. */

static void test_max_idle_per_user(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 5, "alice");
	assert_int_equal(parked(r), 2);
	assert_int_equal(counted(r, COUNTER_POOL_EVICTED), 3);
	park_many(r, 2, "bob");
	assert_int_equal(parked(r), 4);
}

static void test_max_idle(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.max_idle = 3;
	pool_rig_configure(r);
	park_many(r, 2, "alice");
	park_many(r, 2, "bob");
	assert_int_equal(parked(r), 3);
	/* The oldest made room: alice's first. */
	assert_true(is_hit(r, "right", "bob", true));
	assert_true(is_hit(r, "right", "bob", true));
	assert_true(is_hit(r, "right", "alice", true));
	assert_false(is_hit(r, "right", "alice", true));
}

/* The share of a worker is rounded up, so that a small cap is not none. */
static void test_share_of_a_worker(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.max_idle = 5;
	POOL_CALL(r, pool_configure(r->pool, &r->config, NULL, 4));
	park_many(r, 1, "alice");
	park_many(r, 1, "bob");
	park_many(r, 1, "carol");
	assert_int_equal(parked(r), 2);
	r->config.pool.max_idle = 1;
	POOL_CALL(r, pool_configure(r->pool, &r->config, NULL, 4));
	park_many(r, 1, "dave");
	assert_int_equal(parked(r), 1);
}

static void test_caps_of_nothing(void **state)
{
	for (int which = 0; which < 3; which++) {
		struct pool_rig *r = *state;
		r->config.pool.enabled = which != 0;
		r->config.pool.max_idle = which == 1 ? 0 : 1000;
		r->config.pool.max_idle_per_user = which == 2 ? 0 : 2;
		pool_rig_configure(r);
		struct borrower b;
		borrower_link(&b, r, "right");
		assert_string_equal(borrower_return(&b, FAIL_LOGOUT), "pool-off");
		assert_int_equal(pool_rig_alive(r), 0);
		borrower_finish(&b);
	}
}

/* The newest is lent first, so that the others can age away. */
static void test_last_in_first_out(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 2, "alice");
	struct borrower b;
	borrower_link(&b, r, "right");
	borrower_say(&b, "a NOOP\r\n");
	borrower_hear(&b, "a OK done\r\n");
	assert_true(fake_has_heard(connection(r, 0), "ID AUTHENTICATE NOOP "));
	assert_true(fake_has_heard(connection(r, 1), "ID AUTHENTICATE NOOP NOOP "));
	borrower_finish(&b);
}

/* Checks before lending. */

static void test_checked_when_stale(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "right");
	pool_rig_jump(r, 29000);
	assert_true(is_hit(r, "right", "alice", true)); /* not yet */
	borrower_park(r, "right");
	pool_rig_jump(r, 31000);
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	assert_int_equal(b.ready, 0);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	looper_wait(&r->looper, &b.ready);
	assert_true(loan_is_reused(b.loan));
	assert_int_equal(r->fake.count, 2);
	assert_true(fake_has_heard(connection(r, 1), "ID AUTHENTICATE NOOP NOOP "));
	assert_int_equal(counted(r, COUNTER_POOL_HITS), 2);
	POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
}

/* However the check fails, the borrower gets a connection and learns nothing of it. */
enum failing { SAYS_NO, SAYS_BYE, HANGS_UP, RESETS, SAYS_NOTHING, SAYS_MORE, FAILINGS };

static enum failing failing;

static bool fail_check(struct fake_connection *c, struct span line)
{
	if (c->fake->count > 1 || !span_contains_nocase(line, "NOOP")) {
		return false;
	}
	switch (failing) {
	case SAYS_NO:
		fake_reply(c, "NO no");
		break;
	case SAYS_BYE:
		fake_say(c, "* BYE you were kicked\r\n");
		break;
	case HANGS_UP:
		fake_hang_up(c);
		break;
	case RESETS:
		fake_reset(c);
		break;
	case SAYS_MORE:
		fake_reply(c, "OK done\r\nx OK and more");
		break;
	case SAYS_NOTHING:
	case FAILINGS:
		break;
	}
	return true;
}

static void test_checks_that_fail(void **state)
{
	for (failing = 0; failing < FAILINGS; failing++) {
		struct pool_rig *r = *state;
		struct borrower b;
		borrower_park(r, "right");
		pool_rig_jump(r, 31000);
		r->fake.on_line = fail_check;
		borrower_init(&b, r);
		borrower_ask(&b, "right");
		pool_rig_settle(r);
		if (failing == SAYS_NOTHING) {
			assert_int_equal(b.ready, 0);
			pool_rig_jump(r, POOL_SCRUB_MS + 100);
		}
		if (b.ready == 0) {
			looper_wait(&r->looper, &b.ready);
		}
		assert_false(loan_is_reused(b.loan));
		assert_int_equal(r->fake.count, 2);
		assert_int_equal(b.refused + b.failed, 0);
		assert_int_equal(pool_rig_alive(r), 1);
		assert_int_equal(counted(r, COUNTER_POOL_MISSES), 2);
		assert_int_equal(counted(r, COUNTER_POOL_HITS), 0);
		POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
		borrower_finish(&b);
		pool_rig_unmake(state);
		pool_rig_make(state);
	}
}

/* The check fails, and then the server itself says what it thinks. */
static void test_check_fails_then_refused(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "right");
	pool_rig_jump(r, 31000);
	failing = SAYS_BYE;
	r->fake.on_line = fail_check;
	r->fake.password = "changed";
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	looper_wait(&r->looper, &b.refused);
	assert_true(b.is_wrong_credential);
	borrower_finish(&b);
	pool_rig_settle(r);
	assert_int_equal(pool_rig_alive(r), 0);
}

static void test_given_up_while_checked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "right");
	pool_rig_jump(r, 31000);
	fake_silence(&r->fake, "NOOP");
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	pool_rig_settle(r);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_int_equal(pool_rig_alive(r), 0);
	pool_rig_settle(r);
	assert_int_equal(b.ready + b.failed + b.refused, 0);
	borrower_finish(&b);
}

/* Signs of life of a server while parked. */

static void test_unexpected_bytes(void **state)
{
	static const char *const texts[] = {
		"* BYE Logged out by the administrator\r\n", "* OK still here\r\n", "x", "\r\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pool_rig *r = *state;
		park_many(r, 2, "alice");
		park_many(r, 1, "bob");
		struct fake_connection *c = connection(r, r->fake.count - 3);
		fake_say(c, texts[i]);
		/* All of hers, and the proof with them; not his. */
		pool_rig_wait(r, BACKEND_PARKED, 1);
		assert_false(is_hit(r, "right", "alice", true));
		assert_true(is_hit(r, "right", "bob", true));
		/* Nothing is said to somebody who has lost the thread. */
		assert_true(fake_has_heard(c, "ID AUTHENTICATE NOOP "));
	}
}

static void test_end_of_stream_while_parked(void **state)
{
	for (int is_reset = 0; is_reset < 2; is_reset++) {
		struct pool_rig *r = *state;
		park_many(r, 2, "alice");
		(is_reset ? fake_reset : fake_hang_up)(connection(r, r->fake.count - 2));
		pool_rig_wait(r, BACKEND_PARKED, 1);
		assert_true(is_hit(r, "right", "alice", true));
		assert_int_equal(pool_rig_alive(r), 0);
	}
}

/* A session is nobody's business but its own, whatever a parked sibling hears. */
static void test_unexpected_bytes_spare_the_living(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_many(r, 2, "alice");
	borrower_link(&b, r, "right");
	assert_true(b.is_reused);
	fake_say(connection(r, 0), "* BYE bye\r\n");
	pool_rig_wait(r, BACKEND_PARKED, 0);
	borrower_say(&b, "a NOOP\r\n");
	borrower_hear(&b, "a OK done\r\n");
	/* But it may be of before a change for which the server ends connections: nobody has it next. */
	assert_string_equal(borrower_return(&b, FAIL_LOGOUT), "purged");
	borrower_finish(&b);
	assert_false(is_hit(r, "right", "alice", true)); /* until the server has said so again */
	park_many(r, 1, "alice");
	assert_true(is_hit(r, "right", "alice", true));
}

/* Reload. */

static void test_a_changed_server(void **state)
{
	static char other_ca[] = "/etc/other.pem";
	static char other_name[] = "renamed";
	for (int what = 0; what < 5; what++) {
		struct pool_rig *r = *state;
		struct config_backend changed = r->fake.config;
		struct borrower b;
		park_many(r, 1, "alice");
		borrower_link(&b, r, "right");
		park_many(r, 1, "bob");
		assert_int_equal(parked(r), 1);
		changed.address.port = what == 0 ? 1 : changed.address.port;
		changed.ca = what == 1 ? other_ca : changed.ca;
		changed.verify = what == 2 ? false : changed.verify;
		changed.name = what == 3 ? other_name : changed.name;
		changed.weight = 7; /* of no consequence to a connection that is there */
		changed.send_id = false;
		r->config.backends = &changed;
		pool_rig_configure(r);
		bool is_kept = what == 4;
		pool_rig_wait(r, BACKEND_PARKED, is_kept ? 1 : 0);
		/* What was lent meanwhile does not come back to a server that is gone. */
		const char *objection = borrower_return(&b, FAIL_LOGOUT);
		if (is_kept) {
			assert_null(objection);
		} else {
			assert_string_equal(objection, "server-changed");
		}
		pool_rig_wait(r, BACKEND_PARKED, is_kept ? 2 : 0);
		borrower_finish(&b);
		pool_rig_unmake(state);
		pool_rig_make(state);
	}
}

static void test_pool_switched_off(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 2, "alice");
	r->config.pool.enabled = false;
	pool_rig_configure(r);
	assert_int_equal(parked(r), 0);
	assert_false(is_hit(r, "right", "alice", true));
}

/* New times are those of what is parked already. */
static void test_shorter_times(void **state)
{
	struct pool_rig *r = *state;
	park_many(r, 2, "alice");
	pool_rig_jump(r, 100000);
	r->config.pool.idle_timeout = 90000;
	pool_rig_configure(r);
	pool_rig_jump(r, 20);
	pool_rig_wait(r, BACKEND_PARKED, 0);
}

/* The end. */

static void test_drained(void **state)
{
	struct pool_rig *r = *state;
	struct borrower lent;
	struct borrower scrubbed;
	fake_silence(&r->fake, "CHECK");
	park_many(r, 2, "alice");
	park_many(r, 1, "bob");
	borrower_link(&scrubbed, r, "right");
	borrower_link(&lent, r, "right");
	borrower_say(&scrubbed, "a CHECK\r\n");
	assert_null(borrower_return(&scrubbed, FAIL_LOGOUT));
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	POOL_CALL(r, pool_drain(r->pool));
	assert_int_equal(parked(r), 0);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 0);
	assert_int_equal(pool_count(r->pool, BACKEND_LENT), 1);
	borrower_say(&lent, "a NOOP\r\n");
	borrower_hear(&lent, "a OK done\r\n");
	assert_true(fake_has_heard(connection(r, 2), "ID AUTHENTICATE NOOP LOGOUT "));
	assert_int_equal(r->empties, 0);
	assert_string_equal(borrower_return(&lent, FAIL_LOGOUT), "draining");
	assert_int_equal(r->empties, 0);
	looper_wait(&r->looper, &r->empties);
	pool_rig_settle(r);
	assert_int_equal(r->empties, 1);
	borrower_finish(&lent);
	borrower_finish(&scrubbed);
}

/* A check that is under way when the end begins still serves the one who waits for it. */
static void test_drained_while_checked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "right");
	pool_rig_jump(r, 31000);
	fake_silence(&r->fake, "NOOP");
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	POOL_CALL(r, pool_drain(r->pool));
	pool_rig_settle(r);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	fake_reply(connection(r, 0), "OK done");
	looper_wait(&r->looper, &b.ready);
	POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_wrong_passwords_touch_nothing),
		STORY(test_whose_it_is),
		STORY(test_where_it_is),
		STORY(test_several_passwords),
		STORY(test_passwords_are_forgotten),
		STORY(test_credential_ttl),
		STORY(test_credential_ttl_of_nothing),
		STORY(test_a_refused_proof_is_dropped),
		STORY(test_a_refused_proof_spares_the_living),
		STORY(test_idle_timeout),
		STORY(test_lifetime),
		STORY(test_too_old_to_be_parked),
		STORY(test_too_old_behind_the_scrub),
		STORY(test_max_idle_per_user),
		STORY(test_max_idle),
		STORY(test_share_of_a_worker),
		STORY(test_caps_of_nothing),
		STORY(test_last_in_first_out),
		STORY(test_checked_when_stale),
		STORY(test_checks_that_fail),
		STORY(test_check_fails_then_refused),
		STORY(test_given_up_while_checked),
		STORY(test_unexpected_bytes),
		STORY(test_end_of_stream_while_parked),
		STORY(test_unexpected_bytes_spare_the_living),
		STORY(test_a_changed_server),
		STORY(test_pool_switched_off),
		STORY(test_shorter_times),
		STORY(test_drained),
		STORY(test_drained_while_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
