/* Streams with TLS: both versions, STARTTLS in both roles, injection, names, verification, carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/looper.h"
#include "lib/pki.h"
#include "lib/tls_pair.h"
#include "../../../proxy/net/tls_context_priv.h"

static struct pki pki;
static char v12[] = "1.2", v13[] = "1.3";

struct talk {
	struct looper looper;
	struct peer client, server;
	struct pki_config config;
	struct tls_context *server_tls, *client_tls;
	int fds[2];
};

static struct stream_options server_side(struct talk *t)
{
	return (struct stream_options){.tls = t->server_tls, .is_server = true};
}

static struct stream_options client_side(struct talk *t, const char *name)
{
	return (struct stream_options){.tls = t->client_tls, .server_name = name};
}

static void make_contexts(struct talk *t)
{
	t->server_tls = tls_context_create_server(&t->config.config, &t->config.errors);
	t->client_tls = tls_context_create_client(&t->config.backend, &t->config.errors);
	for (size_t i = 0; i < t->config.errors.count; i++) {
		print_error("%s\n", t->config.errors.lines[i]);
	}
	assert_non_null(t->server_tls);
	assert_non_null(t->client_tls);
}

static void prepare(struct talk *t, const char *stem)
{
	looper_init(&t->looper);
	peer_init(&t->client);
	peer_init(&t->server);
	pki_configure(&pki, &t->config, stem);
	looper_tcp_pair(t->fds);
}

static void start_tls_peers(struct talk *t, const char *name)
{
	struct stream_options server = server_side(t);
	struct stream_options client = client_side(t, name);
	peer_start(&t->server, &t->looper, t->fds[1], &server);
	peer_start(&t->client, &t->looper, t->fds[0], &client);
}

static void end(struct talk *t)
{
	peer_finish(&t->client, &t->looper);
	peer_finish(&t->server, &t->looper);
	tls_context_unref(&t->server_tls);
	tls_context_unref(&t->client_tls);
	pki_config_finish(&t->config);
	looper_finish(&t->looper);
}

static void wait_open(struct talk *t)
{
	looper_wait(&t->looper, &t->client.opened);
	looper_wait(&t->looper, &t->server.opened);
}

static struct span pattern(size_t n)
{
	uint8_t *p = xmalloc(n);
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)(i * 31 + i / 251);
	}
	return span_of(p, n);
}

static void echo(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct talk t;
		prepare(&t, "good");
		t.config.config.tls.min_version = i == 0 ? v12 : v13;
		make_contexts(&t);
		if (i == 0) {
			SSL_CTX_set_max_proto_version(t.client_tls->ssl, TLS1_2_VERSION);
		}
		start_tls_peers(&t, "imap.example.org");
		peer_say(&t.client, "a NOOP\r\n"); /* before the handshake: waits for it */
		wait_open(&t);
		peer_wait_bytes(&t.server, &t.looper, 8);
		peer_say(&t.server, "a OK\r\n");
		peer_wait_bytes(&t.client, &t.looper, 6);
		assert_true(peer_heard(&t.client, "a OK\r\n"));
		assert_true(stream_is_tls(t.client.stream));
		assert_string_equal(
			stream_tls_version(t.client.stream), i == 0 ? "TLSv1.2" : "TLSv1.3");
		assert_string_equal(stream_tls_cipher(t.server.stream),
			i == 0 ? "ECDHE-ECDSA-AES256-GCM-SHA384" : "TLS_AES_256_GCM_SHA384");
		stream_close(t.client.stream, 1000);
		looper_wait(&t.looper, &t.server.ended);
		end(&t);
	}
}

