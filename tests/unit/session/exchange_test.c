/*
 * Sign-ins in which server and client talk to each other through a session, and everything that can end
 * such a talk at the wrong moment. The mechanism is XOAUTH2; what is talked about does not matter here.
 */
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../proxy/session/session_priv.h"
#include "imap/base64.h"
#include "lib/scratch.h"
#include "lib/session_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, session_rig_unmake)

#define CHALLENGE   "+ e30=\r\n"
#define REFUSED     "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
#define SHUTDOWN    "* BYE [UNAVAILABLE] Server is shutting down\r\n"
#define UNAVAILABLE "a NO [UNAVAILABLE] Server closed the connection\r\n"

static bool judge(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "AUTHENTICATE XOAUTH2")) {
		fake_say(c, CHALLENGE);
		if (c->fake->arg != NULL) {
			fake_reply(c, "NO [AUTHENTICATIONFAILED] x");
		}
		return true;
	}
	if (span_is(line, "") || span_is(line, "Z29vZA==")) {
		fake_reply(c,
			line.n > 0 ? "OK [CAPABILITY IMAP4rev1] x" : "NO [AUTHENTICATIONFAILED] x");
		return true;
	}
	return false;
}

static int make(void **state)
{
	int result = session_rig_make(state);
	struct session_rig *r = *state;
	session_rig_renew(r, "limits = { auth_delay = \"0s\"; auth_delay_max = \"0s\"; };");
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2";
	r->fake.on_line = judge;
	return result;
}

static void refuse_at_once(struct session_rig *r)
{
	static int relentless;
	r->fake.arg = &relentless;
}

static void begin_to_wait(struct caller *c, struct session_rig *r, const char *user)
{
	struct buf text, line;
	buf_init(&text, 200);
	buf_init(&line, 400);
	assert_true(buf_addf(&text, "user=%s%cauth=Bearer t%c%c", user, 1, 1, 1));
	assert_true(buf_add_str(&line, "a AUTHENTICATE XOAUTH2 "));
	assert_true(base64_encode(&line, buf_peek(&text)));
	assert_true(buf_add(&line, span_of("\r\n", 3)));
	caller_connect(c, r, 0, SESSION_RIG_PLAIN);
	caller_greet(c);
	caller_say(c, (const char *)buf_peek(&line).p);
	buf_finish(&text);
	buf_finish(&line);
}

static void begin(struct caller *c, struct session_rig *r, const char *user)
{
	begin_to_wait(c, r, user);
	caller_hear_exactly(c, CHALLENGE);
}

/* The dialogue goes on as if nothing had been; then both sides leave. */
static void end(struct caller *c)
{
	caller_say(c, "z NOOP\r\n");
	caller_hear_exactly(c, "z OK NOOP completed\r\n");
	caller_finish(c);
}

static bool is_gone(void *arg)
{
	const struct session_rig *r = arg;
	size_t sessions = r->hosts[0].sessions.len + r->hosts[1].sessions.len;
	return sessions == 0 && pool_is_empty(r->hosts[0].pool) && pool_is_empty(r->hosts[1].pool);
}

static bool is_let_go(void *arg)
{
	const struct session_rig *r = arg;
	return pool_is_empty(r->hosts[0].pool) && pool_is_empty(r->hosts[1].pool);
}

/* Also when the client was carried to another worker for it. */
static void test_both_ways(void **state)
{
	struct session_rig *r = *state;
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		struct caller c;
		begin(&c, r, r->users[i]);
		assert_int_equal(r->hosts[i].sessions.len, 1);
		caller_say(&c, "\r\n");
		caller_hear_exactly(&c, REFUSED);
		end(&c);
		begin(&c, r, r->users[i]);
		caller_say(&c, "Z29vZA==\r\nb NOOP\r\n");
		caller_hear(&c, "b OK done\r\n");
		caller_finish(&c);
	}
}

static void test_cancelled(void **state)
{
	struct session_rig *r = *state;
	static const char *const lines[] = {"*\r\n", "!\r\n", "z NOOP\r\n"};
	for (size_t i = 0; i < 3; i++) {
		struct caller c;
		begin(&c, r, r->users[0]);
		caller_say(&c, lines[i]);
		caller_hear(&c, i == 0 ? "a BAD Authentication cancelled\r\n"
				       : "a BAD Invalid authentication data\r\n");
		session_rig_until(r, is_let_go, r);
		/* Nothing of it has reached the server. */
		assert_true(fake_has_heard(&r->fake.connections[i], "AUTHENTICATE "));
		end(&c);
	}
	assert_int_equal(session_rig_counted(r, COUNTER_SIGNINS_FAILED), 3);
}

/* A server would end the connection, as if it were sick. */
static void test_too_long_for_a_server(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	struct buf line;
	buf_init(&line, 20000);
	for (size_t i = 0; i <= CREDENTIALS_LINE_MAX / 4; i++) {
		assert_true(buf_add_str(&line, "QUFB"));
	}
	assert_true(buf_add(&line, span_of("\r\n", 3)));
	begin(&c, r, r->users[0]);
	caller_say(&c, (const char *)buf_peek(&line).p);
	caller_hear_exactly(&c, REFUSED);
	session_rig_until(r, is_let_go, r);
	assert_true(fake_has_heard(&r->fake.connections[0], "AUTHENTICATE "));
	end(&c);
	buf_finish(&line);
}

static void test_the_client_leaves(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	begin(&c, r, r->users[0]);
	caller_finish(&c);
	session_rig_until(r, is_gone, r);
	begin(&c, r, r->users[0]);
	session_rig_jump(r, 10 * 60 * 1000);
	caller_hear_the_end(&c);
	caller_hear(&c, "* BYE Sign-in took too long\r\n");
	caller_finish(&c);
	session_rig_until(r, is_gone, r);
}

