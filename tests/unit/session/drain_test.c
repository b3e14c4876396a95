/*
 * The ends of a worker: sessions that end in peace, sessions that are ended now, clients on their way to
 * another worker. Whatever happens, on_drained comes, once everything has gone.
 */
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/session_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, session_rig_make, session_rig_unmake)

#define SHUTDOWN "* BYE [UNAVAILABLE] Server is shutting down\r\n"

static struct fake_connection *newest(struct session_rig *r)
{
	assert_true(r->fake.count > 0);
	return &r->fake.connections[r->fake.count - 1];
}

static void drain_both(struct session_rig *r)
{
	session_host_drain(&r->hosts[0]);
	session_host_drain(&r->hosts[1]);
	/* Never from inside the call. */
	assert_int_equal(r->drained[0] + r->drained[1], 0);
}

static void test_nothing_to_drain(void **state)
{
	struct session_rig *r = *state;
	drain_both(r);
	session_rig_wait(r, &r->drained[0]);
	session_rig_wait(r, &r->drained[1]);
}

static void test_before_the_sign_in(void **state)
{
	for (size_t listener = SESSION_RIG_PLAIN; listener <= SESSION_RIG_TLS; listener++) {
		struct session_rig *r = *state;
		struct caller c;
		caller_connect(&c, r, 0, listener);
		caller_greet(&c);
		caller_say(&c, "a LOG");
		session_rig_settle(r);
		drain_both(r);
		caller_hear_the_end(&c);
		caller_hear_exactly(&c, SHUTDOWN);
		caller_finish(&c);
		session_rig_wait(r, &r->drained[0]);
		session_rig_unmake(state);
		session_rig_make(state);
	}
}

/* A handshake has no room for words. */
static void test_in_the_handshake(void **state)
{
	struct session_rig *r = *state;
	int fds[2];
	struct peer silent;
	peer_init(&silent);
	looper_tcp_pair(fds);
	session_accept(&r->hosts[0], fds[0], SESSION_RIG_TLS);
	peer_start(&silent, &r->loopers[0], fds[1], NULL);
	session_rig_settle(r);
	drain_both(r);
	session_rig_wait(r, &silent.ended);
	assert_int_equal(silent.seen, 0);
	peer_finish(&silent, &r->loopers[0]);
	session_rig_wait(r, &r->drained[0]);
}

static void test_quiet_sessions_end_at_once(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	struct caller idle;
	fake_answer_with(&r->fake, "IDLE", "+ idling\r\n", NULL);
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_connect(&idle, r, 0, SESSION_RIG_TLS);
	caller_sign_in(&idle, r->users[0], "right");
	caller_say(&idle, "b SELECT INBOX\r\n");
	caller_hear_exactly(&idle, "b OK done\r\n");
	caller_say(&idle, "c IDLE\r\n");
	caller_hear_exactly(&idle, "+ idling\r\n");
	drain_both(r);
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, SHUTDOWN);
	caller_hear_the_end(&idle);
	caller_hear_exactly(&idle, SHUTDOWN);
	caller_finish(&c);
	caller_finish(&idle);
	session_rig_wait(r, &r->drained[0]);
}

/* A command that is under way is answered first; what is pipelined behind it is not begun for ever. */
static void test_commands_in_flight_are_answered(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	fake_silence(&r->fake, "FETCH");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b FETCH 1 BODY[]\r\n");
	session_rig_settle(r);
	drain_both(r);
	session_rig_settle(r);
	assert_int_equal(c.peer.ended, 0);
	assert_int_equal(r->drained[0], 0);
	fake_say(newest(r), "* 1 FETCH (BODY[] {5}\r\nhello)\r\nb OK done\r\n");
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, "* 1 FETCH (BODY[] {5}\r\nhello)\r\nb OK done\r\n" SHUTDOWN);
	caller_finish(&c);
	session_rig_wait(r, &r->drained[0]);
}

