/*
 * Spares: opened ahead, used by whoever signs in first, refilled with a brake. And connections that one
 * user has left by UNAUTHENTICATE, and what an operator flushes.
 */
#include "backend/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pki.h"
#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

#define QRESYNC "CONDSTORE QRESYNC"

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->config.pool.queue_timeout = 3000;
	return result;
}

static void want_spares(struct pool_rig *r, unsigned n)
{
	r->config.pool.spares = n;
	pool_rig_configure(r);
}

static size_t spares(const struct pool_rig *r)
{
	return pool_count(r->pool, BACKEND_SPARE);
}

static uint64_t counted(const struct pool_rig *r, enum counter which)
{
	return counter_get(&r->counters, which);
}

static void ask_as(struct borrower *b, struct pool_rig *r, const char *login, const char *password)
{
	borrower_init(b, r);
	b->request.login = span_str(login);
	borrower_ask(b, password);
}

static void wait_for_answer(struct borrower *b)
{
	while (b->ready + b->refused + b->failed == 0) {
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
}

static void get_as(struct borrower *b, struct pool_rig *r, const char *login)
{
	ask_as(b, r, login, "right");
	wait_for_answer(b);
	assert_int_equal(b->ready, 1);
}

static void hang_up(struct borrower *b)
{
	if (b->loan != NULL) {
		POOL_CALL(b->rig, loan_return(&b->loan, NULL, FAIL_CLIENT_LEFT));
	}
	borrower_finish(b);
}

static const char *give_back(struct borrower *b)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_give_back(&b->loan, loan_enabled(b->loan)));
	return said;
}

static void test_opened_ahead(void **state)
{
	struct pool_rig *r = *state;
	want_spares(r, 3);
	pool_rig_wait(r, BACKEND_SPARE, 3);
	assert_int_equal(r->fake.count, 3);
	/* Nothing was said: nobody knows yet who it is for. */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(buf_len(&r->fake.connections[i].lines), 0);
	}
}

/* One at a time: a server that is slow is not asked for all of them at once. */
static void test_one_dial_at_a_time(void **state)
{
	struct pool_rig *r = *state;
	r->fake.greeting = "";
	want_spares(r, 5);
	pool_rig_wait(r, BACKEND_SIGNIN, 1);
	pool_rig_jump(r, 10000);
	assert_int_equal(r->fake.count, 1);
	assert_int_equal(pool_rig_alive(r), 1);
}

static void test_taken_at_sign_in(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	ask_as(&b, r, "alice", "right");
	assert_int_equal(b.ready, 0);
	wait_for_answer(&b);
	assert_int_equal(b.ready, 1);
	assert_false(loan_is_reused(b.loan));
	struct fake_connection *c = &r->fake.connections[0];
	assert_true(fake_has_heard(c, "ID AUTHENTICATE "));
	/* Whose it is is told by the one who takes it. */
	assert_true(
		span_contains_nocase(buf_peek(&c->lines), "\"x-originating-ip\" \"192.0.2.7\""));
	assert_int_equal(counted(r, COUNTER_POOL_SPARES_USED), 1);
	assert_int_equal(counted(r, COUNTER_POOL_MISSES), 1);
	/* And the next one is opened. */
	pool_rig_wait(r, BACKEND_SPARE, 1);
	assert_int_equal(r->fake.count, 2);
	assert_null(give_back(&b));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	/* What is parked goes first. */
	get_as(&b, r, "alice");
	assert_true(loan_is_reused(b.loan));
	assert_int_equal(spares(r), 1);
	hang_up(&b);
}

static void test_a_wrong_password_uses_one_up(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	ask_as(&b, r, "alice", "wrong");
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	assert_true(r->fake.connections[0].has_left);
}

/* The dialogue ends before it begins: not from inside the call. */
static void test_no_way_to_sign_in(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.greeting = "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] no\r\n";
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	ask_as(&b, r, "alice", "right");
	assert_int_equal(b.failed, 0);
	wait_for_answer(&b);
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_SERVER_NO_MECHANISM);
	borrower_finish(&b);
}

