/*
 * From the end of a session to the next one of the same user: what is cleaned, what is kept, for how
 * long, and for whom. Nothing of one session may reach another (law 1).
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, pool_rig_make, pool_rig_unmake)

static struct fake_connection *newest(struct pool_rig *r)
{
	assert_true(r->fake.count > 0);
	return &r->fake.connections[r->fake.count - 1];
}

static uint64_t counted(const struct pool_rig *r, enum counter which)
{
	return counter_get(&r->counters, which);
}

/* A session that says something, hears the answers, and ends. */
static void live(struct pool_rig *r, const char *says, const char *hears)
{
	struct borrower b;
	borrower_link(&b, r, "right");
	borrower_say(&b, says);
	borrower_hear(&b, hears);
	borrower_return(&b, FAIL_CLIENT_LEFT);
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	borrower_finish(&b);
}

/* A session whose connection was there already, or not. */
static void expect_reuse(struct pool_rig *r, bool is_reused)
{
	struct borrower b;
	borrower_link(&b, r, "right");
	assert_int_equal(b.is_reused, is_reused);
	borrower_say(&b, "z NOOP\r\n");
	borrower_hear(&b, "z OK done\r\n");
	borrower_finish(&b);
	pool_rig_settle(r);
}

static void test_parked_and_lent_again(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_park(r, "right");
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE NOOP "));
	assert_int_equal(counted(r, COUNTER_POOL_PARKED), 1);
	/* The next one is ready at once: the server is not asked. */
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	assert_int_equal(b.ready, 1);
	assert_true(loan_is_reused(b.loan));
	assert_true(span_is(loan_capabilities(b.loan), r->fake.capabilities));
	assert_int_equal(pool_count(r->pool, BACKEND_LENT), 1);
	assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 0);
	assert_int_equal(counted(r, COUNTER_POOL_HITS), 1);
	assert_int_equal(counted(r, COUNTER_POOL_MISSES), 1);
	pool_rig_settle(r);
	assert_int_equal(r->fake.count, 1);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE NOOP "));
	POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	/* And a third, the hundredth time. */
	for (int i = 0; i < 100; i++) {
		borrower_park(r, "right");
	}
	assert_int_equal(r->fake.count, 2);
}

/* What brings it back, by what the session has done. */
static void test_scrubs(void **state)
{
	static const struct {
		const char *says, *hears, *verbs, *capabilities;
	} rows[] = {
		{"a NOOP\r\n", "a OK done\r\n", "NOOP NOOP ", NULL},
		{"a SELECT INBOX\r\n", "a OK done\r\n", "SELECT UNSELECT ", NULL},
		{"a SELECT INBOX\r\n", "a OK done\r\n", "SELECT EXAMINE CLOSE ",
			"IMAP4rev1 AUTH=PLAIN SASL-IR ID"},
		{"a SELECT INBOX\r\n", "a OK done\r\n", "SELECT UNSELECT ",
			"IMAP4rev1 AUTH=PLAIN SASL-IR ID IMAP4rev2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_rig *r = *state;
		char verbs[128];
		if (rows[i].capabilities != NULL) {
			r->fake.capabilities = rows[i].capabilities;
		}
		live(r, rows[i].says, rows[i].hears);
		snprintf(verbs, sizeof verbs, "ID AUTHENTICATE %s", rows[i].verbs);
		assert_true(fake_has_heard(newest(r), verbs));
		assert_int_equal(pool_count(r->pool, BACKEND_PARKED), 1);
		expect_reuse(r, true);
		assert_int_equal(pool_rig_alive(r), 0);
	}
}

/* What was enabled, or used, is the connection's class: a clean session gets another one. */
static void test_parked_in_their_class(void **state)
{
	static const struct {
		const char *says, *hears, *verbs;
	} rows[] = {
		{"a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\r\na OK done\r\n", "ENABLE NOOP "},
		{"a SELECT INBOX (CONDSTORE)\r\n", "a OK done\r\n", "SELECT UNSELECT ENABLE "},
		{"a STATUS INBOX (HIGHESTMODSEQ)\r\n", "a OK done\r\n", "STATUS ENABLE "},
	};
	struct pool_rig *r = *state;
	r->fake.capabilities = "IMAP4rev1 AUTH=PLAIN SASL-IR ID UNSELECT ENABLE CONDSTORE";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char verbs[128];
		fake_answer_with(
			&r->fake, "ENABLE", i == 0 ? "* ENABLED QRESYNC\r\n" : "", "OK done");
		live(r, rows[i].says, rows[i].hears);
		snprintf(verbs, sizeof verbs, "ID AUTHENTICATE %s", rows[i].verbs);
		assert_true(fake_has_heard(newest(r), verbs));
		assert_int_equal(pool_count(r->pool, BACKEND_PARKED), i == 0 ? 1 : 2);
		expect_reuse(r, false);
	}
}

