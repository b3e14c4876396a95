/*
 * Sessions from the first byte to the last, over two hosts: sign-in, carry, relay, limits. What the
 * parts do is tested with the parts; here it is how they are joined.
 */
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/session_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, session_rig_make, session_rig_unmake)

#define AUTH_FAILED "NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"

struct census {
	const struct session_rig *rig;
	enum backend_state state;
	size_t count;
};

static bool is_counted(void *arg)
{
	const struct census *c = arg;
	return session_rig_count(c->rig, c->state) == c->count;
}

static void wait_count(struct session_rig *r, enum backend_state state, size_t count)
{
	session_rig_until(r, is_counted, &(struct census){r, state, count});
	session_rig_settle(r);
	assert_int_equal(session_rig_count(r, state), count);
}

static bool is_gone(void *arg)
{
	const struct session_rig *r = arg;
	return r->hosts[0].sessions.len + r->hosts[1].sessions.len == 0;
}

static void wait_gone(struct session_rig *r)
{
	session_rig_until(r, is_gone, r);
	assert_int_equal(guard_clients(r->guard), 0);
}

static struct fake_connection *newest(struct session_rig *r)
{
	assert_true(r->fake.count > 0);
	return &r->fake.connections[r->fake.count - 1];
}

static void test_a_whole_session(void **state)
{
	struct session_rig *r = *state;
	for (size_t listener = SESSION_RIG_PLAIN; listener <= SESSION_RIG_TLS; listener++) {
		struct caller c;
		caller_connect(&c, r, 0, listener);
		caller_sign_in(&c, r->users[0], "right");
		caller_say(&c, "b NOOP\r\n");
		caller_hear_exactly(&c, "b OK done\r\n");
		caller_say(&c, "c LOGOUT\r\n");
		caller_hear_exactly(&c, "* BYE Logging out\r\nc OK Logout completed.\r\n");
		caller_hear_the_end(&c);
		caller_finish(&c);
		wait_gone(r);
		wait_count(r, BACKEND_PARKED, listener + 1);
	}
	assert_int_equal(session_rig_counted(r, COUNTER_SIGNINS_OK), 2);
	assert_int_equal(session_rig_counted(r, COUNTER_CLIENTS_ACCEPTED), 2);
	assert_int_equal(session_rig_counted(r, COUNTER_CARRIED), 0);
	assert_true(session_rig_counted(r, COUNTER_BYTES_TO_SERVERS) > 0);
}

/* Accepted on the one worker, at home on the other; what is pipelined behind arrives once, in order. */
static void test_carried_home(void **state)
{
	struct session_rig *r = *state;
	for (size_t listener = SESSION_RIG_PLAIN; listener <= SESSION_RIG_TLS; listener++) {
		for (unsigned at = 0; at < SESSION_RIG_HOSTS; at++) {
			struct caller c;
			char text[256];
			const char *user = r->users[1 - at];
			caller_connect(&c, r, at, listener);
			caller_greet(&c);
			snprintf(text, sizeof text,
				"a LOGIN %s right\r\nb NOOP\r\nc APPEND x {3}\r\n", user);
			fake_answer(&r->fake, "APPEND", NULL);
			caller_say(&c, text);
			caller_hear(&c, "b OK done\r\n");
			assert_int_equal(r->hosts[at].sessions.len, 0);
			assert_int_equal(r->hosts[1 - at].sessions.len, 1);
			assert_int_equal(guard_clients(r->guard), 1);
			assert_int_equal(pool_count(r->hosts[1 - at].pool, BACKEND_LENT), 1);
			session_rig_settle(r);
			assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE NOOP APPEND "));
			caller_finish(&c);
			wait_gone(r);
			wait_count(r, BACKEND_LENT, 0);
		}
	}
	assert_int_equal(session_rig_counted(r, COUNTER_CARRIED), 4);
	assert_int_equal(session_rig_counted(r, COUNTER_CLIENTS_ACCEPTED), 4);
}

