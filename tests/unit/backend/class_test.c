/*
 * Classes: a connection on which something is enabled serves nobody but who asked for exactly that; what
 * is known of a credential without a connection; loans given back while their session lives on.
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

#define QRESYNC "CONDSTORE QRESYNC"

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->fake.capabilities =
		"IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT ENABLE QRESYNC UTF8=ACCEPT";
	fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
	return result;
}

static void wait_for_answer(struct borrower *b)
{
	while (b->ready + b->refused + b->failed == 0) {
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
}

static void ask_class(struct borrower *b, struct pool_rig *r, const char *class)
{
	borrower_init(b, r);
	b->request.enabled = span_str(class);
	borrower_ask(b, "right");
}

/* A ready loan of exactly this class. */
static void get_class(struct borrower *b, struct pool_rig *r, const char *class)
{
	ask_class(b, r, class);
	wait_for_answer(b);
	assert_int_equal(b->ready, 1);
	assert_true(span_is(loan_enabled(b->loan), class));
}

static const char *give_back(struct borrower *b, const char *class)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_give_back(&b->loan, span_str(class)));
	assert_null(b->loan);
	return said;
}

static void park_class(struct pool_rig *r, const char *class)
{
	struct borrower b;
	size_t before = pool_count(r->pool, BACKEND_PARKED);
	get_class(&b, r, class);
	before -= loan_is_reused(b.loan);
	assert_null(give_back(&b, class));
	pool_rig_wait(r, BACKEND_PARKED, before + 1);
	borrower_finish(&b);
}

static void finish(struct borrower *b)
{
	if (b->loan != NULL) {
		POOL_CALL(b->rig, loan_return(&b->loan, NULL, FAIL_CLIENT_LEFT));
	}
	borrower_finish(b);
}

static void test_enabled_on_a_new_one(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	get_class(&b, r, QRESYNC);
	assert_false(loan_is_reused(b.loan));
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE ENABLE "));
	assert_true(span_contains_nocase(
		buf_peek(&r->fake.connections[0].lines), " ENABLE CONDSTORE QRESYNC\r\n"));
	finish(&b);
}

static void test_enabled_on_a_parked_one(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_class(r, "");
	get_class(&b, r, QRESYNC);
	assert_true(loan_is_reused(b.loan));
	assert_int_equal(r->fake.count, 1);
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE NOOP ENABLE "));
	finish(&b);
}

static void test_same_class_again(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_class(r, QRESYNC);
	ask_class(&b, r, QRESYNC);
	assert_int_equal(b.ready, 1); /* at once */
	assert_true(loan_is_reused(b.loan));
	assert_true(span_is(loan_enabled(b.loan), QRESYNC));
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE ENABLE NOOP "));
	finish(&b);
}

/* The law: nobody gets what he did not ask for, and nobody less than that as if it were it. */
static void test_never_another_class(void **state)
{
	struct pool_rig *r = *state;
	static const char *const others[] = {"", "CONDSTORE", "UTF8=ACCEPT",
		"CONDSTORE QRESYNC UTF8=ACCEPT", "CONDSTORE QRESYNCX"};
	park_class(r, QRESYNC);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct borrower b;
		char before[128];
		snprintf(before, sizeof before, "* ENABLED %s\r\n", others[i]);
		fake_answer_with(&r->fake, "ENABLE", before, "OK done");
		get_class(&b, r, others[i]);
		assert_false(loan_is_reused(b.loan));
		assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
		finish(&b);
	}
}

static void test_exact_before_clean(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_class(r, QRESYNC);
	park_class(r, "");
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 2);
	ask_class(&b, r, QRESYNC);
	assert_int_equal(b.ready, 1);
	assert_int_equal(r->fake.count, 2);
	finish(&b);
}

/* What is not there is not enabled; the session hears of it by loan_enabled. */
static void test_servers_that_do_not_enable(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT";
	ask_class(&b, r, QRESYNC);
	wait_for_answer(&b);
	assert_int_equal(b.ready, 1);
	assert_true(span_is(loan_enabled(b.loan), ""));
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE "));
	finish(&b);
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT ENABLE";
	fake_answer_with(&r->fake, "ENABLE", "\r\n", "BAD Unrecognized command");
	ask_class(&b, r, QRESYNC);
	wait_for_answer(&b);
	assert_int_equal(b.ready, 1);
	assert_true(span_is(loan_enabled(b.loan), ""));
	/* And it is parked as what it is. */
	assert_null(give_back(&b, ""));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	ask_class(&b, r, "");
	assert_int_equal(b.ready, 1);
	finish(&b);
}

static void test_enabling_goes_wrong(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	/* On a new one the loan fails. */
	fake_answer_with(&r->fake, "ENABLE", "* BYE\r\n", "OK done");
	ask_class(&b, r, QRESYNC);
	wait_for_answer(&b);
	assert_int_equal(b.failed, 1);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
	/* On a parked one it is a new one's turn, unseen. */
	for (int i = 0; i < 3; i++) {
		static const char *const befores[] = {"* BYE\r\n", "* 1 EXISTS\r\n", "x OK\r\n"};
		fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
		park_class(r, "");
		fake_answer_with(&r->fake, "ENABLE", befores[i], "OK done");
		size_t count = r->fake.count;
		ask_class(&b, r, QRESYNC);
		while (r->fake.count == count) {
			uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
		}
		fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		assert_false(loan_is_reused(b.loan));
		assert_true(span_is(loan_enabled(b.loan), QRESYNC));
		finish(&b);
	}
}