/* A server that will not enable what it was believed to have: nobody's. */
static void test_no_class_without_enable(void **state)
{
	struct pool_rig *r = *state;
	/* Courier says OK to an ENABLE of what it has not. */
	live(r, "a STATUS INBOX (HIGHESTMODSEQ)\r\n", "a OK done\r\n");
	assert_int_equal(pool_rig_alive(r), 0);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE STATUS "));
	r->fake.capabilities = "IMAP4rev1 AUTH=PLAIN SASL-IR ID UNSELECT QRESYNC";
	fake_answer(&r->fake, "ENABLE", "BAD Unknown command");
	live(r, "a STATUS INBOX (HIGHESTMODSEQ)\r\n", "a OK done\r\n");
	assert_int_equal(pool_rig_alive(r), 0);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE STATUS ENABLE "));
	assert_int_equal(counted(r, COUNTER_POOL_DISCARDED), 2);
}

/* L1: what cannot be taken back is not kept. */
static void test_dirty_ones_are_closed(void **state)
{
	static const char *const dirty[] = {"a ENABLE \"QRESYNC\"\r\n", "a NOTIFY SET (x)\r\n",
		"a SELECT INBOX (QRESYNC (1 2))\r\n", "a XUNKNOWN\r\n"};
	for (size_t i = 0; i < sizeof dirty / sizeof *dirty; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		borrower_link(&b, r, "right");
		borrower_say(&b, dirty[i]);
		borrower_hear(&b, "a OK done\r\n");
		assert_non_null(borrower_return(&b, FAIL_LOGOUT));
		assert_int_equal(pool_rig_alive(r), 0);
		pool_rig_settle(r);
		assert_true(newest(r)->has_left);
		assert_int_equal(counted(r, COUNTER_POOL_DISCARDED), i + 1);
		borrower_finish(&b);
	}
}

/* A session that ended in a bad way says so by giving no tracker. */
static void test_returned_without_tracker(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	tracker_destroy(&b.tracker);
	assert_string_equal(borrower_return(&b, FAIL_SERVER_LEFT), "server-left");
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* L4: a command that was sent in part. */
static void test_half_sent_commands(void **state)
{
	static const char *const halves[] = {
		"a APPEND INBOX {500}\r\n", "a APPEND INBOX {5+}\r\n", "a SEARCH SUBJECT {3}\r\n"};
	for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_silence(&r->fake, "APPEND");
		fake_silence(&r->fake, "SEARCH");
		borrower_link(&b, r, "right");
		borrower_say(&b, halves[i]);
		pool_rig_settle(r);
		assert_string_equal(borrower_return(&b, FAIL_CLIENT_LEFT), "half-sent");
		assert_int_equal(pool_rig_alive(r), 0);
		borrower_finish(&b);
	}
}

/* A line that has not been passed on yet is no harm: the server knows nothing of it. */
static void test_half_a_line(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	borrower_say(&b, "a NOO");
	assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
	pool_rig_wait(r, BACKEND_PARKED, 1);
	borrower_finish(&b);
	expect_reuse(r, true);
}

/* L3: what was asked for and not yet answered is waited for and thrown away. */
static void test_answers_in_flight(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "FETCH");
	borrower_link(&b, r, "right");
	borrower_say(&b, "a FETCH 1 BODY[]\r\nb FETCH 2 BODY[]\r\n");
	pool_rig_settle(r);
	assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	fake_say(newest(r), "* 1 FETCH (BODY[] {8}\r\nsecret\r\n)\r\na OK done\r\n* 2 FET");
	pool_rig_settle(r);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE FETCH FETCH "));
	/* A session that comes meanwhile does not get this one. */
	expect_reuse(r, false);
	fake_say(&r->fake.connections[0], "CH (BODY[] {8}\r\nsecret\r\n)\r\nb OK done\r\n");
	pool_rig_wait(r, BACKEND_PARKED, 1);
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE FETCH FETCH NOOP "));
	expect_reuse(r, true);
}

/* IDLE is ended on the client's behalf. */
static void test_left_in_idle(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_answer_with(&r->fake, "IDLE", "+ idling\r\n", NULL);
	borrower_link(&b, r, "right");
	borrower_say(&b, "a SELECT INBOX\r\n");
	borrower_hear(&b, "a OK done\r\n");
	borrower_say(&b, "b IDLE\r\n");
	borrower_hear(&b, "+ idling\r\n");
	assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	pool_rig_settle(r);
	struct span lines = buf_peek(&newest(r)->lines);
	assert_true(span_is(span_slice(lines, lines.n - 6, lines.n), "DONE\r\n"));
	fake_say(newest(r), "* 5 EXISTS\r\nb OK Idle completed\r\n");
	pool_rig_wait(r, BACKEND_PARKED, 1);
	expect_reuse(r, true);
}

