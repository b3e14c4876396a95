#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/pool_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/proof.h"
#include "imap/sasl.h"
#include "lib/clock.h"

static void on_empty(void *owner)
{
	struct pool_rig *r = owner;
	assert_false(r->is_inside);
	assert_true(pool_is_empty(r->pool));
	r->empties++;
}

int pool_rig_make(void **state)
{
	static bool has_key;
	if (!has_key) {
		proof_init();
		log_setup(LOG_ERROR, LOG_LOGFMT);
		has_key = true;
	}
	struct pool_rig *r = calloc(1, sizeof *r);
	looper_init(&r->looper);
	fake_start(&r->fake, &r->looper);
	r->config = (struct config){
		.refs = 1,
		.backends = &r->fake.config,
		.backend_count = 1,
		.pool = {.enabled = true,
			.idle_timeout = 300000,
			.max_lifetime = 3600000,
			.check_after = 30000,
			.credential_ttl = 300000,
			.max_idle_per_user = 2,
			.max_idle = 1000},
		.limits = {.line = 65536, .connect_timeout = 5000, .signin_timeout = 60000},
	};
	r->budget = budget_create();
	r->pool = pool_create(&r->looper.loop, &r->counters, r->budget);
	pool_on_empty(r->pool, on_empty, r);
	pool_rig_configure(r);
	*state = r;
	return 0;
}

static bool is_empty(void *arg)
{
	struct pool_rig *r = arg;
	return pool_is_empty(r->pool);
}

int pool_rig_unmake(void **state)
{
	struct pool_rig *r = *state;
	POOL_CALL(r, pool_drain(r->pool));
	looper_until(&r->looper, is_empty, r);
	pool_destroy(&r->pool);
	assert_null(r->pool);
	pool_destroy(&r->pool);
	budget_destroy(&r->budget);
	fake_stop(&r->fake);
	looper_finish(&r->looper);
	free(r);
	return 0;
}

void pool_rig_configure(struct pool_rig *r)
{
	POOL_CALL(r, pool_configure(r->pool, &r->config, NULL, 1));
}

struct census {
	struct pool_rig *rig;
	enum backend_state state;
	size_t count;
};

static bool is_counted(void *arg)
{
	struct census *c = arg;
	return pool_count(c->rig->pool, c->state) == c->count;
}

void pool_rig_wait(struct pool_rig *r, enum backend_state state, size_t count)
{
	looper_until(&r->looper, is_counted, &(struct census){r, state, count});
	pool_rig_settle(r);
	assert_int_equal(pool_count(r->pool, state), count);
}

void pool_rig_settle(struct pool_rig *r)
{
	looper_spin(&r->looper, 8);
}

void pool_rig_jump(struct pool_rig *r, uint64_t ms)
{
	clock_jump(ms);
	pool_rig_settle(r);
}

size_t pool_rig_alive(const struct pool_rig *r)
{
	size_t alive = 0;
	for (int s = 0; s < BACKEND_CLOSING; s++) {
		alive += pool_count(r->pool, (enum backend_state)s);
	}
	return alive;
}

/* Borrowers. */

static void on_ready(void *owner)
{
	struct borrower *b = owner;
	assert_false(b->rig->is_inside);
	assert_int_equal(b->ready + b->refused + b->failed, 0);
	b->ready++;
	if (b->on_ready != NULL) {
		b->on_ready(b);
	}
}

static void on_refused(void *owner, struct span text, bool is_wrong_credential)
{
	struct borrower *b = owner;
	assert_false(b->rig->is_inside);
	assert_int_equal(b->ready + b->refused + b->failed, 0);
	b->refused++;
	b->is_wrong_credential = is_wrong_credential;
	snprintf(b->text, sizeof b->text, "%.*s", SPAN_ARG(text));
	POOL_CALL(b->rig, loan_cancel(&b->loan));
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	struct borrower *b = owner;
	assert_false(b->rig->is_inside);
	assert_int_equal(b->ready + b->refused + b->failed, 0);
	b->failed++;
	b->why = why;
	snprintf(b->detail, sizeof b->detail, "%s", detail);
	POOL_CALL(b->rig, loan_cancel(&b->loan));
}

static void on_wanted(void *owner)
{
	struct borrower *b = owner;
	assert_false(b->rig->is_inside);
	assert_non_null(b->loan);
	b->wanted++;
	if (b->on_wanted != NULL) {
		b->on_wanted(b);
	}
}

static void on_challenge(void *owner, struct span line)
{
	struct borrower *b = owner;
	assert_false(b->rig->is_inside);
	assert_int_equal(b->ready + b->refused + b->failed, 0);
	b->challenged++;
	snprintf(b->challenge, sizeof b->challenge, "%.*s", SPAN_ARG(line));
}

static const struct loan_events loan_events = {
	.on_ready = on_ready,
	.on_challenge = on_challenge,
	.on_refused = on_refused,
	.on_failed = on_failed,
	.on_wanted = on_wanted,
};

void borrower_init(struct borrower *b, struct pool_rig *r)
{
	*b = (struct borrower){.rig = r};
	buf_init(&b->heard, 64 * 1024 * 1024);
	b->request = (struct pool_request){
		.server = &r->fake.config,
		.limits = &r->config.limits,
		.login = span_str("alice"),
		.is_secure = true,
		.identity =
			{
				.session_id = "0123",
				.client_address = "192.0.2.7",
				.client_port = "5000",
				.proxy_address = "192.0.2.1",
				.proxy_port = "993",
			},
	};
}

