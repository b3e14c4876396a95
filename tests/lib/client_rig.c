#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/client_rig.h"
#include "lib/clock.h"
#include "lib/pki.h"

static struct pki pki;
static struct pki_config pki_config;
struct tls_context *rig_server_tls;
struct tls_context *rig_client_tls;

static void on_credentials(void *owner)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	assert_int_equal(r->gone, 0);
	r->credentials++;
	assert_int_equal(client_state(r->client), CLIENT_WAITING);
	struct credentials *c = client_credentials(r->client);
	snprintf(r->user, sizeof r->user, "%.*s", SPAN_ARG(secret_span(&c->user)));
	snprintf(r->password, sizeof r->password, "%.*s", SPAN_ARG(secret_span(&c->password)));
	if (r->on_credentials != NULL) {
		r->on_credentials(r);
	}
}

static unsigned mechanisms(void *owner)
{
	struct client_rig *r = owner;
	return r->mechanisms;
}

static void on_response(void *owner, struct span line)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	assert_int_equal(r->gone, 0);
	assert_int_equal(client_state(r->client), CLIENT_WAITING);
	r->responses++;
	snprintf(r->response, sizeof r->response, "%.*s", SPAN_ARG(line));
}

static void on_cancelled(void *owner)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	assert_int_equal(client_state(r->client), CLIENT_PREAUTH);
	r->cancelled++;
}

static void on_movable(void *owner)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	r->movable++;
}

static size_t on_data(void *owner, struct span in)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	assert_int_equal(r->gone, 0);
	size_t use = r->bite > 0 && r->bite < in.n ? r->bite : in.n;
	assert_true(buf_add(&r->data, span_slice(in, 0, use)));
	return use;
}

static void on_drained(void *owner)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	r->drained++;
}

static void on_gone(void *owner, enum fail why, const char *detail)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	assert_non_null(detail);
	r->gone++;
	r->why = why;
	client_close(r->client, CLIENT_LINGER_MS);
}

static void on_closed(void *owner)
{
	struct client_rig *r = owner;
	assert_false(r->is_inside);
	r->closed++;
	r->client = NULL;
}

const struct client_events rig_events = {
	.mechanisms = mechanisms,
	.on_credentials = on_credentials,
	.on_response = on_response,
	.on_cancelled = on_cancelled,
	.on_movable = on_movable,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_gone = on_gone,
	.on_closed = on_closed,
};

void rig_until(struct client_rig *r, bool (*is_so)(void *arg), void *arg)
{
	uint64_t deadline = uv_hrtime() + LOOPER_PATIENCE_MS * UINT64_C(1000000);
	while (!is_so(arg)) {
		assert_true(uv_hrtime() < deadline);
		uv_run(&r->looper.loop.uv, UV_RUN_ONCE); /* not longer than a glance */
		looper_spin(&r->other, 1);
	}
}

static bool is_set(void *flag)
{
	return *(int *)flag != 0;
}

void rig_jump(struct client_rig *r, uint64_t ms)
{
	clock_jump(ms);
	looper_spin(&r->looper, 5);
	looper_spin(&r->other, 5);
}

void rig_wait(struct client_rig *r, int *flag)
{
	rig_until(r, is_set, flag);
}

int rig_make(void **state)
{
	struct client_rig *r = calloc(1, sizeof *r);
	looper_init(&r->looper);
	looper_init(&r->other);
	peer_init(&r->peer);
	buf_init(&r->data, 16 * 1024 * 1024);
	r->limits = (struct config_limits){
		.preauth_timeout = 60000, .preauth_bytes = 65536, .line = 65536};
	r->options = (struct client_options){
		.mode = TLS_NONE, .may_sign_in_clear = true, .limits = &r->limits};
	r->mechanisms = MECHANISMS_PASSWORD;
	*state = r;
	return 0;
}

void rig_begin(struct client_rig *r, enum tls_mode mode)
{
	int fds[2];
	struct stream_options tls = {.tls = rig_client_tls, .server_name = "mail.example.org"};
	looper_tcp_pair(fds);
	r->options.mode = mode;
	if (mode != TLS_NONE) {
		r->options.tls = rig_server_tls;
		r->options.may_sign_in_clear = false;
	}
	CALL(r, r->client = client_create(&r->looper.loop, fds[0], &r->options, &rig_events, r));
	assert_non_null(r->client);
	assert_int_equal(client_state(r->client), CLIENT_HANDSHAKE);
	peer_start(&r->peer, &r->looper, fds[1], mode == TLS_IMPLICIT ? &tls : NULL);
}

