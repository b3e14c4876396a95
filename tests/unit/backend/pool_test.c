/*
 * From a request to a connection that is lent: states held to their drawing, sign-in at a server that
 * behaves and at servers that do not, giving up at every moment.
 */
#include "backend/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/pki.h"
#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, pool_rig_make, pool_rig_unmake)

/* The drawing in backend/pool.h, arrow by arrow. */
static void test_states_are_as_drawn(void **state)
{
	(void)state;
	static const enum backend_state arrows[][2] = {
		{BACKEND_DIALING, BACKEND_HANDSHAKE},
		{BACKEND_HANDSHAKE, BACKEND_SIGNIN},
		{BACKEND_SIGNIN, BACKEND_HANDSHAKE}, /* STARTTLS */
		{BACKEND_SIGNIN, BACKEND_SPARE},
		{BACKEND_SPARE, BACKEND_SIGNIN},
		{BACKEND_SIGNIN, BACKEND_ENABLING},
		{BACKEND_PARKED, BACKEND_ENABLING},
		{BACKEND_ENABLING, BACKEND_LENT},
		{BACKEND_SIGNIN, BACKEND_LENT},
		{BACKEND_LENT, BACKEND_SCRUBBING},
		{BACKEND_SCRUBBING, BACKEND_PARKED},
		{BACKEND_PARKED, BACKEND_LENT},
		{BACKEND_PARKED, BACKEND_SCRUBBING}, /* check */
		{BACKEND_SCRUBBING, BACKEND_LENT},   /* checked */
		{BACKEND_SCRUBBING, BACKEND_SPARE},  /* UNAUTHENTICATE */
		{BACKEND_SCRUBBING, BACKEND_SIGNIN},
	};
	for (int from = 0; from < BACKEND_STATE_COUNT; from++) {
		assert_non_null(backend_state_name((enum backend_state)from));
		for (int to = 0; to < BACKEND_STATE_COUNT; to++) {
			bool is_drawn = to == BACKEND_CLOSING && from != BACKEND_CLOSING;
			for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++) {
				is_drawn = is_drawn ||
					   ((int)arrows[i][0] == from && (int)arrows[i][1] == to);
			}
			assert_int_equal(
				backend_can_move((enum backend_state)from, (enum backend_state)to),
				is_drawn);
		}
	}
}

static uint64_t counted(const struct pool_rig *r, enum counter which)
{
	return counter_get(&r->counters, which);
}

static void ask_and_wait(struct borrower *b, const char *password)
{
	borrower_ask(b, password);
	while (b->ready + b->refused + b->failed == 0) {
		uv_run(&b->rig->looper.loop.uv, UV_RUN_ONCE);
	}
}

/* Asks, and it fails for this reason; the pool is empty again. */
static void expect_failure(struct pool_rig *r, enum fail why)
{
	struct borrower b;
	borrower_init(&b, r);
	ask_and_wait(&b, "right");
	if (b.failed == 0 || b.why != why) {
		print_error("ready %d refused %d, %s %s\n", b.ready, b.refused, fail_name(b.why),
			b.detail);
	}
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, why);
	assert_int_equal(fail_side(why), FAIL_SIDE_SERVER);
	assert_null(b.loan);
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

static void test_signs_in(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE "));
	assert_false(b.is_reused);
	assert_true(span_is(loan_capabilities(b.loan), r->fake.capabilities));
	assert_int_equal(pool_count(r->pool, BACKEND_LENT), 1);
	assert_int_equal(counted(r, COUNTER_POOL_MISSES), 1);
	assert_int_equal(counted(r, COUNTER_BACKEND_DIALS), 1);
	assert_int_equal(counted(r, COUNTER_POOL_HITS), 0);
	/* Our own tags cannot be guessed from those of another connection. */
	struct borrower other;
	borrower_link(&other, r, "right");
	assert_string_not_equal(loan_proxy_tag(b.loan), loan_proxy_tag(other.loan));
	assert_true(strlen(loan_proxy_tag(b.loan)) >= 17);
	assert_memory_not_equal(loan_proxy_tag(b.loan), loan_proxy_tag(other.loan), 12);
	borrower_finish(&other);
	borrower_say(&b, "a NOOP\r\n");
	borrower_hear(&b, "a OK done\r\n");
	borrower_finish(&b);
}

static void test_no_id_where_none_is_wanted(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.config.send_id = false;
	borrower_link(&b, r, "right");
	assert_true(fake_has_heard(&r->fake.connections[0], "AUTHENTICATE "));
	borrower_finish(&b);
}