void borrower_ask(struct borrower *b, const char *password)
{
	struct credentials c = {.mechanism = MECHANISM_PLAIN};
	secret_set(&c.user, span_str(b->name != NULL ? b->name : "alice@example.org"));
	secret_set(&c.authzid, span_str(b->authzid != NULL ? b->authzid : ""));
	secret_set(&c.password, span_str(password));
	if (b->first != NULL) {
		assert_int_equal(sasl_first_read(b->mechanism, span_str(b->first), &c), SASL_GOOD);
	}
	b->request.credentials = &c;
	b->ready = b->refused = b->failed = 0;
	POOL_CALL(b->rig, b->loan = pool_borrow(b->rig->pool, &b->request, &loan_events, b));
	b->request.credentials = NULL;
	credentials_drop(&c); /* copied */
	assert_non_null(b->loan);
	assert_int_equal(b->ready, 0);
	if (loan_is_ready(b->loan)) {
		on_ready(b);
	}
}

static void to_client(void *owner, struct span bytes)
{
	struct borrower *b = owner;
	assert_true(buf_add(&b->heard, bytes));
}

static void to_server(void *owner, struct span bytes)
{
	struct borrower *b = owner;
	stream_write(b->server, bytes);
}

static struct tracker_sink sink_of(struct borrower *b)
{
	return (struct tracker_sink){.owner = b, .to_client = to_client, .to_server = to_server};
}

static size_t on_server_data(void *owner, struct span in)
{
	struct borrower *b = owner;
	struct tracker_sink sink = sink_of(b);
	size_t given = in.n;
	enum tracker_verdict verdict = tracker_server(b->tracker, &in, &sink);
	assert_true(verdict != TRACKER_FAILED);
	b->byes += verdict == TRACKER_SERVER_BYE;
	if (verdict == TRACKER_LOGOUT) {
		b->logouts++;
		b->kept = borrower_return(b, FAIL_LOGOUT);
		return given - in.n;
	}
	return given;
}

static void on_server_eof(void *owner)
{
	struct borrower *b = owner;
	b->ended++;
}

static void on_server_failed(void *owner, enum fail why, const char *detail)
{
	(void)why;
	(void)detail;
	on_server_eof(owner);
}

static void on_server_drained(void *owner)
{
	(void)owner;
}

static void on_unexpected(void *owner)
{
	(void)owner;
	fail_msg("an event of a stream that is the pool's");
}

static const struct stream_events server_events = {
	.on_open = on_unexpected,
	.on_data = on_server_data,
	.on_drained = on_server_drained,
	.on_eof = on_server_eof,
	.on_failed = on_server_failed,
	.on_closed = on_unexpected,
};

static void take_stream(struct borrower *b)
{
	b->is_reused = loan_is_reused(b->loan);
	b->server = loan_stream(b->loan);
	b->tracker = tracker_create(&(struct tracker_options){
		.server_capabilities = loan_capabilities(b->loan),
		.max_line = 65536,
		.proxy_tag = loan_proxy_tag(b->loan),
		.is_attached = true,
		.enabled = loan_enabled(b->loan),
	});
	stream_set_owner(b->server, &server_events, b);
	stream_resume(b->server);
}

void borrower_link(struct borrower *b, struct pool_rig *r, const char *password)
{
	borrower_init(b, r);
	b->on_ready = take_stream;
	borrower_ask(b, password);
	while (b->ready == 0) {
		assert_int_equal(b->refused + b->failed, 0);
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE);
	}
}

void borrower_say(struct borrower *b, const char *text)
{
	struct tracker_sink sink = sink_of(b);
	struct span in = span_str(text);
	enum tracker_verdict verdict = tracker_client(b->tracker, &in, &sink);
	assert_true(verdict == TRACKER_MORE || verdict == TRACKER_LOGOUT);
	assert_int_equal(in.n, 0);
	if (verdict == TRACKER_LOGOUT) {
		b->logouts++;
		b->kept = borrower_return(b, FAIL_LOGOUT);
	}
}

struct expected {
	struct borrower *borrower;
	size_t n;
};

static bool has_heard(void *arg)
{
	struct expected *e = arg;
	return buf_len(&e->borrower->heard) >= e->n;
}

void borrower_hear(struct borrower *b, const char *text)
{
	looper_until(&b->rig->looper, has_heard, &(struct expected){b, strlen(text)});
	pool_rig_settle(b->rig);
	struct span heard = buf_peek(&b->heard);
	if (!span_is(heard, text)) {
		print_error("heard: %.*s\n", SPAN_ARG(heard));
	}
	assert_true(span_is(heard, text));
	buf_clear(&b->heard);
}

const char *borrower_return(struct borrower *b, enum fail why)
{
	const char *not_parked;
	b->server = NULL;
	POOL_CALL(b->rig, not_parked = loan_return(&b->loan, &b->tracker, why));
	assert_null(b->loan);
	assert_null(b->tracker);
	return not_parked;
}

void borrower_park(struct pool_rig *r, const char *password)
{
	struct borrower b;
	size_t before = pool_count(r->pool, BACKEND_PARKED);
	borrower_link(&b, r, password);
	before -= b.is_reused ? 1 : 0;
	assert_null(borrower_return(&b, FAIL_LOGOUT));
	pool_rig_wait(r, BACKEND_PARKED, before + 1);
	borrower_finish(&b);
}

void borrower_finish(struct borrower *b)
{
	if (b->tracker != NULL) {
		tracker_destroy(&b->tracker);
		borrower_return(b, FAIL_CLIENT_LEFT);
	} else if (b->loan != NULL) {
		POOL_CALL(b->rig, loan_cancel(&b->loan));
	}
	buf_finish(&b->heard);
}