/* At every byte of what is sent, the read is cut; on the way, and when it is there. */
static void test_carried_at_each_byte(void **state)
{
	struct session_rig *r = *state;
	char text[256];
	int n = snprintf(text, sizeof text,
		"a LOGIN {%zu+}\r\n%s \"right\"\r\nb NAMESPACE\r\nc NAMESPACE\r\n",
		strlen(r->users[1]), r->users[1]);
	for (int cut = 1; cut < n; cut++) {
		struct caller c;
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_greet(&c);
		peer_say_bytes(&c.peer, span_of(text, (size_t)cut));
		looper_spin(&r->loopers[0], cut % 5);
		peer_say_bytes(&c.peer, span_of(text + cut, (size_t)(n - cut)));
		caller_hear(&c, "] Logged in\r\nb OK done\r\nc OK done\r\n");
		caller_say(&c, "d LOGOUT\r\n");
		caller_hear_the_end(&c);
		caller_finish(&c);
		wait_gone(r);
		wait_count(r, BACKEND_PARKED, 1);
	}
	/* All the same connection: each session left it clean. */
	assert_int_equal(r->fake.count, 1);
	assert_int_equal(session_rig_counted(r, COUNTER_POOL_HITS), (unsigned)n - 2);
}

static void test_refused_at_home_and_elsewhere(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	char text[128];
	caller_connect(&c, r, 0, SESSION_RIG_TLS);
	caller_greet(&c);
	/* Carried, refused there, and then somebody else, who lives where it began. */
	for (int round = 0; round < 2; round++) {
		snprintf(text, sizeof text, "a%d LOGIN %s wrong\r\n", round, r->users[1 - round]);
		caller_say(&c, text);
		session_rig_settle(r);
		session_rig_settle(r);
		session_rig_jump(r, 2100);
		snprintf(text, sizeof text, "a%d " AUTH_FAILED, round);
		caller_hear_exactly(&c, text);
		assert_int_equal(guard_clients(r->guard), 1);
	}
	snprintf(text, sizeof text, "b LOGIN %s right\r\nc NOOP\r\n", r->users[1]);
	caller_say(&c, text);
	caller_hear(&c, "c OK done\r\n");
	assert_int_equal(session_rig_counted(r, COUNTER_CARRIED), 3);
	assert_int_equal(session_rig_counted(r, COUNTER_SIGNINS_FAILED), 2);
	caller_finish(&c);
}

/* S22: whether there is such a user is not to be learned, from words or from waiting. */
static void test_no_route_is_a_wrong_password(void **state)
{
	static const char *const names[] = {"nobody", NULL};
	for (int i = 0; i < 2; i++) {
		struct session_rig *r = *state;
		struct caller c;
		char text[128];
		const char *user = names[i] != NULL ? names[i] : r->users[0];
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_greet(&c);
		snprintf(text, sizeof text, "a LOGIN %s wrong\r\n", user);
		caller_say(&c, text);
		session_rig_settle(r);
		session_rig_settle(r);
		/* The server's answer is here; nobody is told. */
		session_rig_jump(r, 1500);
		assert_int_equal(buf_len(&c.peer.in), 0);
		session_rig_jump(r, 600);
		caller_hear_exactly(&c, "a " AUTH_FAILED);
		caller_finish(&c);
		wait_gone(r);
	}
}

static void test_gone_before_the_refusal(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_greet(&c);
	caller_say(&c, "a LOGIN nobody x\r\n");
	session_rig_settle(r);
	caller_finish(&c);
	session_rig_jump(r, 2100);
	wait_gone(r);
	assert_int_equal(session_rig_counted(r, COUNTER_SIGNINS_FAILED), 1);
}