/* Bulk both ways at once, the reader taking odd bites. */
static void bulk(void **state)
{
	(void)state;
	struct talk t;
	struct span bytes = pattern(3000000);
	prepare(&t, "good");
	make_contexts(&t);
	start_tls_peers(&t, "imap.example.org");
	wait_open(&t);
	size_t sent = 0;
	size_t step = 1;
	while (sent < bytes.n) {
		if (stream_pending(t.server.stream) > STREAM_HIGH_WATER) {
			t.server.drained = 0;
			looper_wait(&t.looper, &t.server.drained);
		}
		size_t n = step < bytes.n - sent ? step : bytes.n - sent;
		peer_say_bytes(&t.server, span_slice(bytes, sent, sent + n));
		sent += n;
		step = step * 3 % 99991;
	}
	peer_wait_bytes(&t.client, &t.looper, bytes.n);
	assert_true(span_equal(buf_peek(&t.client.in), bytes));
	free((void *)(uintptr_t)bytes.p);
	end(&t);
}

static void partial_use(void **state)
{
	(void)state;
	struct talk t;
	struct span bytes = pattern(200000);
	prepare(&t, "good");
	make_contexts(&t);
	start_tls_peers(&t, "imap.example.org");
	wait_open(&t);
	t.client.bite = 7777;
	peer_say_bytes(&t.server, bytes);
	stream_close(t.server.stream, LOOPER_PATIENCE_MS);
	while (t.client.seen < bytes.n) {
		stream_resume(t.client.stream);
		looper_spin(&t.looper, 1);
		assert_true(t.client.ended == 0 || t.client.seen == bytes.n);
	}
	looper_wait(&t.looper, &t.client.ended);
	assert_true(span_equal(buf_peek(&t.client.in), bytes));
	free((void *)(uintptr_t)bytes.p);
	end(&t);
}

/* STARTTLS: OK leaves in clear, then both sides shake hands. */
static void begin_server_tls(struct peer *p, struct span in)
{
	struct stream_options *options = p->arg;
	if (!stream_is_tls(p->stream) && in.n >= 12) {
		stream_write(p->stream, span_str("a OK\r\n"));
		p->opened = 0;
		assert_true(stream_start_tls(p->stream, options));
	}
}

static void begin_client_tls(struct peer *p, struct span in)
{
	struct stream_options *options = p->arg;
	if (!stream_is_tls(p->stream) && in.n >= 6) {
		p->opened = 0;
		assert_true(stream_start_tls(p->stream, options));
	}
}

static void start_clear_peers(
	struct talk *t, struct stream_options *server, struct stream_options *client)
{
	static const struct stream_options clear_server = {.is_server = true};
	*server = server_side(t);
	*client = client_side(t, "imap.example.org");
	t->server.arg = server;
	t->client.arg = client;
	peer_start(&t->server, &t->looper, t->fds[1], &clear_server);
	peer_start(&t->client, &t->looper, t->fds[0], NULL);
	wait_open(t);
}

static void starttls(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	t.server.on_data = begin_server_tls;
	t.client.on_data = begin_client_tls;
	peer_say(&t.client, "a STARTTLS\r\n");
	peer_wait_bytes(&t.client, &t.looper, 6);
	looper_wait(&t.looper, &t.client.opened);
	looper_wait(&t.looper, &t.server.opened);
	peer_say(&t.client, "b NOOP\r\n");
	peer_wait_bytes(&t.server, &t.looper, 12 + 8);
	assert_true(stream_is_tls(t.server.stream));
	end(&t);
}

/* S1: a command behind STARTTLS in one segment must not be taken for one that came over TLS. */
static void starttls_injected_by_client(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	t.server.on_data = begin_server_tls;
	t.server.bite = 12;
	peer_say(&t.client, "a STARTTLS\r\nb LOGIN u p\r\n");
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_STARTTLS_INJECTED);
	assert_int_equal(t.server.seen, 12);
	end(&t);
}

/* S2: the same trick by a server. */
static void starttls_injected_by_server(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	t.client.on_data = begin_client_tls;
	t.client.bite = 6;
	peer_say(&t.server, "a OK\r\na OK [CAPABILITY evil]\r\n");
	looper_wait(&t.looper, &t.client.failed);
	assert_int_equal(t.client.why, FAIL_SERVER_INJECTED);
	end(&t);
}

