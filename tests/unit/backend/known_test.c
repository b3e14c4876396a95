/*
 * What ends a proof (POOLING.md section 6): the server refuses it, or accepts another password in its
 * place; what only looks like that ends nothing. And the connection that is about to be parked.
 */
#include "backend/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

static bool any_password(struct fake_connection *c, struct span line)
{
	if (c->fake->password == NULL && span_contains_nocase(line, "AUTHENTICATE")) {
		fake_reply(c, "OK [CAPABILITY IMAP4rev1 UNSELECT] Welcome");
		return true;
	}
	return false;
}

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->fake.on_line = any_password;
	r->fake.password = NULL; /* any */
	r->config.pool.purge_on_new_secret = true;
	pool_rig_configure(r);
	return result;
}

static void wait_for_answer(struct borrower *b)
{
	while (b->ready + b->refused + b->failed == 0) {
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
}

struct sign_in {
	const char *password;
	bool is_clear;
	const char *authzid, *name;
};

static void ask(struct borrower *b, struct pool_rig *r, const struct sign_in *s)
{
	borrower_init(b, r);
	b->request.is_secure = !s->is_clear;
	b->authzid = s->authzid;
	b->name = s->name;
	borrower_ask(b, s->password);
}

static void get(struct borrower *b, struct pool_rig *r, const struct sign_in *s)
{
	ask(b, r, s);
	wait_for_answer(b);
	assert_int_equal(b->ready, 1);
}

static const char *give_back(struct borrower *b)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_give_back(&b->loan, loan_enabled(b->loan)));
	return said;
}

static void hang_up(struct borrower *b)
{
	POOL_CALL(b->rig, loan_return(&b->loan, NULL, FAIL_CLIENT_LEFT));
	pool_rig_settle(b->rig);
	borrower_finish(b);
}

static void park(struct pool_rig *r, const struct sign_in *s)
{
	struct borrower b;
	size_t before = pool_count(r->pool, BACKEND_PARKED);
	get(&b, r, s);
	before = loan_is_reused(b.loan) ? before - 1 : pool_count(r->pool, BACKEND_PARKED);
	assert_null(give_back(&b));
	pool_rig_wait(r, BACKEND_PARKED, before + 1);
	borrower_finish(&b);
}

/* Ready at once; and back again. */
static bool is_hit(struct pool_rig *r, const struct sign_in *s)
{
	struct borrower b;
	ask(&b, r, s);
	bool is_ready = b.ready == 1;
	wait_for_answer(&b);
	if (b.ready) {
		assert_int_equal(loan_is_reused(b.loan), is_ready);
		if (is_ready) {
			size_t parked = pool_count(r->pool, BACKEND_PARKED);
			give_back(&b);
			pool_rig_wait(r, BACKEND_PARKED, parked + 1);
		} else {
			POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
		}
	}
	borrower_finish(&b);
	pool_rig_settle(r);
	return is_ready;
}

static const struct sign_in old_one = {.password = "old"};
static const struct sign_in new_one = {.password = "new"};
static const struct sign_in old_in_clear = {.password = "old", .is_clear = true};
static const struct sign_in old_alias = {.password = "old", .name = "a.lice@example.org"};

static void test_a_new_password_ends_the_old(void **state)
{
	struct pool_rig *r = *state;
	park(r, &old_one);
	assert_true(is_hit(r, &old_one));
	r->fake.password = "new";
	park(r, &new_one);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
	assert_true(is_hit(r, &new_one));
	/* The server says so itself, and what the new one opened stays. */
	struct borrower b;
	ask(&b, r, &old_one);
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
	assert_true(is_hit(r, &new_one));
	assert_true(counter_get(&r->counters, COUNTER_POOL_PURGED) >= 1);
}

static void test_a_wrong_password_ends_nothing(void **state)
{
	struct pool_rig *r = *state;
	park(r, &old_one);
	r->fake.password = "old";
	struct borrower b;
	ask(&b, r, &new_one);
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
	assert_true(is_hit(r, &old_one));
}

/* Neither another way in nor another name of the same user is another password. */
static void test_the_same_password_in_another_way(void **state)
{
	struct pool_rig *r = *state;
	park(r, &old_one);
	assert_false(is_hit(r, &old_in_clear));
	assert_false(is_hit(r, &old_alias));
	assert_true(is_hit(r, &old_one));
	/* But when it is refused, it is refused in all ways. */
	r->fake.password = "changed";
	pool_rig_jump(r, 1000);
	struct sign_in other = {.password = "old", .name = "other"};
	struct borrower b;
	ask(&b, r, &other);
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
	assert_false(is_hit(r, &old_one));
	assert_int_equal(pool_rig_alive(r), 0);
}

/* For whom a connection was opened is part of whose it is. */
static void test_authorization_identities(void **state)
{
	struct pool_rig *r = *state;
	const struct sign_in boss = {.password = "old", .authzid = "boss"};
	const struct sign_in boss_new = {.password = "new", .authzid = "boss"};
	park(r, &old_one);
	assert_false(is_hit(r, &boss));
	park(r, &boss);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	park(r, &boss_new);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	assert_true(is_hit(r, &old_one));
	assert_true(is_hit(r, &boss_new));
	assert_false(is_hit(r, &boss));
}