static void test_server_not_there_and_there_again(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	char text[128];
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_greet(&c);
	r->fake.greeting = "* BYE too busy\r\n";
	snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[0]);
	caller_say(&c, text);
	caller_hear_exactly(&c, "a NO [UNAVAILABLE] Server is not available\r\n");
	r->fake.greeting = NULL;
	caller_say(&c, text);
	caller_hear(&c, "] Logged in\r\n");
	caller_finish(&c);
}

/* Limits. */

static void test_clients_of_one_address(void **state)
{
	struct session_rig *r = *state;
	struct caller c[3];
	session_rig_renew(r, "limits = { clients_per_ip = 2; };");
	for (unsigned i = 0; i < 3; i++) {
		caller_connect(&c[i], r, i % 2, SESSION_RIG_PLAIN);
	}
	caller_hear_exactly(&c[2], "* BYE [LIMIT] Too many connections from your address\r\n");
	caller_hear_the_end(&c[2]);
	assert_int_equal(guard_clients(r->guard), 2);
	assert_int_equal(session_rig_counted(r, COUNTER_CLIENTS_REFUSED), 1);
	for (int i = 0; i < 3; i++) {
		caller_finish(&c[i]);
	}
	wait_gone(r);
}

static void test_sessions_of_one_user(void **state)
{
	struct session_rig *r = *state;
	struct caller c[2];
	struct caller other;
	char text[128];
	session_rig_renew(r, "limits = { sessions_per_user = 1; };");
	caller_connect(&c[0], r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c[0], r->users[0], "right");
	caller_connect(&c[1], r, 1, SESSION_RIG_PLAIN);
	caller_greet(&c[1]);
	snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[0]);
	caller_say(&c[1], text);
	caller_hear_exactly(&c[1], "a NO [LIMIT] Too many sessions of this user\r\n");
	/* What is proved is not asked at the server again, and costs no connection. */
	assert_int_equal(r->fake.count, 1);
	/* What is not is, and what it opened is kept. */
	caller_connect(&other, r, 0, SESSION_RIG_TLS);
	caller_greet(&other);
	caller_say(&other, text);
	caller_hear_exactly(&other, "a NO [LIMIT] Too many sessions of this user\r\n");
	wait_count(r, BACKEND_PARKED, 1);
	assert_int_equal(r->fake.count, 2);
	caller_finish(&other);
	/* Wrong passwords use up nothing, and the place is free when the first has gone. */
	caller_say(&c[0], "z LOGOUT\r\n");
	caller_hear_the_end(&c[0]);
	caller_finish(&c[0]);
	session_rig_settle(r);
	caller_say(&c[1], text);
	caller_hear(&c[1], "] Logged in\r\n");
	caller_finish(&c[1]);
	wait_gone(r);
}

/* A client that was reset before anybody looked has no address any more; it is counted out all the same. */
static void test_reset_before_it_was_accepted(void **state)
{
	struct session_rig *r = *state;
	for (int i = 0; i < 5; i++) {
		int fds[2];
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		looper_tcp_pair(fds);
		setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(fds[1]);
		session_accept(&r->hosts[i % 2], fds[0], SESSION_RIG_PLAIN);
	}
	session_rig_settle(r);
	wait_gone(r);
}

/* The relay. */

/* The server never asks for the literal; the client gives up, unread. */
static void test_gone_while_the_server_is_silent(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	fake_silence(&r->fake, "APPEND");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b APPEND x {3+}\r\nabc\r\n");
	session_rig_settle(r);
	session_rig_jump(r, 61000);
	assert_int_equal(r->hosts[0].sessions.len, 1);
	caller_hang_up(&c);
	session_rig_settle(r);
	assert_int_equal(r->hosts[0].sessions.len, 1);
	session_rig_jump(r, 61000);
	wait_gone(r);
	assert_int_equal(session_rig_count(r, BACKEND_LENT), 0);
	caller_finish(&c);
}