/* Waiting has its bounds. */
static void test_drains_not_for_ever(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "FETCH");
	borrower_link(&b, r, "right");
	borrower_say(&b, "a FETCH 1 BODY[]\r\n");
	pool_rig_settle(r);
	assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	pool_rig_settle(r);
	pool_rig_jump(r, POOL_DRAIN_MS - 200);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	pool_rig_jump(r, 300);
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	assert_int_equal(pool_rig_alive(r), 0);
}

static void test_drains_not_without_bound(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "FETCH");
	borrower_link(&b, r, "right");
	borrower_say(&b, "a FETCH 1 BODY[]\r\n");
	pool_rig_settle(r);
	assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
	borrower_finish(&b);
	fake_say(newest(r), "* 1 FETCH (BODY[] {1000000}\r\n");
	static char much[4096];
	memset(much, 'x', sizeof much - 1);
	size_t said = 0;
	while (pool_rig_alive(r) > 0) {
		fake_say(newest(r), much);
		said += sizeof much;
		assert_true(said < (size_t)3 * POOL_DRAIN_BYTES + NET_READ_SIZE);
		looper_spin(&r->looper, 2);
	}
	assert_true(said > POOL_DRAIN_BYTES / 2);
}

/* What comes to light only while the answers are waited for. */
static void test_drains_dirt(void **state)
{
	static const char *const texts[] = {
		"x OK smuggled\r\na OK done\r\n",
		"* ENABLED QRESYNC\r\na OK done\r\n",
		"* BYE bye\r\n",
		"* VANISHED 3\r\na OK done\r\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_silence(&r->fake, "CHECK");
		borrower_link(&b, r, "right");
		borrower_say(&b, "a CHECK\r\n");
		pool_rig_settle(r);
		assert_null(borrower_return(&b, FAIL_CLIENT_LEFT));
		borrower_finish(&b);
		fake_say(newest(r), texts[i]);
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
	}
}

/* Without UNSELECT the name must be known; one that was sent as a literal is not. */
static bool take_select(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "SELECT {")) {
		fake_say(c, "+ go on\r\n");
		return true;
	}
	if (span_is(line, "INBOX")) {
		fake_say(c, "a OK selected\r\n");
		return true;
	}
	return false;
}