/* Somebody who waits for his answer gets it, and then his goodbye. */
static void test_while_waiting(void **state)
{
	for (int is_wrong = 0; is_wrong < 2; is_wrong++) {
		struct session_rig *r = *state;
		struct caller c;
		char text[128];
		fake_silence(&r->fake, "AUTHENTICATE");
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_greet(&c);
		snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[0]);
		caller_say(&c, text);
		session_rig_settle(r);
		session_rig_settle(r);
		drain_both(r);
		session_rig_settle(r);
		assert_int_equal(c.peer.ended, 0);
		if (is_wrong) {
			fake_reply(newest(r), "NO [AUTHENTICATIONFAILED] no");
			session_rig_settle(r);
			session_rig_jump(r, 2100);
			caller_hear_the_end(&c);
			caller_hear_exactly(&c, "a NO [AUTHENTICATIONFAILED] Authentication "
						"failed.\r\n" SHUTDOWN);
		} else {
			fake_reply(newest(r), "OK [CAPABILITY IMAP4rev1] in");
			caller_hear_the_end(&c);
			assert_true(span_contains_nocase(buf_peek(&c.peer.in), "a OK ["));
			caller_hear(&c, "] Logged in\r\n" SHUTDOWN);
		}
		caller_finish(&c);
		session_rig_wait(r, &r->drained[0]);
		session_rig_unmake(state);
		session_rig_make(state);
	}
}

static void test_server_unavailable_while_draining(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	char text[128];
	fake_silence(&r->fake, "AUTHENTICATE");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_greet(&c);
	snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[0]);
	caller_say(&c, text);
	session_rig_settle(r);
	session_rig_settle(r);
	drain_both(r);
	fake_hang_up(newest(r));
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, "a NO [UNAVAILABLE] Server closed the connection\r\n" SHUTDOWN);
	caller_finish(&c);
	session_rig_wait(r, &r->drained[0]);
}

/* Parked connections say goodbye to their servers. */
static void test_parked_connections(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b LOGOUT\r\n");
	caller_hear_the_end(&c);
	caller_finish(&c);
	session_rig_settle(r);
	assert_int_equal(session_rig_count(r, BACKEND_PARKED), 1);
	drain_both(r);
	session_rig_wait(r, &r->drained[0]);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE NOOP LOGOUT "));
}

/* On the way between two workers when the end begins: nobody is lost in a list. */
static void test_parcel_on_its_way(void **state)
{
	for (int drops = 0; drops < 2; drops++) {
		struct session_rig *r = *state;
		struct caller c;
		char text[128];
		r->keeps_parcels = true;
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_greet(&c);
		snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[1]);
		caller_say(&c, text);
		for (int i = 0; i < 100 && r->parcels[1].len == 0; i++) {
			session_rig_settle(r);
		}
		assert_int_equal(r->parcels[1].len, 1);
		drain_both(r);
		session_rig_wait(r, &r->drained[0]);
		assert_int_equal(guard_clients(r->guard), 1);
		struct list_node *node = list_pop_front(&r->parcels[1]);
		if (drops) {
			session_parcel_drop(session_parcel_of(node));
		} else {
			session_adopt(&r->hosts[1], session_parcel_of(node));
		}
		assert_int_equal(guard_clients(r->guard), 0);
		caller_hear_the_end(&c);
		caller_finish(&c);
		session_rig_wait(r, &r->drained[1]);
		session_rig_unmake(state);
		session_rig_make(state);
	}
}