int rig_unmake(void **state)
{
	struct client_rig *r = *state;
	if (r->client != NULL) {
		CALL(r, client_close(r->client, 0));
		rig_wait(r, &r->closed);
	}
	if (r->peer.stream != NULL) {
		peer_finish(&r->peer, &r->looper);
	}
	buf_finish(&r->data);
	buf_finish(&r->peer.in);
	looper_finish(&r->other);
	looper_finish(&r->looper);
	free(r);
	return 0;
}

/* The peer has heard something that ends so. */
struct ending {
	struct client_rig *rig;
	const char *text;
};

static bool has_heard(void *arg)
{
	struct ending *e = arg;
	struct span heard = buf_peek(&e->rig->peer.in);
	size_t n = strlen(e->text);
	return heard.n >= n && span_is(span_slice(heard, heard.n - n, heard.n), e->text);
}

void rig_hear(struct client_rig *r, const char *text)
{
	rig_until(r, has_heard, &(struct ending){r, text});
}

/* What was heard, from the beginning and whole; forgotten then. */
void rig_assert_heard(struct client_rig *r, const char *expected)
{
	rig_hear(r, expected);
	struct span heard = buf_peek(&r->peer.in);
	if (!span_is(heard, expected)) {
		print_error("heard: %.*s\n", SPAN_ARG(heard));
	}
	assert_true(span_is(heard, expected));
	buf_clear(&r->peer.in);
}

void rig_forget(struct client_rig *r)
{
	buf_clear(&r->peer.in);
}

struct much {
	struct client_rig *rig;
	size_t n;
};

static bool has_much(void *arg)
{
	struct much *m = arg;
	return buf_len(&m->rig->data) >= m->n;
}

void rig_wait_data(struct client_rig *r, size_t n)
{
	rig_until(r, has_much, &(struct much){r, n});
}

void rig_expect_data(struct client_rig *r, const char *text)
{
	rig_wait_data(r, strlen(text));
	looper_spin(&r->looper, 3);
	assert_true(span_is(buf_peek(&r->data), text));
	buf_clear(&r->data);
}

void rig_greet(struct client_rig *r)
{
	rig_hear(r, "imapmux ready\r\n");
	assert_int_equal(client_state(r->client), CLIENT_PREAUTH);
	rig_forget(r);
}

void rig_sign_in(struct client_rig *r, const char *text)
{
	r->credentials = 0;
	peer_say(&r->peer, text);
	rig_wait(r, &r->credentials);
	assert_int_equal(r->gone, 0);
}

void rig_accept(struct client_rig *r)
{
	CALL(r, client_accept(r->client, span_str("IMAP4rev1 X"), "Logged in"));
	assert_int_equal(client_state(r->client), CLIENT_LINKED);
}

void rig_refuse(struct client_rig *r)
{
	CALL(r, client_refuse(r->client, span_str("[AUTHENTICATIONFAILED] No.")));
	assert_int_equal(client_state(r->client), CLIENT_PREAUTH);
}

void rig_start_tls(struct client_rig *r)
{
	struct stream_options tls = {.tls = rig_client_tls, .server_name = "mail.example.org"};
	peer_say(&r->peer, "s STARTTLS\r\n");
	rig_hear(r, "s OK Begin TLS negotiation now\r\n");
	rig_forget(r);
	r->peer.opened = 0;
	assert_true(stream_start_tls(r->peer.stream, &tls));
	rig_wait(r, &r->peer.opened);
}

void rig_hang_up(struct client_rig *r)
{
	CALL(r, stream_close(r->peer.stream, 1000));
}

static bool has_ended(void *arg)
{
	struct client_rig *r = arg;
	return r->peer.ended > 0 || r->peer.failed > 0;
}

/* What the peer hears up to the end of the stream. */
void rig_hear_the_end(struct client_rig *r)
{
	rig_until(r, has_ended, r);
}

int rig_make_pki(void **state)
{
	(void)state;
	struct config_errors *errors = &pki_config.errors;
	pki_init(&pki);
	pki_issue(&pki, "mail", "DNS:mail.example.org", -1, 1);
	pki_configure(&pki, &pki_config, "mail");
	rig_server_tls = tls_context_create_server(&pki_config.config, errors);
	rig_client_tls = tls_context_create_client(&pki_config.backend, errors);
	return rig_server_tls != NULL && rig_client_tls != NULL ? 0 : -1;
}

int rig_unmake_pki(void **state)
{
	(void)state;
	tls_context_unref(&rig_server_tls);
	tls_context_unref(&rig_client_tls);
	pki_config_finish(&pki_config);
	pki_finish(&pki);
	return 0;
}

struct client_rig *rig_renew(void **state)
{
	rig_unmake(state);
	rig_make(state);
	return *state;
}