static void test_enabling_is_not_answered(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "ENABLE");
	ask_class(&b, r, QRESYNC);
	pool_rig_wait(r, BACKEND_ENABLING, 1);
	clock_jump(POOL_SCRUB_MS + 100);
	looper_wait(&r->looper, &b.failed);
	assert_int_equal(b.why, FAIL_SIGNIN_TIMEOUT);
	borrower_finish(&b);
	/* Given up while it is on its way. */
	ask_class(&b, r, QRESYNC);
	pool_rig_wait(r, BACKEND_ENABLING, 1);
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

static void test_server_leaves_while_enabling(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "ENABLE");
	ask_class(&b, r, QRESYNC);
	pool_rig_wait(r, BACKEND_ENABLING, 1);
	fake_hang_up(&r->fake.connections[0]);
	looper_wait(&r->looper, &b.failed);
	assert_int_equal(b.why, FAIL_SERVER_LEFT);
	borrower_finish(&b);
}

/* The ENABLE of a client makes it another class. */
static void test_given_back_with_more(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	get_class(&b, r, "");
	/* Perhaps CONDSTORE was only used: it is made true. */
	fake_answer_with(&r->fake, "ENABLE", "* ENABLED CONDSTORE\r\n", "OK done");
	assert_null(give_back(&b, QRESYNC));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE ENABLE "));
	borrower_finish(&b);
	ask_class(&b, r, QRESYNC);
	assert_int_equal(b.ready, 1);
	/* Nothing that is enabled can be taken back. */
	assert_string_equal(give_back(&b, "CONDSTORE"), "class");
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

static void test_given_back_behind_a_barrier(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "NOOP");
	get_class(&b, r, "");
	assert_null(give_back(&b, ""));
	pool_rig_wait(r, BACKEND_SCRUBBING, 1);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 0);
	fake_say(&r->fake.connections[0], "x OK smuggled\r\n");
	fake_reply(&r->fake.connections[0], "OK done");
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* Known without a connection. */

static const char *known_as(struct pool_rig *r, const char *login, const char *password)
{
	struct borrower b;
	borrower_init(&b, r);
	struct credentials c = {.mechanism = MECHANISM_PLAIN};
	secret_set(&c.user, span_str("alice@example.org"));
	secret_set(&c.password, span_str(password));
	b.request.credentials = &c;
	b.request.login = span_str(login);
	const char *list;
	POOL_CALL(r, list = pool_known(r->pool, &b.request));
	credentials_drop(&c);
	borrower_finish(&b);
	return list;
}

static void test_known(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	assert_null(known_as(r, "alice", "right"));
	get_class(&b, r, "");
	/* Also while it is lent: somebody of the same user may be accepted without one. */
	assert_string_equal(known_as(r, "alice", "right"), r->fake.capabilities);
	assert_null(known_as(r, "alice", "wrong"));
	assert_null(known_as(r, "bob", "right"));
	assert_null(give_back(&b, ""));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	assert_string_equal(known_as(r, "alice", "right"), r->fake.capabilities);
	/* Not extended by use. */
	for (int i = 0; i < 3; i++) {
		clock_jump(r->config.pool.credential_ttl / 4);
		pool_rig_settle(r);
		assert_non_null(known_as(r, "alice", "right"));
		park_class(r, "");
	}
	clock_jump(r->config.pool.credential_ttl / 4 + 100);
	pool_rig_settle(r);
	assert_null(known_as(r, "alice", "right"));
}

static void test_known_no_longer_than_connections(void **state)
{
	struct pool_rig *r = *state;
	park_class(r, "");
	assert_non_null(known_as(r, "alice", "right"));
	fake_hang_up(&r->fake.connections[0]);
	pool_rig_wait(r, BACKEND_PARKED, 0);
	assert_null(known_as(r, "alice", "right"));
	park_class(r, "");
	r->config.pool.enabled = false;
	pool_rig_configure(r);
	assert_null(known_as(r, "alice", "right"));
}

/* A session that was accepted long ago gets what is parked under its proof; a new one does not. */
static void test_proved_sessions(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->config.pool.credential_ttl = 1000;
	pool_rig_configure(r);
	park_class(r, "");
	clock_jump(1100);
	pool_rig_settle(r);
	borrower_init(&b, r);
	b.request.is_proved = true;
	borrower_ask(&b, "right");
	assert_int_equal(b.ready, 1);
	assert_null(give_back(&b, ""));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	/* Another password is another session's proof. */
	borrower_init(&b, r);
	b.request.is_proved = true;
	borrower_ask(&b, "wrong");
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
	ask_class(&b, r, "");
	assert_int_equal(b.ready, 0);
	wait_for_answer(&b);
	assert_false(loan_is_reused(b.loan));
	finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_enabled_on_a_new_one),
		STORY(test_enabled_on_a_parked_one),
		STORY(test_same_class_again),
		STORY(test_never_another_class),
		STORY(test_exact_before_clean),
		STORY(test_servers_that_do_not_enable),
		STORY(test_enabling_goes_wrong),
		STORY(test_enabling_is_not_answered),
		STORY(test_server_leaves_while_enabling),
		STORY(test_given_back_with_more),
		STORY(test_given_back_behind_a_barrier),
		STORY(test_known),
		STORY(test_known_no_longer_than_connections),
		STORY(test_proved_sessions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