static void test_idle_timeout(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	session_rig_jump(r, 1800000);
	/* The connection went back long ago; that the client speaks is what counts. */
	caller_say(&c, "b NOOP\r\n");
	caller_hear_exactly(&c, "b OK NOOP completed.\r\n");
	session_rig_jump(r, 1800000);
	session_rig_settle(r);
	assert_int_equal(c.peer.ended, 0);
	session_rig_jump(r, 61000);
	caller_hear_exactly(&c, "* BYE Idle for too long\r\n");
	caller_hear_the_end(&c);
	caller_finish(&c);
	wait_gone(r);
}

static void test_server_says_bye(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	fake_say(newest(r), "* BYE Server shutting down.\r\n");
	fake_hang_up(newest(r));
	/* Once, in the server's words. */
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, "* BYE Server shutting down.\r\n");
	caller_finish(&c);
	wait_gone(r);
	assert_int_equal(session_rig_count(r, BACKEND_PARKED), 0);
}

static void test_server_leaves_without_a_word(void **state)
{
	for (int is_reset = 0; is_reset < 2; is_reset++) {
		struct session_rig *r = *state;
		struct caller c;
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_sign_in(&c, r->users[0], "right");
		(is_reset ? fake_reset : fake_hang_up)(newest(r));
		caller_hear_the_end(&c);
		caller_hear_exactly(&c, "* BYE [UNAVAILABLE] Server closed the connection\r\n");
		caller_finish(&c);
		wait_gone(r);
	}
}

/* Inside a literal a BYE would become part of a mail. */
static void test_server_leaves_inside_a_literal(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	fake_silence(&r->fake, "FETCH");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b FETCH 1 BODY[]\r\n");
	session_rig_settle(r);
	fake_say(newest(r), "* 1 FETCH (BODY[] {100}\r\nhalf of it");
	session_rig_settle(r);
	fake_hang_up(newest(r));
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, "* 1 FETCH (BODY[] {100}\r\nhalf of it");
	caller_finish(&c);
}

/* A literal waits for the server's word; what is behind it waits too, and is not lost. */
static bool take_append(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "APPEND")) {
		assert_true(span_is(line, "b APPEND INBOX {5}")); /* no smuggling: synchronising */
		c->fake->arg = c;
		return true;
	}
	if (span_is(line, "hello")) {
		fake_reply(c, "OK appended");
		return true;
	}
	return false;
}

static void test_literals_wait(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	r->fake.on_line = take_append;
	caller_connect(&c, r, 0, SESSION_RIG_TLS);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b APPEND INBOX {5+}\r\nhello\r\nc NOOP\r\nd LOGOUT\r\n");
	session_rig_settle(r);
	session_rig_settle(r);
	assert_non_null(r->fake.arg);
	assert_true(fake_has_heard(newest(r), "ID AUTHENTICATE APPEND "));
	fake_say(newest(r), "+ go on\r\n");
	caller_hear_exactly(&c, "b OK appended\r\nc OK done\r\n* BYE Logging out\r\n"
				"d OK Logout completed.\r\n");
	caller_hear_the_end(&c);
	caller_finish(&c);
	wait_count(r, BACKEND_PARKED, 1);
}

/* A client that leaves the protocol in the middle of a command ends its session, and the connection. */
static void test_client_breaks_the_rules(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	fake_answer_with(&r->fake, "SEARCH", "+ go on\r\n", NULL);
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	caller_say(&c, "b SEARCH SUBJECT {3}\r\n");
	caller_hear_exactly(&c, "+ go on\r\n");
	caller_say(&c, "abc x{9+}\r\n");
	caller_hear_exactly(&c, "* BYE Protocol error\r\n");
	caller_hear_the_end(&c);
	caller_finish(&c);
	wait_gone(r);
	wait_count(r, BACKEND_LENT, 0);
	assert_int_equal(session_rig_count(r, BACKEND_PARKED), 0);
}