/* Outside of an event the stream knows at once. */
static void starttls_with_unread(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	t.server.bite = 12;
	peer_say(&t.client, "a STARTTLS\r\nb LOGIN u p\r\n");
	peer_wait_bytes(&t.server, &t.looper, 12);
	assert_false(stream_start_tls(t.server.stream, &server));
	assert_false(stream_is_tls(t.server.stream));
	end(&t);
}

/* The peer has ended before TLS begins: a failure, no waiting for ever. */
static void starttls_after_eof(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	stream_close(t.client.stream, LOOPER_PATIENCE_MS);
	looper_wait(&t.looper, &t.server.ended);
	assert_true(stream_start_tls(t.server.stream, &server));
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_CLIENT_TLS);
	assert_int_equal(t.server.opened, 1);
	end(&t);
}

static void starttls_on_dead_stream(void **state)
{
	(void)state;
	struct talk t;
	struct stream_options server, client;
	prepare(&t, "good");
	make_contexts(&t);
	start_clear_peers(&t, &server, &client);
	stream_close(t.server.stream, 100);
	assert_true(stream_start_tls(t.server.stream, &server));
	assert_false(stream_is_tls(t.server.stream));
	end(&t);
}

/* An owner who writes and writes before the handshake is done. */
static void flood_before_handshake(void **state)
{
	(void)state;
	struct talk t;
	struct span bytes = pattern(STREAM_HIGH_WATER);
	prepare(&t, "good");
	make_contexts(&t);
	struct stream_options server = server_side(&t);
	peer_start(&t.server, &t.looper, t.fds[1], &server);
	peer_start(&t.client, &t.looper, t.fds[0], NULL);
	for (int i = 0; i < 3; i++) {
		peer_say_bytes(&t.server, bytes);
	}
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_SLOW_READER);
	free((void *)(uintptr_t)bytes.p);
	end(&t);
}

struct verdict {
	const char *stem, *name;
	bool verify;
	const char *ca;
	enum fail why; /* FAIL_NONE: accepted */
	const char *detail;
};

static void verification(void **state)
{
	(void)state;
	static const struct verdict verdicts[] = {
		{"good", "imap.example.org", true, "ca.pem", FAIL_NONE, ""},
		{"good", "127.0.0.1", true, "ca.pem", FAIL_NONE, ""},
		{"good", "www.example.org", true, "ca.pem", FAIL_SERVER_VERIFY,
			"hostname mismatch"},
		{"good", "127.0.0.2", true, "ca.pem", FAIL_SERVER_VERIFY, "IP address mismatch"},
		{"good", "", true, "ca.pem", FAIL_SERVER_VERIFY, "no name to verify"},
		{"good", "www.example.org", false, "ca.pem", FAIL_NONE, ""},
		{"good", "", false, "ca.pem", FAIL_NONE, ""},
		{"old", "imap.example.org", true, "ca.pem", FAIL_SERVER_VERIFY,
			"certificate has expired"},
		{"early", "imap.example.org", true, "ca.pem", FAIL_SERVER_VERIFY, "not yet valid"},
		{"stranger", "imap.example.org", true, "ca.pem", FAIL_SERVER_VERIFY,
			"unable to get local issuer"},
		/* The server's own certificate as the authority; and that of another server. */
		{"good", "imap.example.org", true, "good.pem", FAIL_NONE, ""},
		{"good", "www.example.org", true, "good.pem", FAIL_SERVER_VERIFY,
			"hostname mismatch"},
		{"good", "imap.example.org", true, "wild.pem", FAIL_SERVER_VERIFY,
			"unable to get local issuer"},
		{"wild", "a.example.org", true, "ca.pem", FAIL_NONE, ""},
		{"wild", "a.b.example.org", true, "ca.pem", FAIL_SERVER_VERIFY,
			"hostname mismatch"},
	};
	struct pki other;
	pki_init(&other);
	pki_issue(&other, "stranger", "DNS:imap.example.org", -1, 10);
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		const struct verdict *v = &verdicts[i];
		struct talk t;
		prepare(&t, v->stem);
		if (strcmp(v->stem, "stranger") == 0) {
			pki_configure(&other, &t.config, v->stem);
		}
		t.config.files[0] = pki_path(&pki, v->ca);
		t.config.backend.verify = v->verify;
		make_contexts(&t);
		start_tls_peers(&t, v->name);
		if (v->why == FAIL_NONE) {
			wait_open(&t);
		} else {
			looper_wait(&t.looper, &t.client.failed);
			assert_int_equal(t.client.why, v->why);
			assert_int_equal(t.client.opened, 0);
			if (strcasestr(t.client.detail, v->detail) == NULL) {
				fail_msg("%s instead of %s", t.client.detail, v->detail);
			}
		}
		end(&t);
	}
	pki_finish(&other);
}