/* What the client says next is the answer to a challenge, whoever has gone meanwhile: no command. */
static void test_the_server_does_not_wait(void **state)
{
	struct session_rig *r = *state;
	static const char *const lines[] = {"\r\n", "*\r\n", "z NOOP\r\n"};
	for (size_t i = 0; i < 3; i++) {
		struct caller c;
		begin(&c, r, r->users[0]);
		fake_hang_up(&r->fake.connections[r->fake.count - 1]);
		session_rig_until(r, is_let_go, r);
		caller_say(&c, lines[i]);
		caller_hear_exactly(&c, UNAVAILABLE);
		end(&c);
	}
	refuse_at_once(r);
	for (size_t i = 0; i < 3; i++) {
		struct caller c;
		begin(&c, r, r->users[0]);
		session_rig_until(r, is_let_go, r);
		caller_say(&c, lines[i]);
		caller_hear_exactly(&c, REFUSED);
		end(&c);
	}
}

/* The same, and the refusal has to wait for its time. */
static void test_refused_with_delay(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	session_rig_renew(r, "limits = { auth_delay = \"5s\"; auth_delay_max = \"5s\"; };");
	refuse_at_once(r);
	/* The line comes first. */
	begin(&c, r, r->users[0]);
	session_rig_until(r, is_let_go, r);
	caller_say(&c, "\r\n");
	session_rig_settle(r);
	session_rig_jump(r, 6000);
	caller_hear_exactly(&c, REFUSED);
	end(&c);
	/* The time is over first. */
	begin(&c, r, r->users[0]);
	session_rig_until(r, is_let_go, r);
	session_rig_jump(r, 6000);
	caller_say(&c, "\r\n");
	caller_hear_exactly(&c, REFUSED);
	end(&c);
	/* The client does not want to know. */
	begin(&c, r, r->users[0]);
	session_rig_until(r, is_let_go, r);
	caller_say(&c, "*\r\n");
	caller_hear_exactly(&c, "a BAD Authentication cancelled\r\n");
	session_rig_jump(r, 6000);
	end(&c);
}

/* The session whose refusal waits for its time, on whichever host. */
static struct session *held_back(struct session_rig *r)
{
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		LIST_FOREACH_SAFE(node, &r->hosts[i].sessions)
		{
			struct session *s = LIST_OBJECT(node, struct session, node);
			if (s->refusal != NULL) {
				return s;
			}
		}
	}
	return NULL;
}

static bool is_held_back(void *arg)
{
	return held_back(arg) != NULL;
}

/* Whom the proxy has judged, or has no route for: while the no has to wait, no password is kept for it. */
static void test_nothing_is_kept_of_a_refused_client(void **state)
{
	struct session_rig *r = *state;
	char text[400];
	snprintf(text, sizeof text,
		"auth = { password_file = \"%s\"; };\n"
		"limits = { auth_delay = \"5s\"; auth_delay_max = \"5s\"; };",
		scratch_write("users.pw", "stranger:{PLAIN}right\n"));
	session_rig_renew(r, text);
	for (int has_route = 0; has_route < 2; has_route++) {
		struct caller c;
		caller_connect(&c, r, 0, SESSION_RIG_PLAIN);
		caller_greet(&c);
		caller_say(
			&c, has_route ? "a LOGIN stranger wrong\r\n" : "a LOGIN nobody wrong\r\n");
		session_rig_until(r, is_held_back, r);
		struct session *s = held_back(r);
		assert_null(s->auth);
		assert_null(s->job);
		assert_int_equal(s->credentials.password.len, 0);
		assert_int_equal(client_credentials(s->client)->password.len, 0);
		session_rig_jump(r, 6000);
		caller_hear_exactly(&c, REFUSED);
		end(&c);
		session_rig_until(r, is_gone, r);
	}
}

static bool has_asked(void *arg)
{
	const struct session_rig *r = arg;
	return r->fake.count == 1 &&
	       span_contains_nocase(buf_peek(&r->fake.connections[0].heard), "AUTHENTICATE ");
}

static bool swallow(struct fake_connection *c, struct span line)
{
	(void)c;
	return span_contains_nocase(line, "AUTHENTICATE XOAUTH2");
}

/* What the server asks the client after the end has begun: there is no time for the answer. */
static void test_challenged_while_draining(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	r->fake.on_line = swallow;
	begin_to_wait(&c, r, r->users[0]);
	session_rig_until(r, has_asked, r);
	session_host_drain(&r->hosts[0]);
	session_rig_settle(r);
	assert_int_equal(c.peer.ended, 0);
	fake_say(&r->fake.connections[0], CHALLENGE);
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, SHUTDOWN);
	caller_finish(&c);
	session_rig_wait(r, &r->drained[0]);
}

static void test_drained(void **state)
{
	struct session_rig *r = *state;
	struct caller c;
	begin(&c, r, r->users[0]);
	session_host_drain(&r->hosts[0]);
	caller_hear_the_end(&c);
	caller_hear_exactly(&c, SHUTDOWN);
	caller_finish(&c);
	session_rig_wait(r, &r->drained[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_both_ways),
		STORY(test_cancelled),
		STORY(test_too_long_for_a_server),
		STORY(test_the_client_leaves),
		STORY(test_the_server_does_not_wait),
		STORY(test_refused_with_delay),
		STORY(test_drained),
		STORY(test_challenged_while_draining),
		STORY(test_nothing_is_kept_of_a_refused_client),
	};
	return cmocka_run_group_tests(tests, session_rig_init, session_rig_fini);
}