/* Out of descriptors in the one moment in which a carry needs one: this client ends, nobody else. */
static void test_no_descriptor_for_the_carry(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	struct caller other;
	char text[128];
	struct rlimit before;
	caller_connect(&other, r, 1, SESSION_RIG_PLAIN);
	caller_sign_in(&other, r->users[1], "right");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_greet(&c);
	int lowest = dup(STDERR_FILENO);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &before);
	setrlimit(RLIMIT_NOFILE,
		&(struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max});
	snprintf(text, sizeof text, "a LOGIN %s right\r\n", r->users[1]);
	caller_say(&c, text);
	caller_hear_the_end(&c);
	setrlimit(RLIMIT_NOFILE, &before);
	caller_finish(&c);
	caller_say(&other, "b NOOP\r\n");
	caller_hear_exactly(&other, "b OK done\r\n");
	caller_finish(&other);
	wait_gone(r);
}

/* Much data, and a reader that stops: it costs the high marks, and not a byte is lost. */
enum { MUCH = 20 * 1024 * 1024 }; /* the kernel alone may hold 16 MB on two ways */

static char *make_much(void)
{
	char *much = malloc(MUCH + 1);
	for (size_t i = 0; i < MUCH; i++) {
		much[i] = (char)('a' + i % 23);
	}
	much[MUCH] = '\0';
	return much;
}

struct pour {
	struct session_rig *rig;
	const char *much;
	size_t said;
	struct stream *into;
};

/* Pours until the way is full to the pourer himself; true when nothing moves any more. */
static void pour(struct pour *p, size_t high)
{
	int still = 0;
	while (p->said < MUCH && still < 50) {
		if (stream_pending(p->into) < high) {
			size_t n = MUCH - p->said < 65536 ? MUCH - p->said : 65536;
			stream_write(p->into, span_of(p->much + p->said, n));
			p->said += n;
			still = 0;
		} else {
			still++;
		}
		session_rig_settle(p->rig);
	}
}

struct has {
	const struct buf *buf;
	size_t n;
};

static bool has_bytes(void *arg)
{
	const struct has *h = arg;
	return buf_len(h->buf) >= h->n;
}

static void test_client_that_stops_reading(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	char *much = make_much();
	fake_silence(&r->fake, "FETCH");
	caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&c, r->users[0], "right");
	stream_pause(c.peer.stream);
	caller_say(&c, "b FETCH 1 BODY[]\r\n");
	session_rig_settle(r);
	char head[64];
	int n = snprintf(head, sizeof head, "* 1 FETCH (BODY[] {%d}\r\n", MUCH);
	fake_say(newest(r), head);
	struct pour p = {.rig = r, .much = much, .into = newest(r)->stream};
	pour(&p, STREAM_LOW_WATER);
	/* The kernel holds some on each of two ways, the session no more than its marks. */
	assert_true(p.said < MUCH);
	stream_resume(c.peer.stream);
	while (p.said < MUCH) {
		pour(&p, STREAM_LOW_WATER);
	}
	fake_say(newest(r), ")\r\nb OK done\r\n");
	size_t all = (size_t)n + MUCH + strlen(")\r\nb OK done\r\n");
	session_rig_until(r, has_bytes, &(struct has){&c.peer.in, all});
	struct span heard = buf_peek(&c.peer.in);
	assert_int_equal(heard.n, all);
	assert_true(
		span_equal(span_slice(heard, (size_t)n, (size_t)n + MUCH), span_of(much, MUCH)));
	assert_int_equal(session_rig_counted(r, COUNTER_BYTES_TO_CLIENTS), all);
	caller_say(&c, "c LOGOUT\r\n");
	caller_hear_the_end(&c);
	caller_finish(&c);
	wait_count(r, BACKEND_PARKED, 1);
	free(much);
}

static bool say_go_on(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "APPEND")) {
		fake_say(c, "+ go on\r\n");
		return true;
	}
	return false;
}