static void test_given_up_at_once(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	ask_as(&b, r, "alice", "right");
	POOL_CALL(r, loan_cancel(&b.loan));
	borrower_finish(&b);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	assert_int_equal(buf_len(&r->fake.connections[0].lines), 0);
}

/* The server has closed it a moment ago: the borrower does not hear of it. */
static void test_taken_too_late(void **state)
{
	for (int how = 0; how < 3; how++) {
		struct pool_rig *r = *state;
		struct borrower b;
		want_spares(r, 1);
		pool_rig_wait(r, BACKEND_SPARE, 1);
		struct fake_connection *c = &r->fake.connections[r->fake.count - 1];
		if (how == 0) {
			fake_say(c, "* BYE Disconnected for inactivity.\r\n");
			fake_hang_up(c);
		} else if (how == 1) {
			fake_hang_up(c);
		} else {
			fake_reset(c);
		}
		/* Before the loop has heard of it. */
		ask_as(&b, r, "alice", "right");
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		hang_up(&b);
		pool_rig_settle(r);
		pool_rig_unmake(state);
		make(state);
	}
}

static void test_closed_by_the_server(void **state)
{
	struct pool_rig *r = *state;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	pool_rig_jump(r, 60000);
	fake_say(&r->fake.connections[0], "* BYE Autologout\r\n");
	fake_hang_up(&r->fake.connections[0]);
	while (r->fake.count < 2) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_wait(r, BACKEND_SPARE, 1);
	/* Words that do not matter do not matter. */
	fake_say(&r->fake.connections[1], "* OK still here\r\n");
	pool_rig_settle(r);
	assert_int_equal(spares(r), 1);
	assert_int_equal(r->fake.count, 2);
}