/* The server asks for each part: no initial response, or LOGIN with literals. */
static void test_signs_in_step_by_step(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->fake.capabilities = "IMAP4rev1 AUTH=PLAIN";
	borrower_link(&b, r, "right");
	assert_true(fake_has_heard(&r->fake.connections[0], "AUTHENTICATE "));
	borrower_finish(&b);
	r->fake.capabilities = "IMAP4rev1";
	borrower_link(&b, r, "right");
	assert_true(fake_has_heard(&r->fake.connections[1], "LOGIN "));
	borrower_finish(&b);
}

static void test_wrong_credential(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_init(&b, r);
	ask_and_wait(&b, "wrong");
	assert_int_equal(b.refused, 1);
	assert_true(b.is_wrong_credential);
	assert_null(b.loan);
	/* Not the server's own words: they tell which users exist. */
	assert_string_equal(b.text, fail_client_text(FAIL_AUTH));
	pool_rig_settle(r);
	assert_int_equal(pool_rig_alive(r), 0);
	assert_true(r->fake.connections[0].has_left);
	borrower_finish(&b);
}

static void test_refused_for_other_reasons(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_answer(&r->fake, "AUTHENTICATE", "NO [LIMIT] Maximum number of connections exceeded");
	borrower_init(&b, r);
	ask_and_wait(&b, "right");
	assert_int_equal(b.refused, 1);
	assert_false(b.is_wrong_credential);
	assert_memory_equal(b.text, "[LIMIT] ", 8);
	assert_null(strstr(b.text, "Maximum"));
	borrower_finish(&b);
}

static void test_nobody_listens(void **state)
{
	struct pool_rig *r = *state;
	fake_refuse(&r->fake);
	struct borrower b;
	borrower_init(&b, r);
	ask_and_wait(&b, "right");
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_CONNECT);
	assert_non_null(strstr(b.detail, "127.0.0.1"));
	assert_int_equal(counted(r, COUNTER_BACKEND_DIAL_FAILURES), 1);
	borrower_finish(&b);
}

static void test_no_such_host(void **state)
{
	struct pool_rig *r = *state;
	static char host[] = "no-such-host.invalid";
	r->fake.config.address.host = host;
	struct borrower b;
	borrower_init(&b, r);
	ask_and_wait(&b, "right");
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, FAIL_RESOLVE);
	borrower_finish(&b);
}

/* Greetings of servers that are none, or not ours to sign in to. */
static void test_greetings(void **state)
{
	static const struct {
		const char *greeting;
		enum fail why;
	} rows[] = {
		{"* BYE Too many connections\r\n", FAIL_SERVER_BYE},
		{"* PREAUTH [CAPABILITY IMAP4rev1] Welcome\r\n", FAIL_SERVER_PREAUTH},
		{"220 mail.example.org ESMTP\r\n", FAIL_SERVER_PROTOCOL},
		{"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] No\r\n", FAIL_SERVER_NO_MECHANISM},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_rig *r = *state;
		r->fake.greeting = rows[i].greeting;
		expect_failure(r, rows[i].why);
		assert_int_equal(buf_len(&r->fake.connections[i].lines), 0);
	}
}

/* Silent before the greeting, after it, and in the middle of the sign-in. */
static void test_silent_servers(void **state)
{
	for (int stage = 0; stage < 3; stage++) {
		struct pool_rig *r = *state;
		struct borrower b;
		fake_behave(&r->fake);
		r->fake.greeting = stage == 0 ? "" : NULL;
		fake_silence(&r->fake, stage == 1 ? "ID" : "AUTHENTICATE");
		r->fake.is_deaf = stage == 1;
		borrower_init(&b, r);
		borrower_ask(&b, "right");
		pool_rig_wait(r, BACKEND_SIGNIN, 1);
		assert_int_equal(b.failed, 0);
		pool_rig_jump(r, 59000);
		assert_int_equal(b.failed, 0);
		pool_rig_jump(r, 1600);
		looper_wait(&r->looper, &b.failed);
		assert_int_equal(b.why, FAIL_SIGNIN_TIMEOUT);
		r->fake.is_deaf = false;
		borrower_finish(&b);
	}
}

/* Gone at each moment of the sign-in, in order and by a reset. */
struct leaver {
	const char *before; /* leaves when it has read this verb; NULL: at once */
	bool is_reset;
};

static bool leave(struct fake_connection *c, struct span line)
{
	const struct leaver *l = c->fake->arg;
	if (span_contains_nocase(line, l->before)) {
		(l->is_reset ? fake_reset : fake_hang_up)(c);
		return true;
	}
	return false;
}