/* What arrives instead of TLS: an error of the client, and nothing of it is echoed. */
static void no_tls_at_all(void **state)
{
	(void)state;
	static const char *const openings[] = {
		"GET / HTTP/1.1\r\n\r\n", "a LOGIN u p\r\n", "\r\n\r\n\r\n"};
	for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
		struct talk t;
		prepare(&t, "good");
		make_contexts(&t);
		struct stream_options server = server_side(&t);
		peer_start(&t.server, &t.looper, t.fds[1], &server);
		peer_start(&t.client, &t.looper, t.fds[0], NULL);
		looper_wait(&t.looper, &t.client.opened);
		peer_say(&t.client, openings[i]);
		looper_wait(&t.looper, &t.server.failed);
		assert_int_equal(t.server.why, FAIL_CLIENT_TLS);
		assert_int_equal(t.server.opened, 0);
		end(&t);
	}
}

static void leaves_during_handshake(void **state)
{
	(void)state;
	struct talk t;
	prepare(&t, "good");
	make_contexts(&t);
	struct stream_options server = server_side(&t);
	struct stream_options client = client_side(&t, "imap.example.org");
	peer_start(&t.server, &t.looper, t.fds[1], &server);
	close(t.fds[0]);
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_CLIENT_TLS);
	peer_finish(&t.server, &t.looper);
	looper_tcp_pair(t.fds);
	peer_init(&t.server);
	peer_start(&t.client, &t.looper, t.fds[0], &client);
	peer_start(&t.server, &t.looper, t.fds[1], NULL);
	looper_wait(&t.looper, &t.server.opened);
	stream_close(t.server.stream, 1000);
	looper_wait(&t.looper, &t.client.failed);
	assert_int_equal(t.client.why, FAIL_SERVER_TLS);
	end(&t);
}

/* A raw socket to a TLS server stream, driven by an engine in memory. */
struct raw {
	int fd;
	struct tls_end end;
};

/* Sends what the engine has to say in pieces, and gives it what has arrived. False: the peer is gone. */
static bool raw_turn(struct talk *t, struct raw *r, size_t piece)
{
	struct span out = buf_peek(&r->end.out);
	out.n = out.n < piece ? out.n : piece;
	if (out.n > 0) {
		assert_int_equal(send(r->fd, out.p, out.n, MSG_NOSIGNAL), out.n);
		buf_consume(&r->end.out, out.n);
	}
	looper_spin(&t->looper, 1);
	uint8_t bytes[4096];
	ssize_t n = recv(r->fd, bytes, sizeof bytes, 0);
	if (n > 0) {
		tls_end_receive(&r->end, span_of(bytes, (size_t)n));
	}
	return n != 0 && (n > 0 || errno == EAGAIN);
}

static void raw_begin(struct talk *t, struct raw *r)
{
	struct stream_options server = server_side(t);
	peer_start(&t->server, &t->looper, t->fds[1], &server);
	*r = (struct raw){.fd = t->fds[0]};
	tls_end_init(&r->end, t->client_tls, false, "imap.example.org");
}

static void raw_end(struct talk *t, struct raw *r)
{
	close(r->fd);
	tls_end_finish(&r->end);
	t->client.closed = 1; /* there was none */
	end(t);
}