/* Now: goodbyes leave, nobody is waited for. */
static void test_stopped(void **state)
{
	struct session_rig *r = *state;
	struct caller before;
	struct caller waiting;
	struct caller linked;
	struct caller busy;
	char text[128];
	fake_silence(&r->fake, "FETCH");
	caller_connect(&before, r, 0, SESSION_RIG_TLS);
	caller_greet(&before);
	caller_connect(&linked, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&linked, r->users[0], "right");
	caller_connect(&busy, r, 0, SESSION_RIG_TLS);
	caller_sign_in(&busy, r->users[0], "right");
	caller_say(&busy, "b FETCH 1 BODY[]\r\n");
	session_rig_settle(r);
	fake_silence(&r->fake, "AUTHENTICATE");
	caller_connect(&waiting, r, 0, SESSION_RIG_PLAIN);
	caller_greet(&waiting);
	snprintf(text, sizeof text, "a LOGIN %s other\r\n", r->users[0]);
	caller_say(&waiting, text);
	session_rig_settle(r);
	session_rig_settle(r);
	session_host_stop(&r->hosts[0]);
	session_host_stop(&r->hosts[0]);
	struct caller *all[] = {&before, &waiting, &linked, &busy};
	for (int i = 0; i < 4; i++) {
		caller_hear_the_end(all[i]);
		caller_hear_exactly(all[i], SHUTDOWN);
	}
	/* They do not close their side; it is over all the same. */
	session_rig_settle(r);
	session_rig_jump(r, 3000);
	session_rig_wait(r, &r->drained[0]);
	for (int i = 0; i < 4; i++) {
		caller_finish(all[i]);
	}
}

static void test_stopped_behind_a_drain(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	fake_silence(&r->fake, "FETCH");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b FETCH 1 BODY[]\r\n");
	session_rig_settle(r);
	drain_both(r);
	session_rig_settle(r);
	assert_int_equal(r->drained[0], 0);
	session_host_stop(&r->hosts[0]);
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, SHUTDOWN);
	caller_finish(&c);
	session_rig_jump(r, 3000);
	session_rig_wait(r, &r->drained[0]);
}

/* Clients in every stage, some of them gone, some carried; then the end, drained or stopped. */
static void test_in_the_middle_of_everything(void **state)
{
	enum { CROWD = 16 };
	srand(7);
	for (int round = 0; round < 24; round++) {
		struct session_rig *r = *state;
		struct caller c[CROWD];
		fake_silence(&r->fake, "FETCH");
		for (int i = 0; i < CROWD; i++) {
			char text[128];
			caller_connect(&c[i], r, (unsigned)rand() % 2, (size_t)rand() % 2);
			looper_spin(&r->loopers[rand() % 2], rand() % 4);
			snprintf(text, sizeof text, "a LOGIN %s %s\r\nb NOOP\r\n%s",
				r->users[rand() % 2], rand() % 4 == 0 ? "wrong" : "right",
				rand() % 3 == 0 ? "c FETCH 1 X\r\n" : "d LOGOUT\r\n");
			caller_say(&c[i], text);
		}
		for (int i = rand() % 12; i > 0; i--) {
			int victim = rand() % CROWD;
			session_rig_settle(r);
			if (rand() % 3 == 0 && c[victim].peer.stream != NULL) {
				caller_hang_up(&c[victim]);
			}
		}
		session_host_drain(&r->hosts[0]);
		session_host_drain(&r->hosts[1]);
		if (rand() % 2 == 0) {
			session_rig_settle(r);
			session_host_stop(&r->hosts[0]);
			session_host_stop(&r->hosts[1]);
		}
		for (int i = 0; i < CROWD; i++) {
			caller_finish(&c[i]);
		}
		session_rig_unmake(state);
		session_rig_make(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_nothing_to_drain),
		STORY(test_before_the_sign_in),
		STORY(test_in_the_handshake),
		STORY(test_quiet_sessions_end_at_once),
		STORY(test_commands_in_flight_are_answered),
		STORY(test_while_waiting),
		STORY(test_server_unavailable_while_draining),
		STORY(test_parked_connections),
		STORY(test_parcel_on_its_way),
		STORY(test_stopped),
		STORY(test_stopped_behind_a_drain),
		STORY(test_in_the_middle_of_everything),
	};
	return cmocka_run_group_tests(tests, session_rig_init, session_rig_fini);
}