/* A server that wants none is left alone, longer each time. */
static void test_a_server_that_wants_none(void **state)
{
	struct pool_rig *r = *state;
	r->fake.greeting = "* BYE Too many connections\r\n";
	want_spares(r, 2);
	while (counted(r, COUNTER_BACKEND_DIAL_FAILURES) == 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_settle(r);
	assert_int_equal(r->fake.count, 1);
	uint64_t rest = 1000;
	for (size_t n = 2; n < 6; n++) {
		pool_rig_jump(r, rest - 100);
		assert_int_equal(r->fake.count, n - 1);
		pool_rig_jump(r, 200);
		while (counted(r, COUNTER_BACKEND_DIAL_FAILURES) < n) {
			uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
		}
		rest *= 2;
	}
	/* It is well again when somebody could sign in. */
	struct borrower b;
	r->fake.greeting = NULL;
	get_as(&b, r, "alice");
	hang_up(&b);
	pool_rig_wait(r, BACKEND_SPARE, 2);
}

static void test_nobody_listens(void **state)
{
	struct pool_rig *r = *state;
	fake_refuse(&r->fake);
	want_spares(r, 2);
	while (counted(r, COUNTER_BACKEND_DIAL_FAILURES) == 0) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_settle(r);
	assert_int_equal(counted(r, COUNTER_BACKEND_DIALS), 1);
	assert_int_equal(pool_rig_alive(r), 0);
}

static void test_age(void **state)
{
	struct pool_rig *r = *state;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	pool_rig_jump(r, POOL_SPARE_AGE_MS - 1000);
	assert_int_equal(r->fake.count, 1);
	pool_rig_jump(r, 1600);
	while (r->fake.count < 2) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_rig_wait(r, BACKEND_SPARE, 1);
	assert_true(fake_has_heard(&r->fake.connections[0], "LOGOUT "));
}

static void test_fewer_are_wanted(void **state)
{
	struct pool_rig *r = *state;
	want_spares(r, 4);
	pool_rig_wait(r, BACKEND_SPARE, 4);
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	r->config.pool.enabled = false;
	pool_rig_configure(r);
	pool_rig_wait(r, BACKEND_SPARE, 0);
	r->config.pool.enabled = true;
	pool_rig_configure(r);
	pool_rig_wait(r, BACKEND_SPARE, 1);
}

static void test_a_share_of_them(void **state)
{
	struct pool_rig *r = *state;
	r->config.pool.spares = 5;
	POOL_CALL(r, pool_configure(r->pool, &r->config, NULL, 4));
	pool_rig_wait(r, BACKEND_SPARE, 2);
}

static void test_a_changed_server(void **state)
{
	struct pool_rig *r = *state;
	static char name[] = "renamed";
	struct config_backend changed = r->fake.config;
	want_spares(r, 2);
	pool_rig_wait(r, BACKEND_SPARE, 2);
	size_t count = r->fake.count;
	changed.name = name;
	r->config.backends = &changed;
	pool_rig_configure(r);
	assert_int_equal(spares(r), 0);
	pool_rig_wait(r, BACKEND_SPARE, 2);
	assert_int_equal(r->fake.count, count + 2);
	/* Back again, before the other one is gone. */
	r->config.backends = &r->fake.config;
	pool_rig_configure(r);
	pool_rig_wait(r, BACKEND_SPARE, 2);
}

/* They are connections: counted, and given up for whoever needs one. */
static void test_within_the_budget(void **state)
{
	struct pool_rig *r = *state;
	struct borrower held[2];
	struct borrower b;
	r->fake.config.max_connections = 2;
	want_spares(r, 5);
	pool_rig_wait(r, BACKEND_SPARE, 2);
	pool_rig_jump(r, 5000);
	assert_int_equal(r->fake.most_open, 2);
	get_as(&held[0], r, "alice");
	get_as(&held[1], r, "bob");
	ask_as(&b, r, "carol", "right");
	pool_rig_jump(r, 1500);
	hang_up(&held[0]);
	wait_for_answer(&b);
	assert_int_equal(b.ready, 1);
	assert_int_equal(r->fake.most_open, 2);
	hang_up(&held[1]);
	hang_up(&b);
}

static void test_given_up_for_other_workers(void **state)
{
	struct pool_rig *r = *state;
	struct counters counters = {0};
	r->fake.config.max_connections = 1;
	want_spares(r, 1);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	struct pool *here = r->pool;
	struct pool *there = pool_create(&r->looper.loop, &counters, r->budget);
	r->config.pool.spares = 0;
	pool_configure(there, &r->config, NULL, 2);
	struct borrower b;
	r->pool = there;
	ask_as(&b, r, "alice", "right");
	r->pool = here;
	pool_rig_settle(r);
	assert_int_equal(b.ready, 0);
	POOL_CALL(r, pool_make_room(here));
	wait_for_answer(&b);
	assert_int_equal(b.ready, 1);
	assert_int_equal(r->fake.most_open, 1);
	hang_up(&b);
	pool_drain(there);
	while (!pool_is_empty(there)) {
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
	pool_destroy(&there);
}

/* TLS is done ahead, too. */
static void test_tls(void **state)
{
	struct pki pki;
	struct pki_config pki_config;
	struct config_errors *errors = &pki_config.errors;
	static char name[] = "mail.example.org";
	pki_init(&pki);
	pki_issue(&pki, "mail", "DNS:mail.example.org", -1, 1);
	pki_configure(&pki, &pki_config, "mail");
	struct tls_context *server = tls_context_create_server(&pki_config.config, errors);
	struct tls_context *client = tls_context_create_client(&pki_config.backend, errors);
	for (int mode = TLS_STARTTLS; mode <= TLS_IMPLICIT; mode++) {
		struct pool_rig *r = *state;
		struct borrower b;
		r->fake.config.tls = (enum tls_mode)mode;
		r->fake.config.server_name = name;
		r->fake.tls = server;
		r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT STARTTLS";
		r->config.pool.spares = 1;
		POOL_CALL(r, pool_configure(r->pool, &r->config, &client, 1));
		pool_rig_wait(r, BACKEND_SPARE, 1);
		borrower_init(&b, r);
		b.request.tls = client;
		borrower_ask(&b, "right");
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		assert_true(stream_is_tls(loan_stream(b.loan)));
		assert_int_equal(counted(r, COUNTER_POOL_SPARES_USED), 1);
		hang_up(&b);
		pool_rig_unmake(state);
		make(state);
	}
	tls_context_unref(&server);
	tls_context_unref(&client);
	pki_config_finish(&pki_config);
	pki_finish(&pki);
}

/* UNAUTHENTICATE. */

static int make_leaving(void **state)
{
	int result = make(state);
	struct pool_rig *r = *state;
	r->fake.capabilities =
		"IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT ENABLE QRESYNC UNAUTHENTICATE";
	fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
	fake_answer(
		&r->fake, "UNAUTHENTICATE", "OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] bye");
	r->fake.config.unauthenticate = true;
	pool_rig_configure(r);
	return result;
}

#define LEAVING(test) cmocka_unit_test_setup_teardown(test, make_leaving, pool_rig_unmake)

static void test_user_after_user(void **state)
{
	struct pool_rig *r = *state;
	static const char *const logins[] = {"alice", "bob", "alice", "carol"};
	for (size_t i = 0; i < 4; i++) {
		struct borrower b;
		borrower_init(&b, r);
		b.request.login = span_str(logins[i]);
		b.request.enabled = span_str(i == 1 ? QRESYNC : "");
		borrower_ask(&b, "right");
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		assert_true(span_is(loan_enabled(b.loan), i == 1 ? QRESYNC : ""));
		assert_false(loan_is_reused(b.loan));
		assert_null(give_back(&b));
		pool_rig_wait(r, BACKEND_SPARE, 1);
		borrower_finish(&b);
	}
	assert_int_equal(r->fake.count, 1);
	/* Each was signed in by the server itself, behind an ID of his own. */
	assert_int_equal(r->fake.signed_in, 4);
	assert_true(fake_has_heard(&r->fake.connections[0],
		"ID AUTHENTICATE UNAUTHENTICATE ID AUTHENTICATE ENABLE UNAUTHENTICATE "
		"ID AUTHENTICATE UNAUTHENTICATE ID AUTHENTICATE UNAUTHENTICATE "));
	assert_int_equal(counted(r, COUNTER_POOL_UNAUTHENTICATED), 4);
	/* Nobody's proof outlives his connections: a wrong password is the server's to judge. */
	struct borrower b;
	ask_as(&b, r, "alice", "wrong");
	wait_for_answer(&b);
	assert_int_equal(b.refused, 1);
	borrower_finish(&b);
}

/* What UNAUTHENTICATE may leave behind (Cyrus keeps NOTIFY), or nobody knows: not tried. */
static void test_not_left_after_what_is_sticky(void **state)
{
	static const char *const lines[] = {
		"a NOTIFY NONE\r\n", "a LANGUAGE de\r\n", "a XWHATEVER\r\n"};
	struct pool_rig *r = *state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct borrower b;
		borrower_link(&b, r, "right");
		borrower_say(&b, lines[i]);
		borrower_hear(&b, "a OK done\r\n");
		assert_non_null(borrower_return(&b, FAIL_LOGOUT));
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
		struct span said = buf_peek(&r->fake.connections[i].heard);
		assert_false(span_contains_nocase(said, "UNAUTHENTICATE"));
		borrower_finish(&b);
	}
}

/* Cyrus loses what stands behind AUTHENTICATE, and does what stood before it once more. */
static void test_nothing_behind_authenticate(void **state)
{
	struct pool_rig *r = *state;
	for (int is_left = 0; is_left < 2; is_left++) {
		struct borrower b;
		fake_silence(&r->fake, "AUTHENTICATE");
		borrower_init(&b, r);
		b.request.enabled = span_str(QRESYNC);
		borrower_ask(&b, "right");
		pool_rig_wait(r, BACKEND_SIGNIN, 1);
		pool_rig_settle(r);
		const char *heard =
			is_left ? "ID AUTHENTICATE ENABLE UNAUTHENTICATE ID AUTHENTICATE "
				: "ID AUTHENTICATE ";
		assert_true(fake_has_heard(&r->fake.connections[0], heard));
		fake_answer(&r->fake, "AUTHENTICATE", NULL);
		fake_reply(&r->fake.connections[0], "OK [CAPABILITY IMAP4rev1 ENABLE QRESYNC "
						    "UNAUTHENTICATE] Welcome");
		wait_for_answer(&b);
		assert_int_equal(b.ready, 1);
		assert_null(give_back(&b));
		pool_rig_wait(r, BACKEND_SPARE, 1);
		borrower_finish(&b);
	}
	assert_int_equal(r->fake.count, 1);
}

/* Behind a session with its tracker. */
static void test_left_with_a_mailbox_open(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	borrower_say(&b, "a SELECT INBOX\r\n");
	borrower_hear(&b, "a OK done\r\n");
	fake_answer_with(&r->fake, "UNAUTHENTICATE", "* 3 EXISTS\r\n* 1 FETCH (FLAGS ())\r\n",
		"OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] bye");
	assert_null(borrower_return(&b, FAIL_LOGOUT));
	pool_rig_wait(r, BACKEND_SPARE, 1);
	borrower_finish(&b);
	get_as(&b, r, "bob");
	assert_int_equal(r->fake.count, 1);
	hang_up(&b);
}

static void test_capabilities_are_asked_for(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_answer(&r->fake, "UNAUTHENTICATE", "OK bye");
	get_as(&b, r, "alice");
	assert_null(give_back(&b));
	pool_rig_wait(r, BACKEND_SPARE, 1);
	borrower_finish(&b);
	assert_true(fake_has_heard(
		&r->fake.connections[0], "ID AUTHENTICATE UNAUTHENTICATE CAPABILITY "));
	get_as(&b, r, "bob");
	assert_int_equal(r->fake.count, 1);
	hang_up(&b);
}

/* It has listed what it refuses: who knows what else is not as it says. */
static void test_refused_to_leave(void **state)
{
	static const char *const answers[] = {"BAD Unrecognized command", "NO not now"};
	struct pool_rig *r = *state;
	for (size_t i = 0; i < 4; i++) {
		struct borrower b;
		fake_answer(&r->fake, "UNAUTHENTICATE", answers[i % 2]);
		if (i < 2) {
			get_as(&b, r, "alice");
			assert_null(give_back(&b));
		} else {
			borrower_link(&b, r, "right");
			borrower_say(&b, "a SELECT INBOX\r\n");
			borrower_hear(&b, "a OK done\r\n");
			assert_null(borrower_return(&b, FAIL_LOGOUT));
		}
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
		/* Nothing behind it, but a goodbye. */
		assert_true(fake_has_heard(
			&r->fake.connections[i], i < 2 ? "ID AUTHENTICATE UNAUTHENTICATE "
						       : "ID AUTHENTICATE SELECT UNAUTHENTICATE "));
		borrower_finish(&b);
	}
	assert_int_equal(counted(r, COUNTER_POOL_DISCARD_BARRIER), 4);
}

static void test_not_where_it_is_not_wanted(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	for (int i = 0; i < 2; i++) {
		r->fake.config.unauthenticate = i == 0;
		r->fake.capabilities = i == 0 ? "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT"
					      : "IMAP4rev1 SASL-IR AUTH=PLAIN UNAUTHENTICATE";
		pool_rig_configure(r);
		get_as(&b, r, i == 0 ? "alice" : "bob");
		assert_null(give_back(&b));
		pool_rig_wait(r, BACKEND_PARKED, (size_t)i + 1);
		borrower_finish(&b);
	}
}

/* Whatever else is in the stream: nobody gets this connection. */
static void test_leaving_goes_wrong(void **state)
{
	static const struct {
		const char *before, *text;
	} rows[] = {
		{"x OK smuggled\r\n", "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] bye"},
		{"* BYE\r\n", "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] bye"},
		{"+ go on\r\n", "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] bye"},
		{NULL, "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] bye\r\n* 1 EXISTS"},
		{NULL, "MAYBE"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_answer_with(&r->fake, "UNAUTHENTICATE", rows[i].before, rows[i].text);
		get_as(&b, r, "alice");
		assert_null(give_back(&b));
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
		borrower_finish(&b);
	}
}

static void test_leaving_is_not_answered(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "UNAUTHENTICATE");
	get_as(&b, r, "alice");
	assert_null(give_back(&b));
	pool_rig_wait(r, BACKEND_SCRUBBING, 1);
	pool_rig_jump(r, POOL_SCRUB_MS + 100);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
	/* Nor are the capabilities. */
	fake_answer(&r->fake, "UNAUTHENTICATE", "OK bye");
	fake_silence(&r->fake, "CAPABILITY");
	get_as(&b, r, "alice");
	assert_null(give_back(&b));
	pool_rig_wait(r, BACKEND_SIGNIN, 1);
	pool_rig_jump(r, 61000);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* Not more than may be parked. */
static void test_not_too_many_left(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 5 };
	struct borrower b[MANY];
	r->config.pool.max_idle = 2;
	pool_rig_configure(r);
	for (size_t i = 0; i < MANY; i++) {
		get_as(&b[i], r, "alice");
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_null(give_back(&b[i]));
		borrower_finish(&b[i]);
	}
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	assert_int_equal(spares(r), 2);
}

/* Flushed by an operator. */

static void test_flush(void **state)
{
	struct pool_rig *r = *state;
	struct borrower lent;
	struct borrower b;
	size_t closed;
	get_as(&lent, r, "alice");
	static const char *const logins[] = {"alice", "bob", "carol"};
	for (size_t i = 0; i < 3; i++) {
		get_as(&b, r, logins[i]);
		give_back(&b);
		pool_rig_wait(r, BACKEND_PARKED, i + 1);
		borrower_finish(&b);
	}
	POOL_CALL(r, closed = pool_flush(r->pool, "elsewhere", NULL).connections);
	assert_int_equal(closed, 0);
	POOL_CALL(r, closed = pool_flush(r->pool, "fake", "dave").connections);
	assert_int_equal(closed, 0);
	POOL_CALL(r, closed = pool_flush(r->pool, NULL, "alice").connections);
	assert_int_equal(closed, 1);
	pool_rig_wait(r, BACKEND_PARKED, 2);
	/* What is lent goes on, and not beyond its session; the password is asked again. */
	assert_string_equal(give_back(&lent), "purged");
	borrower_finish(&lent);
	ask_as(&b, r, "alice", "right");
	assert_int_equal(b.ready, 0);
	wait_for_answer(&b);
	assert_false(loan_is_reused(b.loan));
	hang_up(&b);
	POOL_CALL(r, closed = pool_flush(r->pool, "fake", NULL).connections);
	assert_int_equal(closed, 2);
	want_spares(r, 2);
	pool_rig_wait(r, BACKEND_SPARE, 2);
	POOL_CALL(r, closed = pool_flush(r->pool, NULL, "alice").connections);
	assert_int_equal(closed, 0);
	POOL_CALL(r, closed = pool_flush(r->pool, NULL, NULL).connections);
	assert_int_equal(closed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_opened_ahead),
		STORY(test_one_dial_at_a_time),
		STORY(test_taken_at_sign_in),
		STORY(test_a_wrong_password_uses_one_up),
		STORY(test_no_way_to_sign_in),
		STORY(test_given_up_at_once),
		STORY(test_taken_too_late),
		STORY(test_closed_by_the_server),
		STORY(test_a_server_that_wants_none),
		STORY(test_nobody_listens),
		STORY(test_age),
		STORY(test_fewer_are_wanted),
		STORY(test_a_share_of_them),
		STORY(test_a_changed_server),
		STORY(test_within_the_budget),
		STORY(test_given_up_for_other_workers),
		STORY(test_tls),
		LEAVING(test_user_after_user),
		LEAVING(test_not_left_after_what_is_sticky),
		LEAVING(test_nothing_behind_authenticate),
		LEAVING(test_left_with_a_mailbox_open),
		LEAVING(test_capabilities_are_asked_for),
		LEAVING(test_refused_to_leave),
		LEAVING(test_not_where_it_is_not_wanted),
		LEAVING(test_leaving_goes_wrong),
		LEAVING(test_leaving_is_not_answered),
		LEAVING(test_not_too_many_left),
		STORY(test_flush),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