static void test_servers_that_leave(void **state)
{
	static const char *const moments[] = {"CAPABILITY", " ID", "AUTHENTICATE"};
	struct pool_rig *r = *state;
	/* Without a list in the greeting, so that all commands are heard. */
	r->fake.greeting = "* OK ready\r\n";
	r->fake.on_line = leave;
	for (size_t i = 0; i < 6; i++) {
		struct leaver l = {moments[i / 2], i % 2 == 1};
		r->fake.arg = &l;
		expect_failure(r, l.is_reset ? FAIL_SERVER_IO : FAIL_SERVER_LEFT);
	}
	r->fake.on_line = NULL;
}

/* An OK that nobody waited for, tags of others, rubbish. */
static void test_servers_that_talk_nonsense(void **state)
{
	static const char *const befores[] = {
		"mux9 OK surprise\r\n", "* BYE I leave\r\n", "* PREAUTH hello\r\n", "rubbish\r\n"};
	static const enum fail whys[] = {
		FAIL_SERVER_PROTOCOL, FAIL_SERVER_BYE, FAIL_SERVER_PROTOCOL, FAIL_SERVER_PROTOCOL};
	for (size_t i = 0; i < sizeof befores / sizeof *befores; i++) {
		struct pool_rig *r = *state;
		fake_answer_with(&r->fake, "AUTHENTICATE", befores[i], "OK Welcome");
		expect_failure(r, whys[i]);
	}
}

/* What stands behind the OK in the same segment is for the session, every byte of it. */
static void test_bytes_behind_the_ok(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_answer(&r->fake, "AUTHENTICATE",
		"OK [CAPABILITY IMAP4rev1 NOTIFY] Welcome\r\n* OK [ALERT] Quota exceeded\r\n"
		"* 1 FETCH (X {3}\r\na)b)");
	borrower_link(&b, r, "right");
	assert_true(span_is(loan_capabilities(b.loan), "IMAP4rev1 NOTIFY"));
	borrower_hear(&b, "* OK [ALERT] Quota exceeded\r\n* 1 FETCH (X {3}\r\na)b)\r\n");
	borrower_finish(&b);
}

/* The list after the sign-in may be missing: it is asked for, and until then nothing is lent. */
static void test_capabilities_are_asked_for(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	fake_answer(&r->fake, "AUTHENTICATE", "OK Welcome");
	borrower_link(&b, r, "right");
	assert_true(fake_has_heard(&r->fake.connections[0], "ID AUTHENTICATE CAPABILITY "));
	assert_true(span_is(loan_capabilities(b.loan), r->fake.capabilities));
	borrower_finish(&b);
}

/* A borrower that has no use for it after all says so inside the event. */
static void return_at_once(struct borrower *b)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_return(&b->loan, NULL, FAIL_LIMIT_SESSIONS));
	assert_string_equal(said, fail_name(FAIL_LIMIT_SESSIONS));
	assert_null(b->loan);
}

static void test_returned_inside_on_ready(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_init(&b, r);
	b.on_ready = return_at_once;
	ask_and_wait(&b, "right");
	assert_int_equal(b.ready, 1);
	pool_rig_settle(r);
	assert_int_equal(pool_rig_alive(r), 0);
	assert_int_equal(counted(r, COUNTER_POOL_DISCARDED), 1);
	borrower_finish(&b);
}

/* Given up. */

static void give_up_in(struct pool_rig *r, enum backend_state where)
{
	struct borrower b;
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	if (where != BACKEND_DIALING) {
		pool_rig_wait(r, where, 1);
	}
	assert_int_equal(pool_count(r->pool, where), 1);
	int empties = r->empties;
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_null(b.loan);
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_int_equal(pool_rig_alive(r), 0);
	looper_wait(&r->looper, &r->empties);
	pool_rig_settle(r);
	assert_true(r->empties > empties);
	assert_int_equal(b.ready + b.refused + b.failed, 0);
	borrower_finish(&b);
}

static void test_given_up_in_each_state(void **state)
{
	struct pool_rig *r = *state;
	give_up_in(r, BACKEND_DIALING);
	r->fake.greeting = "";
	give_up_in(r, BACKEND_SIGNIN);
	r->fake.greeting = NULL;
	fake_silence(&r->fake, "AUTHENTICATE");
	give_up_in(r, BACKEND_SIGNIN);
	fake_silence(&r->fake, "ID");
	give_up_in(r, BACKEND_SIGNIN);
}