static void test_no_way_back_to_unselected(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN";
	r->fake.on_line = take_select;
	borrower_link(&b, r, "right");
	borrower_say(&b, "a SELECT {5}\r\n");
	borrower_hear(&b, "+ go on\r\n");
	borrower_say(&b, "INBOX\r\n");
	borrower_hear(&b, "a OK selected\r\n");
	assert_non_null(borrower_return(&b, FAIL_LOGOUT));
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

/* The barrier: anything but exactly our answer. */
static void test_scrubs_that_fail(void **state)
{
	static const struct {
		const char *before, *text;
	} rows[] = {
		{NULL, "NO no"},
		{NULL, "BAD bad"},
		{"b OK ENABLE completed\r\n", "OK done"}, /* a smuggled command's reply */
		{"+ go on\r\n", "OK done"},
		{"* BYE bye\r\n", "OK done"},
		{NULL, "OK done\r\n* 1 EXISTS"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_answer_with(&r->fake, "NOOP", rows[i].before, rows[i].text);
		borrower_link(&b, r, "right");
		assert_null(borrower_return(&b, FAIL_LOGOUT));
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
		assert_int_equal(counted(r, COUNTER_POOL_PARKED), 0);
		borrower_finish(&b);
	}
}

static void test_scrub_is_not_answered(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_silence(&r->fake, "NOOP");
	borrower_link(&b, r, "right");
	assert_null(borrower_return(&b, FAIL_LOGOUT));
	borrower_finish(&b);
	pool_rig_settle(r);
	pool_rig_jump(r, POOL_SCRUB_MS - 500);
	assert_int_equal(pool_count(r->pool, BACKEND_SCRUBBING), 1);
	pool_rig_jump(r, 600);
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	assert_int_equal(pool_rig_alive(r), 0);
}

static void test_server_leaves_while_scrubbed(void **state)
{
	for (int is_reset = 0; is_reset < 2; is_reset++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_silence(&r->fake, "NOOP");
		borrower_link(&b, r, "right");
		assert_null(borrower_return(&b, FAIL_LOGOUT));
		borrower_finish(&b);
		pool_rig_settle(r);
		(is_reset ? fake_reset : fake_hang_up)(newest(r));
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_rig_alive(r), 0);
	}
}

/* The last answer and more in one segment, when LOGOUT has waited for it. */
static void test_bytes_behind_the_last_answer(void **state)
{
	static const struct {
		const char *text;
		bool is_kept;
	} rows[] = {
		{"OK done\r\n* OK still here", true}, /* the server may say this any time */
		{"OK done\r\n* OK still h", true},    /* and its rest comes with the next segment */
		{"OK done\r\nx OK what", false},      /* nobody asked */
		{"OK done\r\n* BYE bye", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_rig *r = *state;
		struct borrower b;
		bool is_cut = i == 1;
		fake_silence(&r->fake, "STATUS");
		borrower_link(&b, r, "right");
		borrower_say(&b, "a STATUS INBOX (MESSAGES)\r\nb LOGOUT\r\n");
		pool_rig_settle(r);
		assert_int_equal(b.logouts, 0);
		snprintf(newest(r)->tag, sizeof newest(r)->tag, "a");
		if (is_cut) {
			fake_silence(&r->fake, "NOOP");
			fake_say(newest(r), "a OK done\r\n* OK still h");
		} else {
			fake_reply(newest(r), rows[i].text);
		}
		pool_rig_settle(r);
		assert_int_equal(b.logouts, 1);
		assert_null(b.kept);
		if (is_cut) {
			fake_say(newest(r), "ere\r\n");
			fake_reply(newest(r), "OK done");
			fake_behave(&r->fake);
		}
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		assert_int_equal(pool_count(r->pool, BACKEND_PARKED), rows[i].is_kept);
		borrower_finish(&b);
		expect_reuse(r, rows[i].is_kept);
	}
}

/* S7: the client goes at each byte of a session; the next session sees what it asked for. */
static const char recorded[] = "a SELECT INBOX\r\n"
			       "b FETCH 1:* (FLAGS)\r\nc STATUS x (MESSAGES)\r\n"
			       "d APPEND INBOX {10}\r\nhello\r\nyou\r\n"
			       "e LOGIN {3+}\r\nx y z\r\n"
			       "f IDLE\r\nDONE\r\n"
			       "g SEARCH {3+}\r\nABC TEXT \"x\"\r\n"
			       "h CLOSE\r\n";

static bool take_literals(struct fake_connection *c, struct span line)
{
	if (span_starts_nocase(line, "DONE")) {
		fake_say(c, "f OK idled\r\n");
		return true;
	}
	if (span_contains_nocase(line, "IDLE") || span_find(line, '{') < line.n) {
		fake_say(c, "+ go on\r\n");
		return true;
	}
	if (span_is(line, "you")) { /* and the line end behind the literal */
		fake_say(c, "d OK appended\r\n");
		return true;
	}
	if (span_starts_nocase(line, "ABC")) {
		fake_say(c, "g OK found\r\n");
		return true;
	}
	return span_is(line, "hello");
}

static void test_gone_at_each_byte(void **state)
{
	struct pool_rig *r = *state;
	size_t parked = 0;
	for (size_t cut = 0; cut < sizeof recorded; cut++) {
		struct borrower b;
		char says[sizeof recorded];
		memcpy(says, recorded, cut);
		r->fake.on_line = take_literals;
		borrower_link(&b, r, "right");
		/* A byte at a time, with time for the server in between at each line's end. */
		for (size_t i = 0; i < cut && b.loan != NULL; i++) {
			char one[2] = {says[i]};
			borrower_say(&b, one);
			if (says[i] == '\n') {
				looper_spin(&r->looper, 4);
			}
		}
		if (b.loan != NULL) {
			borrower_return(&b, FAIL_CLIENT_LEFT);
		}
		borrower_finish(&b);
		pool_rig_wait(r, BACKEND_SCRUBBING, 0);
		parked += pool_count(r->pool, BACKEND_PARKED);
		r->fake.on_line = NULL;
		borrower_link(&b, r, "right");
		borrower_say(&b, "z NOOP\r\n");
		borrower_hear(&b, "z OK done\r\n");
		borrower_finish(&b);
		pool_rig_settle(r);
		if (r->fake.count > FAKE_CONNECTIONS_MAX - 4) {
			pool_rig_unmake(state);
			pool_rig_make(state);
			r = *state;
		}
	}
	assert_true(parked > sizeof recorded / 3);
	assert_true(parked < sizeof recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_parked_and_lent_again),
		STORY(test_scrubs),
		STORY(test_parked_in_their_class),
		STORY(test_no_class_without_enable),
		STORY(test_dirty_ones_are_closed),
		STORY(test_returned_without_tracker),
		STORY(test_half_sent_commands),
		STORY(test_half_a_line),
		STORY(test_answers_in_flight),
		STORY(test_left_in_idle),
		STORY(test_drains_not_for_ever),
		STORY(test_drains_not_without_bound),
		STORY(test_drains_dirt),
		STORY(test_no_way_back_to_unselected),
		STORY(test_scrubs_that_fail),
		STORY(test_scrub_is_not_answered),
		STORY(test_server_leaves_while_scrubbed),
		STORY(test_bytes_behind_the_last_answer),
		STORY(test_gone_at_each_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