/* A client that sends one byte at a time is served, in its own time. */
static void one_byte_at_a_time(void **state)
{
	(void)state;
	struct talk t;
	struct raw r;
	prepare(&t, "good");
	make_contexts(&t);
	raw_begin(&t, &r);
	while (!r.end.is_open || buf_len(&r.end.out) > 0) {
		assert_true(raw_turn(&t, &r, 1));
	}
	tls_end_say(&r.end, "a NOOP\r\n");
	while (t.server.seen < 8) {
		assert_true(raw_turn(&t, &r, 1));
	}
	assert_true(peer_heard(&t.server, "a NOOP\r\n"));
	raw_end(&t, &r);
}

/* Paused from the first moment: the handshake runs, what comes with it waits. */
static void paused_in_handshake(void **state)
{
	(void)state;
	struct talk t;
	struct raw r;
	prepare(&t, "good");
	make_contexts(&t);
	raw_begin(&t, &r);
	stream_pause(t.server.stream);
	while (!r.end.is_open) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	tls_end_say(&r.end, "with the handshake"); /* in one segment with Finished */
	while (t.server.opened == 0) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	looper_spin(&t.looper, 5);
	assert_int_equal(t.server.seen, 0);
	stream_resume(t.server.stream);
	peer_wait_bytes(&t.server, &t.looper, 18);
	raw_end(&t, &r);
}

/* FIN without close_notify: an end like any other; who relays knows whether something was open. */
static void eof_without_goodbye(void **state)
{
	(void)state;
	struct talk t;
	struct raw r;
	prepare(&t, "good");
	make_contexts(&t);
	raw_begin(&t, &r);
	while (!r.end.is_open) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	tls_end_say(&r.end, "half a line");
	while (buf_len(&r.end.out) > 0) {
		raw_turn(&t, &r, SIZE_MAX);
	}
	assert_int_equal(shutdown(r.fd, SHUT_WR), 0);
	looper_wait(&t.looper, &t.server.ended);
	assert_true(peer_heard(&t.server, "half a line"));
	assert_int_equal(t.server.failed, 0);
	/* The other direction is still open. */
	peer_say(&t.server, "* BYE\r\n");
	while (buf_len(&r.end.plain) < 7) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	raw_end(&t, &r);
}

static void reset(void **state)
{
	(void)state;
	struct talk t;
	struct raw r;
	prepare(&t, "good");
	make_contexts(&t);
	raw_begin(&t, &r);
	while (!r.end.is_open || t.server.opened == 0) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	int gone = r.fd;
	r.fd = dup(2);
	close(gone);
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_CLIENT_IO);
	raw_end(&t, &r);
}

/* A record that was changed on the way: the stream fails, the peer is told by an alert. */
static void changed_record(void **state)
{
	(void)state;
	struct talk t;
	struct raw r;
	prepare(&t, "good");
	make_contexts(&t);
	raw_begin(&t, &r);
	while (!r.end.is_open || t.server.opened == 0) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	tls_end_say(&r.end, "a NOOP\r\n");
	struct span wire = buf_peek(&r.end.out);
	((uint8_t *)(uintptr_t)wire.p)[wire.n - 1] ^= 1;
	while (t.server.failed == 0) {
		raw_turn(&t, &r, SIZE_MAX);
	}
	assert_int_equal(t.server.why, FAIL_CLIENT_TLS);
	assert_int_equal(t.server.seen, 0);
	stream_close(t.server.stream, 1000);
	while (r.end.state != TLS_FAILED) {
		assert_true(raw_turn(&t, &r, SIZE_MAX));
	}
	assert_non_null(strstr(tls_detail(r.end.tls), "alert"));
	raw_end(&t, &r);
}

/* S17: a browser led to the IMAP port gets the alert that ends its attempt. */
static void alpn_alert_arrives(void **state)
{
	(void)state;
	struct talk t;
	prepare(&t, "good");
	make_contexts(&t);
	SSL_CTX_set_alpn_protos(t.client_tls->ssl, (const uint8_t *)"\10http/1.1", 9);
	start_tls_peers(&t, "imap.example.org");
	looper_wait(&t.looper, &t.server.failed);
	assert_int_equal(t.server.why, FAIL_CLIENT_TLS);
	assert_string_equal(t.server.detail, "no application protocol");
	stream_close(t.server.stream, 0);
	looper_wait(&t.looper, &t.client.failed);
	assert_int_equal(t.client.why, FAIL_SERVER_TLS);
	assert_non_null(strstr(t.client.detail, "no application protocol"));
	end(&t);
}