/* Nobody is told from inside a call that the pool is empty. */
static void test_empty_is_told_from_the_loop(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	assert_true(pool_is_empty(r->pool));
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	assert_false(pool_is_empty(r->pool));
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_int_equal(r->empties, 0);
	looper_wait(&r->looper, &r->empties);
	assert_int_equal(r->empties, 1);
	borrower_finish(&b);
}

/* Many at once, some given up on the way. */
static void test_many_at_once(void **state)
{
	struct pool_rig *r = *state;
	enum { MANY = 24 };
	struct borrower b[MANY];
	for (int i = 0; i < MANY; i++) {
		borrower_init(&b[i], r);
		borrower_ask(&b[i], i % 3 == 0 ? "wrong" : "right");
		looper_spin(&r->looper, i % 4);
		if (i % 5 == 0 && b[i].ready + b[i].refused == 0) {
			POOL_CALL(r, loan_cancel(&b[i].loan));
		}
	}
	pool_rig_wait(r, BACKEND_SIGNIN, 0);
	pool_rig_wait(r, BACKEND_DIALING, 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(b[i].failed, 0);
		assert_true(b[i].ready == 0 || i % 3 != 0);
		assert_true(b[i].refused == 0 || i % 3 == 0);
		assert_int_equal(b[i].loan != NULL, b[i].ready);
		if (b[i].ready) {
			POOL_CALL(r, loan_return(&b[i].loan, NULL, FAIL_CLIENT_LEFT));
		}
		borrower_finish(&b[i]);
	}
}

/* TLS. */

static struct pki pki;
static struct pki_config pki_config;
static struct tls_context *server_tls;
static struct tls_context *client_tls;

static struct pool_request tls_request(struct pool_rig *r, enum tls_mode mode)
{
	static char name[] = "mail.example.org";
	r->fake.config.tls = mode;
	r->fake.config.server_name = name;
	r->fake.tls = server_tls;
	r->fake.capabilities = mode == TLS_STARTTLS
				       ? "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT STARTTLS"
				       : "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT";
	struct borrower b;
	borrower_init(&b, r);
	struct pool_request request = b.request;
	request.tls = client_tls;
	borrower_finish(&b);
	return request;
}

static void test_tls(void **state)
{
	for (int mode = TLS_STARTTLS; mode <= TLS_IMPLICIT; mode++) {
		struct pool_rig *r = *state;
		struct borrower b;
		borrower_init(&b, r);
		b.request = tls_request(r, (enum tls_mode)mode);
		ask_and_wait(&b, "right");
		assert_int_equal(b.ready, 1);
		assert_true(stream_is_tls(loan_stream(b.loan)));
		size_t n = r->fake.count - 1;
		assert_true(fake_has_heard(&r->fake.connections[n],
			mode == TLS_STARTTLS ? "STARTTLS CAPABILITY ID AUTHENTICATE "
					     : "ID AUTHENTICATE "));
		POOL_CALL(r, loan_return(&b.loan, NULL, FAIL_CLIENT_LEFT));
		borrower_finish(&b);
	}
}

static void expect_tls_failure(struct pool_rig *r, struct pool_request request, enum fail why)
{
	struct borrower b;
	borrower_init(&b, r);
	b.request = request;
	ask_and_wait(&b, "right");
	if (b.failed == 0 || b.why != why) {
		print_error("ready %d, %s %s\n", b.ready, fail_name(b.why), b.detail);
	}
	assert_int_equal(b.failed, 1);
	assert_int_equal(b.why, why);
	pool_rig_settle(r);
	/* Law 2, S4: no credential left. */
	struct fake_connection *c = &r->fake.connections[r->fake.count - 1];
	assert_false(span_contains_nocase(buf_peek(&c->lines), "AUTHENTICATE"));
	assert_false(span_contains_nocase(buf_peek(&c->lines), "LOGIN"));
	borrower_finish(&b);
}

static void test_tls_with_another_name(void **state)
{
	for (int mode = TLS_STARTTLS; mode <= TLS_IMPLICIT; mode++) {
		struct pool_rig *r = *state;
		static char other[] = "evil.example.org";
		struct pool_request request = tls_request(r, (enum tls_mode)mode);
		r->fake.config.server_name = other;
		expect_tls_failure(r, request, FAIL_SERVER_VERIFY);
	}
}

static void test_starttls_not_offered(void **state)
{
	struct pool_rig *r = *state;
	struct pool_request request = tls_request(r, TLS_STARTTLS);
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN";
	expect_tls_failure(r, request, FAIL_SERVER_STARTTLS);
}