static void test_server_that_stops_reading(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	char *much = make_much();
	r->fake.on_line = say_go_on;
	caller_connect(&c, r, 0, SESSION_RIG_TLS);
	caller_sign_in(&c, r->users[0], "right");
	char head[64];
	snprintf(head, sizeof head, "b APPEND INBOX {%d}\r\n", MUCH);
	caller_say(&c, head);
	caller_hear_exactly(&c, "+ go on\r\n");
	struct fake_connection *server = newest(r);
	struct stream *stream = server->stream;
	buf_clear(&server->lines);
	/* As octets, not as lines: the fake's own line buffer is smaller. */
	struct peer sink;
	peer_init(&sink);
	sink.opened = 1;
	sink.stream = stream;
	stream_set_owner(stream, &peer_events, &sink);
	stream_pause(stream);
	struct pour p = {.rig = r, .much = much, .into = c.peer.stream};
	pour(&p, STREAM_LOW_WATER);
	assert_true(p.said < MUCH);
	stream_resume(stream);
	while (p.said < MUCH) {
		pour(&p, STREAM_LOW_WATER);
	}
	caller_say(&c, "\r\n");
	session_rig_until(r, has_bytes, &(struct has){&sink.in, MUCH + 2});
	assert_true(span_equal(span_slice(buf_peek(&sink.in), 0, MUCH), span_of(much, MUCH)));
	stream_write(stream, span_str("b OK done\r\n"));
	caller_hear_exactly(&c, "b OK done\r\n");
	caller_finish(&c);
	session_rig_settle(r);
	stream_close(stream, 0);
	session_rig_wait(r, &sink.closed);
	server->stream = NULL;
	buf_finish(&sink.in);
	free(much);
}

/* Reload: the living go on as they began, the next begin anew. */
static void test_renewed(void **state)
{
	struct session_rig *r = *state;
	struct caller old;
	struct caller young;
	caller_connect(&old, r, 0, SESSION_RIG_PLAIN);
	caller_sign_in(&old, r->users[0], "right");
	session_rig_renew(r,
		"limits = { line = 1000; };\ncapabilities = { probe = 0; hide = ( \"IDLE\" ); };");
	caller_connect(&young, r, 0, SESSION_RIG_PLAIN);
	session_rig_until(r, has_bytes, &(struct has){&young.peer.in, 20});
	assert_false(span_contains_nocase(buf_peek(&young.peer.in), "IDLE"));
	caller_sign_in(&young, r->users[0], "right");
	char line[2000] = "b STATUS ";
	memset(line + 9, 'x', 1500);
	memcpy(line + 1509, " (MESSAGES)\r\n", 14);
	caller_say(&old, line);
	caller_hear_exactly(&old, "b OK done\r\n");
	caller_say(&young, line);
	caller_hear_exactly(&young, "b BAD Command line too long\r\n");
	caller_finish(&old);
	caller_finish(&young);
	wait_gone(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_a_whole_session),
		STORY(test_carried_home),
		STORY(test_carried_at_each_byte),
		STORY(test_refused_at_home_and_elsewhere),
		STORY(test_no_route_is_a_wrong_password),
		STORY(test_gone_before_the_refusal),
		STORY(test_server_not_there_and_there_again),
		STORY(test_clients_of_one_address),
		STORY(test_sessions_of_one_user),
		STORY(test_reset_before_it_was_accepted),
		STORY(test_gone_while_the_server_is_silent),
		STORY(test_idle_timeout),
		STORY(test_server_says_bye),
		STORY(test_server_leaves_without_a_word),
		STORY(test_server_leaves_inside_a_literal),
		STORY(test_literals_wait),
		STORY(test_client_breaks_the_rules),
		STORY(test_no_descriptor_for_the_carry),
		STORY(test_client_that_stops_reading),
		STORY(test_server_that_stops_reading),
		STORY(test_renewed),
	};
	return cmocka_run_group_tests(tests, session_rig_init, session_rig_fini);
}