/* What was written leaves before close_notify and FIN, however much it is. */
static void close_with_linger(void **state)
{
	(void)state;
	struct talk t;
	struct span bytes = pattern(STREAM_HIGH_WATER);
	prepare(&t, "good");
	make_contexts(&t);
	start_tls_peers(&t, "imap.example.org");
	wait_open(&t);
	stream_pause(t.client.stream);
	peer_say_bytes(&t.server, bytes);
	peer_say(&t.server, "* BYE\r\n");
	stream_close(t.server.stream, LOOPER_PATIENCE_MS);
	stream_write(t.server.stream, span_str("too late"));
	looper_spin(&t.looper, 5);
	assert_int_equal(t.server.closed, 0);
	stream_resume(t.client.stream);
	looper_wait(&t.looper, &t.client.ended);
	assert_int_equal(t.client.seen, bytes.n + 7);
	free((void *)(uintptr_t)bytes.p);
	end(&t);
}

static void slow_reader(void **state)
{
	(void)state;
	struct talk t;
	struct span bytes = pattern(STREAM_HIGH_WATER);
	prepare(&t, "good");
	make_contexts(&t);
	start_tls_peers(&t, "imap.example.org");
	wait_open(&t);
	stream_pause(t.client.stream);
	while (t.server.failed == 0) {
		assert_true(stream_pending(t.server.stream) <= STREAM_OUT_MAX);
		peer_say_bytes(&t.server, bytes);
		looper_spin(&t.looper, 1);
	}
	assert_int_equal(t.server.why, FAIL_SLOW_READER);
	free((void *)(uintptr_t)bytes.p);
	end(&t);
}

/* The second connection to a backend continues the session of the first. */
static void resumption(void **state)
{
	(void)state;
	static char name[] = "imap.example.org";
	struct talk t;
	prepare(&t, "good");
	t.config.backend.server_name = name;
	make_contexts(&t);
	for (int i = 0; i < 2; i++) {
		start_tls_peers(&t, name);
		wait_open(&t);
		assert_int_equal(stream_tls_is_resumed(t.server.stream), i == 1);
		assert_int_equal(stream_tls_is_resumed(t.client.stream), i == 1);
		peer_say(&t.server, "* OK\r\n");
		peer_wait_bytes(&t.client, &t.looper, 6);
		if (i == 0) {
			peer_finish(&t.client, &t.looper);
			peer_finish(&t.server, &t.looper);
			peer_init(&t.client);
			peer_init(&t.server);
			looper_tcp_pair(t.fds);
		}
	}
	end(&t);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org,IP:127.0.0.1", -1, 10);
	pki_issue(&pki, "wild", "DNS:*.example.org", -1, 10);
	pki_issue(&pki, "old", "DNS:imap.example.org", -10, -1);
	pki_issue(&pki, "early", "DNS:imap.example.org", 1, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_finish(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(bulk),
		cmocka_unit_test(partial_use),
		cmocka_unit_test(starttls),
		cmocka_unit_test(starttls_injected_by_client),
		cmocka_unit_test(starttls_injected_by_server),
		cmocka_unit_test(starttls_with_unread),
		cmocka_unit_test(starttls_after_eof),
		cmocka_unit_test(starttls_on_dead_stream),
		cmocka_unit_test(flood_before_handshake),
		cmocka_unit_test(verification),
		cmocka_unit_test(no_tls_at_all),
		cmocka_unit_test(leaves_during_handshake),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(paused_in_handshake),
		cmocka_unit_test(eof_without_goodbye),
		cmocka_unit_test(reset),
		cmocka_unit_test(changed_record),
		cmocka_unit_test(alpn_alert_arrives),
		cmocka_unit_test(close_with_linger),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(resumption),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