static void test_starttls_refused(void **state)
{
	struct pool_rig *r = *state;
	struct pool_request request = tls_request(r, TLS_STARTTLS);
	fake_answer(&r->fake, "STARTTLS", "NO not now");
	expect_tls_failure(r, request, FAIL_SERVER_STARTTLS);
	fake_answer(&r->fake, "STARTTLS", "BAD what");
	expect_tls_failure(r, request, FAIL_SERVER_STARTTLS);
}

/* S2: what the server's side says in clear behind its OK is not read as if said inside TLS. */
static void test_starttls_with_injection(void **state)
{
	struct pool_rig *r = *state;
	struct pool_request request = tls_request(r, TLS_STARTTLS);
	fake_answer(&r->fake, "STARTTLS", "OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN evil");
	expect_tls_failure(r, request, FAIL_SERVER_INJECTED);
}

/* Says OK, and then does nothing with what comes. */
static bool go_deaf(struct fake_connection *c, struct span line)
{
	if (span_contains_nocase(line, "STARTTLS")) {
		fake_reply(c, "OK go");
		c->fake->is_deaf = true;
	}
	return c->fake->is_deaf;
}

/* No TLS behind the OK, and a server that says nothing where TLS should begin. */
static void test_starttls_without_tls(void **state)
{
	struct pool_rig *r = *state;
	struct pool_request request = tls_request(r, TLS_STARTTLS);
	r->fake.on_line = go_deaf;
	struct borrower b;
	borrower_init(&b, r);
	b.request = request;
	borrower_ask(&b, "right");
	pool_rig_wait(r, BACKEND_HANDSHAKE, 1);
	pool_rig_jump(r, 61000);
	looper_wait(&r->looper, &b.failed);
	assert_int_equal(b.why, FAIL_SIGNIN_TIMEOUT);
	borrower_finish(&b);
	/* Implicit TLS that is answered in clear. */
	r->fake.is_deaf = false;
	request = tls_request(r, TLS_IMPLICIT);
	r->fake.tls = NULL;
	r->fake.config.tls = TLS_NONE;
	struct config_backend secure = r->fake.config;
	secure.tls = TLS_IMPLICIT;
	request.server = &secure;
	expect_tls_failure(r, request, FAIL_SERVER_TLS);
}

static void test_given_up_in_a_handshake(void **state)
{
	struct pool_rig *r = *state;
	struct pool_request request = tls_request(r, TLS_STARTTLS);
	r->fake.on_line = go_deaf;
	struct borrower b;
	borrower_init(&b, r);
	b.request = request;
	borrower_ask(&b, "right");
	pool_rig_wait(r, BACKEND_HANDSHAKE, 1);
	POOL_CALL(r, loan_cancel(&b.loan));
	assert_int_equal(pool_rig_alive(r), 0);
	borrower_finish(&b);
}

static int make_pki(void **state)
{
	(void)state;
	struct config_errors *errors = &pki_config.errors;
	pki_init(&pki);
	pki_issue(&pki, "mail", "DNS:mail.example.org", -1, 1);
	pki_configure(&pki, &pki_config, "mail");
	server_tls = tls_context_create_server(&pki_config.config, errors);
	client_tls = tls_context_create_client(&pki_config.backend, errors);
	return server_tls != NULL && client_tls != NULL ? 0 : -1;
}

static int unmake_pki(void **state)
{
	(void)state;
	tls_context_unref(&server_tls);
	tls_context_unref(&client_tls);
	pki_config_finish(&pki_config);
	pki_finish(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_are_as_drawn),
		STORY(test_signs_in),
		STORY(test_no_id_where_none_is_wanted),
		STORY(test_signs_in_step_by_step),
		STORY(test_wrong_credential),
		STORY(test_refused_for_other_reasons),
		STORY(test_nobody_listens),
		STORY(test_no_such_host),
		STORY(test_greetings),
		STORY(test_silent_servers),
		STORY(test_servers_that_leave),
		STORY(test_servers_that_talk_nonsense),
		STORY(test_bytes_behind_the_ok),
		STORY(test_capabilities_are_asked_for),
		STORY(test_returned_inside_on_ready),
		STORY(test_given_up_in_each_state),
		STORY(test_empty_is_told_from_the_loop),
		STORY(test_many_at_once),
		STORY(test_tls),
		STORY(test_tls_with_another_name),
		STORY(test_starttls_not_offered),
		STORY(test_starttls_refused),
		STORY(test_starttls_with_injection),
		STORY(test_starttls_without_tls),
		STORY(test_given_up_in_a_handshake),
	};
	return cmocka_run_group_tests(tests, make_pki, unmake_pki);
}