static void test_app_passwords(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.purge_on_new_secret = false;
	pool_rig_configure(r);
	park(r, &old_one);
	park(r, &new_one);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	assert_true(is_hit(r, &old_one));
	assert_true(is_hit(r, &new_one));
}

static void test_what_the_old_password_has_lent(void **state)
{
	struct pool_rig *r = *state;
	struct borrower lent;
	struct borrower fresh;
	get(&lent, r, &old_one);
	get(&fresh, r, &new_one);
	/* The session goes on; its connection serves no other one. */
	assert_string_equal(give_back(&lent), "purged");
	borrower_finish(&lent);
	assert_null(give_back(&fresh));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&fresh);
	assert_true(is_hit(r, &new_one));
}

/* The next session comes while the barrier is on its way: it need not sign in. */
static void test_soon_to_be_parked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower first;
	struct borrower second;
	fake_silence(&r->fake, "NOOP");
	get(&first, r, &old_one);
	assert_null(give_back(&first));
	borrower_finish(&first);
	ask(&second, r, &old_one);
	pool_rig_settle(r);
	assert_int_equal(second.ready, 0);
	assert_int_equal(r->fake.count, 1);
	fake_reply(&r->fake.connections[0], "OK done");
	wait_for_answer(&second);
	assert_int_equal(second.ready, 1);
	assert_true(loan_is_reused(second.loan));
	assert_int_equal(counter_get(&r->counters, COUNTER_POOL_HITS), 1);
	hang_up(&second);
}

static void test_soon_to_be_parked_but_dirty(void **state)
{
	struct pool_rig *r = *state;
	struct borrower first;
	struct borrower second;
	fake_silence(&r->fake, "NOOP");
	get(&first, r, &old_one);
	assert_null(give_back(&first));
	borrower_finish(&first);
	ask(&second, r, &old_one);
	pool_rig_settle(r);
	fake_reply(&r->fake.connections[0], "BAD no");
	wait_for_answer(&second);
	assert_int_equal(second.ready, 1);
	assert_false(loan_is_reused(second.loan));
	assert_int_equal(r->fake.count, 2);
	hang_up(&second);
}

/* An operator flushes while the server's answer is on its way: it may be older than what he did. */
static void test_flushed_on_its_way(void **state)
{
	static const char *const logins[] = {"alice", NULL, "bob"};
	struct pool_rig *r = *state;
	for (size_t i = 0; i < 3; i++) {
		struct borrower b;
		struct borrower other;
		struct pool_flushed done;
		r->fake.password = "old";
		fake_silence(&r->fake, "AUTHENTICATE");
		ask(&b, r, &old_one);
		pool_rig_wait(r, BACKEND_SIGNIN, 1);
		POOL_CALL(r, done = pool_flush(r->pool, NULL, logins[i]));
		assert_int_equal(done.connections + done.credentials, 0);
		fake_reply(&r->fake.connections[r->fake.count - 1],
			"OK [CAPABILITY IMAP4rev1 UNSELECT] Welcome");
		fake_behave(&r->fake);
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		uint64_t proved = counter_get(&r->counters, COUNTER_POOL_MISS_NONE);
		get(&other, r, &old_one);
		proved = counter_get(&r->counters, COUNTER_POOL_MISS_NONE) - proved;
		assert_int_equal(proved, i == 2);
		hang_up(&other);
		const char *said = give_back(&b);
		assert_true(i == 2 ? said == NULL : strcmp(said, "purged") == 0);
		borrower_finish(&b);
		pool_rig_settle(r);
	}
}

/* One that is parked hears BYE: neither what is lent nor what was proved serves anybody after it. */
static void test_kicked_at_the_server(void **state)
{
	struct pool_rig *r = *state;
	struct borrower lent;
	struct borrower other;
	get(&lent, r, &old_one);
	get(&other, r, &old_one);
	assert_null(give_back(&other));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&other);
	fake_say(&r->fake.connections[1], "* BYE kicked\r\n");
	pool_rig_wait(r, BACKEND_PARKED, 0);
	assert_int_equal(counter_get(&r->counters, COUNTER_POOL_PURGED), 1);
	assert_string_equal(give_back(&lent), "purged");
	borrower_finish(&lent);
	assert_false(is_hit(r, &old_one));
}

/* Its password is replaced while somebody waits for it: then the server decides. */
static void test_purged_while_waited_for(void **state)
{
	struct pool_rig *r = *state;
	struct borrower first;
	struct borrower second;
	struct borrower other;
	fake_silence(&r->fake, "NOOP");
	get(&first, r, &old_one);
	assert_null(give_back(&first));
	borrower_finish(&first);
	ask(&second, r, &old_one);
	pool_rig_settle(r);
	r->fake.password = "new";
	get(&other, r, &new_one);
	fake_reply(&r->fake.connections[0], "OK done");
	wait_for_answer(&second);
	assert_int_equal(second.refused, 1);
	borrower_finish(&second);
	hang_up(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_a_new_password_ends_the_old),
		STORY(test_a_wrong_password_ends_nothing),
		STORY(test_the_same_password_in_another_way),
		STORY(test_authorization_identities),
		STORY(test_app_passwords),
		STORY(test_what_the_old_password_has_lent),
		STORY(test_soon_to_be_parked),
		STORY(test_soon_to_be_parked_but_dirty),
		STORY(test_flushed_on_its_way),
		STORY(test_kicked_at_the_server),
		STORY(test_purged_while_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
