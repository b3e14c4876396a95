/* The TLS engine in memory: splits, versions, ALPN, names, hostile records, tickets, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "lib/tls_pair.h"
#include "../../../proxy/net/tls_context_priv.h"

static struct pki pki;
static const char name[] = "imap.example.org";
static char own_name[] = "imap.example.org";

struct setting {
	struct pki_config config;
	struct tls_context *server, *client;
};

static void make(struct setting *s)
{
	s->server = tls_context_create_server(&s->config.config, &s->config.errors);
	s->client = tls_context_create_client(&s->config.backend, &s->config.errors);
	for (size_t i = 0; i < s->config.errors.count; i++) {
		print_error("%s\n", s->config.errors.lines[i]);
	}
	assert_non_null(s->server);
	assert_non_null(s->client);
}

static void begin(struct setting *s)
{
	pki_configure(&pki, &s->config, "good");
	make(s);
}

static void end(struct setting *s)
{
	tls_context_unref(&s->server);
	tls_context_unref(&s->client);
	tls_context_unref(&s->client); /* NULL is fine */
	pki_config_finish(&s->config);
}

static void only_tls12(struct setting *s)
{
	SSL_CTX_set_max_proto_version(s->client->ssl, TLS1_2_VERSION);
}

struct two {
	struct tls_end client, server;
};

static void meet(struct two *t, struct setting *s, size_t piece)
{
	tls_end_init(&t->server, s->server, true, NULL);
	tls_end_init(&t->client, s->client, false, name);
	tls_talk(&t->client, &t->server, piece);
}

static void part(struct two *t)
{
	tls_end_finish(&t->client);
	tls_end_finish(&t->server);
}

static void assert_open(struct two *t)
{
	if (!t->client.is_open || !t->server.is_open) {
		fail_msg("client: %s; server: %s", tls_detail(t->client.tls),
			tls_detail(t->server.tls));
	}
}

static void assert_plain(struct tls_end *e, const char *text)
{
	assert_true(span_is(buf_peek(&e->plain), text));
	buf_clear(&e->plain);
}

static void byte_by_byte(void **state)
{
	(void)state;
	for (int is_12 = 0; is_12 < 2; is_12++) {
		for (size_t piece = 1; piece < 4000; piece = piece * 3 + 1) {
			struct setting s;
			struct two t;
			begin(&s);
			if (is_12) {
				only_tls12(&s);
			}
			meet(&t, &s, piece);
			assert_open(&t);
			assert_string_equal(
				tls_version(t.client.tls), is_12 ? "TLSv1.2" : "TLSv1.3");
			assert_true(strlen(tls_cipher(t.server.tls)) > 0);
			tls_end_say(&t.client, "a NOOP\r\n");
			tls_end_say(&t.server, "* OK\r\n");
			tls_talk(&t.client, &t.server, piece);
			assert_plain(&t.server, "a NOOP\r\n");
			assert_plain(&t.client, "* OK\r\n");
			part(&t);
			end(&s);
		}
	}
}

/* Both flights of a handshake, each cut in two at every byte. */
static void split_everywhere(void **state)
{
	(void)state;
	struct setting s;
	begin(&s);
	size_t length = 1;
	for (size_t cut = 1; cut < length; cut++) {
		struct two t;
		tls_end_init(&t.server, s.server, true, NULL);
		tls_end_init(&t.client, s.client, false, name);
		struct span hello = buf_peek(&t.client.out);
		size_t at = cut < hello.n ? cut : hello.n;
		tls_end_receive(&t.server, span_slice(hello, 0, at));
		tls_end_receive(&t.server, span_slice(hello, at, hello.n));
		buf_clear(&t.client.out);
		struct span flight = buf_peek(&t.server.out);
		length = flight.n;
		tls_end_receive(&t.client, span_slice(flight, 0, cut));
		tls_end_receive(&t.client, span_slice(flight, cut, flight.n));
		buf_clear(&t.server.out);
		tls_talk(&t.client, &t.server, SIZE_MAX);
		assert_open(&t);
		part(&t);
		if (cut == 1) {
			assert_true(length > 500);
		}
	}
	end(&s);
}

static struct span pattern(size_t n)
{
	uint8_t *p = xmalloc(n);
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)(i * 31 + i / 251);
	}
	return span_of(p, n);
}

/* The second time behind the sign-in, when both ends, being of one thread, have something in common. */
static void bulk(void **state)
{
	(void)state;
	struct setting s;
	struct two t;
	struct span bytes = pattern(100000);
	begin(&s);
	meet(&t, &s, SIZE_MAX);
	static const size_t pieces[] = {1, 5, 1460, 16384, SIZE_MAX};
	enum { PIECES = sizeof pieces / sizeof *pieces };
	for (size_t i = 0; i < 2 * (size_t)PIECES; i++) {
		assert_int_equal(tls_write(t.server.tls, bytes, &t.server.out), TLS_DONE);
		assert_true(buf_len(&t.server.out) < bytes.n + bytes.n / 100);
		tls_end_say(&t.client, "a NOOP\r\n");
		tls_talk(&t.client, &t.server, pieces[i % PIECES]);
		assert_true(span_equal(buf_peek(&t.client.plain), bytes));
		assert_plain(&t.server, "a NOOP\r\n");
		buf_clear(&t.client.plain);
		if (i + 1 == PIECES) {
			tls_end_secrecy(t.server.tls);
			tls_end_secrecy(t.client.tls);
		}
	}
	free((void *)(uintptr_t)bytes.p);
	part(&t);
	end(&s);
}

/* TLS_DONE says that the room is full, whatever remains. */
static void small_rooms(void **state)
{
	(void)state;
	struct setting s;
	struct two t;
	uint8_t byte = 0;
	size_t got = 0;
	begin(&s);
	meet(&t, &s, SIZE_MAX);
	tls_end_say(&t.client, "abc");
	struct span wire = buf_peek(&t.client.out);
	for (const char *p = "abc"; *p != '\0'; p++) {
		assert_int_equal(
			tls_read(t.server.tls, &wire, &byte, 1, &got, &t.server.out), TLS_DONE);
		assert_int_equal(got, 1);
		assert_int_equal(byte, *p);
		assert_int_equal(tls_has_input(t.server.tls), p[1] != '\0');
	}
	assert_int_equal(tls_read(t.server.tls, &wire, &byte, 1, &got, &t.server.out), TLS_MORE);
	assert_int_equal(got, 0);
	part(&t);
	end(&s);
}

static void goodbye(void **state)
{
	(void)state;
	struct setting s;
	struct two t;
	begin(&s);
	meet(&t, &s, SIZE_MAX);
	tls_end_say(&t.client, "a LOGOUT\r\n");
	tls_close_notify(t.client.tls, &t.client.out);
	tls_close_notify(t.client.tls, &t.client.out);
	tls_talk(&t.client, &t.server, SIZE_MAX);
	assert_int_equal(t.server.state, TLS_END);
	assert_plain(&t.server, "a LOGOUT\r\n");
	/* Half closed: our direction still works. */
	tls_end_say(&t.server, "* BYE\r\n");
	tls_end_receive(&t.client, buf_peek(&t.server.out));
	assert_plain(&t.client, "* BYE\r\n");
	part(&t);
	end(&s);
}

/* No close_notify before the handshake: it would be an alert in clear. */
static void no_goodbye_before_hello(void **state)
{
	(void)state;
	struct setting s;
	struct tls_end e;
	begin(&s);
	tls_end_init(&e, s.server, true, NULL);
	tls_close_notify(e.tls, &e.out);
	assert_int_equal(buf_len(&e.out), 0);
	tls_end_finish(&e);
	end(&s);
}

/* A peer that takes nothing fails as a slow reader, not as a broken TLS connection. */
static void full_output(void **state)
{
	(void)state;
	struct setting s;
	struct two t;
	struct buf small;
	static uint8_t bytes[5000];
	begin(&s);
	meet(&t, &s, SIZE_MAX);
	buf_init(&small, 4000);
	assert_int_equal(tls_write(t.server.tls, span_of(bytes, sizeof bytes), &small), TLS_FAILED);
	assert_int_equal(tls_fail(t.server.tls), FAIL_SLOW_READER);
	assert_int_equal(tls_write(t.server.tls, span_str("x"), &t.server.out), TLS_FAILED);
	buf_finish(&small);
	part(&t);
	end(&s);
}

/* After a sound handshake any byte of the stream is changed: no data but a true prefix comes out. */
static void corrupted(void **state)
{
	(void)state;
	static const char text[] = "b LOGIN secret secret\r\n";
	struct setting s;
	uint32_t random = 12345;
	begin(&s);
	for (int i = 0; i < 300; i++) {
		struct two t;
		meet(&t, &s, SIZE_MAX);
		tls_end_say(&t.client, text);
		tls_end_say(&t.client, text);
		struct span wire = buf_peek(&t.client.out);
		random = random * 1103515245 + 12345;
		size_t at = (random >> 8) % wire.n;
		((uint8_t *)(uintptr_t)wire.p)[at] ^= (uint8_t)(1 + (random >> 24) % 255);
		tls_end_receive(&t.server, wire);
		size_t got = buf_len(&t.server.plain);
		assert_true(got == 0 || got == strlen(text));
		assert_true(span_starts_nocase(span_str(text), got > 0 ? text : ""));
		if (t.server.state == TLS_FAILED) {
			assert_int_equal(tls_fail(t.server.tls), FAIL_CLIENT_TLS);
			assert_true(strlen(tls_detail(t.server.tls)) > 0);
		}
		part(&t);
	}
	end(&s);
}

/* Garbage instead of a ClientHello: failure with an alert, of bounded size. */
static void garbage(void **state)
{
	(void)state;
	struct setting s;
	uint32_t random = 99;
	begin(&s);
	for (int i = 0; i < 300; i++) {
		struct tls_end e;
		uint8_t bytes[200];
		for (size_t k = 0; k < sizeof bytes; k++) {
			random = random * 1103515245 + 12345;
			bytes[k] = (uint8_t)(random >> 16);
		}
		if (i % 2 == 0) {
			memcpy(bytes, "\x16\x03\x01\x00\xc3\x01\x00\x00\xbf\x03\x03", 11);
		}
		tls_end_init(&e, s.server, true, NULL);
		tls_end_receive(&e, span_of(bytes, sizeof bytes));
		assert_int_equal(e.state, TLS_FAILED);
		assert_int_equal(tls_fail(e.tls), FAIL_CLIENT_TLS);
		assert_true(buf_len(&e.out) <= 64);
		tls_end_finish(&e);
	}
	end(&s);
}

/* A ClientHello of 128 KiB, of which nobody knows yet that it is none: cut off at the bound. */
static void endless_hello(void **state)
{
	(void)state;
	static uint8_t record[5 + 16384] = {0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x01, 0xff, 0xff};
	struct setting s;
	struct tls_end e;
	size_t sent = 0;
	begin(&s);
	tls_end_init(&e, s.server, true, NULL);
	while (e.state == TLS_MORE) {
		assert_true(sent <= TLS_HANDSHAKE_MAX);
		tls_end_receive(&e, span_of(record, sizeof record));
		sent += sizeof record;
	}
	assert_int_equal(e.state, TLS_FAILED);
	assert_string_equal(tls_detail(e.tls), "handshake too long");
	tls_end_finish(&e);
	end(&s);
}

/* ALPN: ALPACA's browser is refused, whoever offers imap or nothing is served. */
struct offer {
	const char *list; /* wire form */
	size_t n;
	bool ok;
};

static void alpn(void **state)
{
	(void)state;
	static const struct offer offers[] = {
		{"", 0, true},
		{"\4imap", 5, true},
		{"\4pop3\4imap", 10, true},
		{"\10http/1.1", 9, false},
		{"\2h2\10http/1.1", 12, false},
		{"\5imaps", 6, false},
		{"\4IMAP", 5, false},
		{"\3ima", 4, false},
	};
	struct setting s;
	begin(&s);
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct two t;
		SSL_CTX_set_alpn_protos(
			s.client->ssl, (const uint8_t *)offers[i].list, (unsigned)offers[i].n);
		meet(&t, &s, SIZE_MAX);
		if (offers[i].ok) {
			assert_open(&t);
		} else {
			assert_int_equal(t.server.state, TLS_FAILED);
			assert_int_equal(tls_fail(t.server.tls), FAIL_CLIENT_TLS);
			assert_string_equal(tls_detail(t.server.tls), "no application protocol");
			assert_int_equal(t.client.state, TLS_FAILED);
			assert_non_null(
				strstr(tls_detail(t.client.tls), "no application protocol"));
		}
		part(&t);
	}
	end(&s);
}

/* The certificate is chosen by name; the client's verification proves which one it got. */
static void names(void **state)
{
	(void)state;
	static const struct {
		const char *asked;
		bool ok;
	} rows[] = {
		{"imap.example.org", true}, /* the default pair */
		{"a.example.net", true},    /* *.example.net */
		{"A.Example.NET", true},
		{"exact.example.net", true}, /* its own pair, though the wildcard fits, too */
		{"a.b.example.net", false},  /* a wildcard is one label */
		{"example.net", false},
		{"127.0.0.1", true}, /* no SNI: the default pair */
		{"unknown.example.com", false},
	};
	struct setting s;
	pki_configure(&pki, &s.config, "good");
	pki_add_name(&pki, &s.config, "*.Example.net", "wild");
	pki_add_name(&pki, &s.config, "exact.example.net", "exact");
	make(&s);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct two t;
		tls_end_init(&t.server, s.server, true, NULL);
		tls_end_init(&t.client, s.client, false, rows[i].asked);
		tls_talk(&t.client, &t.server, SIZE_MAX);
		if (t.client.is_open != rows[i].ok) {
			fail_msg("%s: %s", rows[i].asked, tls_detail(t.client.tls));
		}
		if (!rows[i].ok) {
			assert_int_equal(tls_fail(t.client.tls), FAIL_SERVER_VERIFY);
		}
		part(&t);
	}
	end(&s);
}

/* A long list of hostile names costs nothing that stays (S11), and none of them is served. */
static void hostile_names(void **state)
{
	(void)state;
	struct setting s;
	pki_configure(&pki, &s.config, "good");
	pki_add_name(&pki, &s.config, "*.example.net", "wild");
	make(&s);
	char longest[256];
	memset(longest, 'a', 255);
	longest[255] = '\0';
	const char *const rows[] = {"*.example.net", ".example.net", "..", ".", longest};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL *client = NULL;
		struct tls_end e;
		SSL_CTX *context = SSL_CTX_new(TLS_client_method());
		tls_end_init(&e, s.server, true, NULL);
		client = SSL_new(context);
		assert_int_equal(SSL_set_tlsext_host_name(client, rows[i]), 1);
		SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_connect_state(client);
		SSL_do_handshake(client);
		raw_talk(client, &e);
		assert_true(e.is_open);
		X509 *got = SSL_get1_peer_certificate(client);
		assert_int_equal(X509_check_host(got, name, 0, 0, NULL), 1);
		X509_free(got);
		SSL_free(client);
		SSL_CTX_free(context);
		tls_end_finish(&e);
	}
	end(&s);
}

static void versions(void **state)
{
	(void)state;
	static char v13[] = "1.3";
	struct setting s;
	struct two t;
	pki_configure(&pki, &s.config, "good");
	s.config.config.tls.min_version = v13;
	make(&s);
	only_tls12(&s);
	meet(&t, &s, SIZE_MAX);
	assert_int_equal(t.server.state, TLS_FAILED);
	assert_string_equal(tls_detail(t.server.tls), "unsupported protocol");
	part(&t);
	end(&s);
	/* Nor is anything older than 1.2 served or used (S15). */
	begin(&s);
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	SSL *client = raw_client(old);
	tls_end_init(&t.server, s.server, true, NULL);
	raw_talk(client, &t.server);
	assert_int_equal(t.server.state, TLS_FAILED);
	assert_string_equal(tls_detail(t.server.tls), "unsupported protocol");
	SSL_free(client);
	SSL_CTX_free(old);
	tls_end_finish(&t.server);
	SSL_CTX_set_security_level(s.server->ssl, 0);
	SSL_CTX_set_min_proto_version(s.server->ssl, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(s.server->ssl, TLS1_1_VERSION);
	meet(&t, &s, SIZE_MAX);
	assert_int_equal(t.client.state, TLS_FAILED);
	assert_int_equal(tls_fail(t.client.tls), FAIL_SERVER_TLS);
	part(&t);
	end(&s);
}

/* Renegotiation is refused and the connection goes on; key updates are answered. */
static void renegotiation(void **state)
{
	(void)state;
	for (int is_12 = 0; is_12 < 2; is_12++) {
		struct setting s;
		struct tls_end e;
		begin(&s);
		SSL_CTX *context = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_max_proto_version(context, is_12 ? TLS1_2_VERSION : TLS1_3_VERSION);
		tls_end_init(&e, s.server, true, NULL);
		SSL *client = raw_client(context);
		raw_talk(client, &e);
		assert_true(e.is_open);
		tls_end_secrecy(e.tls);
		if (is_12) {
			assert_int_equal(SSL_renegotiate(client), 1);
			SSL_do_handshake(client);
			BIO *wire = SSL_get_wbio(client);
			char bytes[2000];
			int n = BIO_read(wire, bytes, sizeof bytes);
			assert_true(n > 0);
			tls_end_receive(&e, span_of(bytes, (size_t)n));
			assert_int_equal(e.state, TLS_MORE);
			assert_true(buf_len(&e.out) < 100); /* an alert, no handshake */
		} else {
			assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
			assert_int_equal(SSL_write(client, "abc", 3), 3);
			raw_talk(client, &e);
			assert_plain(&e, "abc");
			tls_end_say(&e, "x");
			raw_talk(client, &e);
			char byte = 0;
			assert_int_equal(SSL_read(client, &byte, 1), 1);
			assert_int_equal(byte, 'x');
		}
		SSL_free(client);
		SSL_CTX_free(context);
		tls_end_finish(&e);
		end(&s);
	}
}

/* A client that may take small records only (RFC 6066) gets them, within the loop's room. */
static void small_fragments(void **state)
{
	(void)state;
	struct setting s;
	struct tls_end e;
	struct span bytes = pattern(65536);
	begin(&s);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_tlsext_max_fragment_length(context, TLSEXT_max_fragment_length_512);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES256-SHA384");
	SSL_CTX_set_cipher_list(s.server->ssl, "ECDHE-ECDSA-AES256-SHA384");
	tls_end_init(&e, s.server, true, NULL);
	SSL *client = raw_client(context);
	raw_talk(client, &e);
	assert_true(e.is_open);
	assert_int_equal(tls_write(e.tls, bytes, &e.out), TLS_DONE);
	assert_true(buf_len(&e.out) > 66000);
	assert_true(buf_len(&e.out) < 2 * 65536);
	free((void *)(uintptr_t)bytes.p);
	SSL_free(client);
	SSL_CTX_free(context);
	tls_end_finish(&e);
	end(&s);
}

/* Tickets. */

static bool resumes(struct setting *s)
{
	struct two t;
	meet(&t, s, SIZE_MAX);
	assert_open(&t);
	bool is_resumed = tls_is_resumed(t.server.tls);
	assert_int_equal(tls_is_resumed(t.client.tls), is_resumed);
	tls_end_say(&t.client, "x");
	tls_talk(&t.client, &t.server, SIZE_MAX);
	assert_plain(&t.server, "x");
	part(&t);
	return is_resumed;
}

static void new_server(struct setting *s)
{
	tls_context_unref(&s->server);
	s->server = tls_context_create_server(&s->config.config, &s->config.errors);
	assert_non_null(s->server);
}

static void tickets(void **state)
{
	(void)state;
	for (int is_12 = 0; is_12 < 2; is_12++) {
		struct setting s;
		pki_configure(&pki, &s.config, "good");
		s.config.backend.server_name = own_name;
		make(&s);
		if (is_12) {
			only_tls12(&s);
		}
		assert_false(resumes(&s));
		assert_true(resumes(&s));
		assert_true(resumes(&s));
		new_server(&s); /* a reload */
		assert_true(resumes(&s));
		end(&s);
	}
}

static SSL_SESSION *kept_ticket;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept_ticket);
	kept_ticket = session;
	return 1;
}

/* A client that uses each ticket once (RFC 8446 C.4; OpenSSL's do) gets one with each connection. */
static void tickets_are_renewed(void **state)
{
	(void)state;
	struct setting s;
	begin(&s);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_ticket);
	for (int i = 0; i < 4; i++) {
		struct tls_end e;
		tls_end_init(&e, s.server, true, NULL);
		SSL *client = SSL_new(context);
		SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_connect_state(client);
		assert_int_equal(SSL_set_session(client, kept_ticket), 1);
		SSL_do_handshake(client);
		raw_talk(client, &e);
		tls_end_say(&e, "x");
		raw_talk(client, &e);
		char byte = 0;
		assert_int_equal(SSL_read(client, &byte, 1), 1);
		assert_int_equal(SSL_session_reused(client), i > 0);
		SSL_shutdown(client);
		SSL_free(client);
		tls_end_finish(&e);
	}
	SSL_SESSION_free(kept_ticket);
	kept_ticket = NULL;
	SSL_CTX_free(context);
	end(&s);
}

/* What was verified for one name does not serve another. */
static void session_belongs_to_name(void **state)
{
	(void)state;
	struct setting s;
	struct two t;
	pki_configure(&pki, &s.config, "good");
	s.config.backend.server_name = own_name;
	make(&s);
	assert_false(resumes(&s));
	tls_end_init(&t.server, s.server, true, NULL);
	tls_end_init(&t.client, s.client, false, "evil.example.org");
	tls_talk(&t.client, &t.server, SIZE_MAX);
	assert_int_equal(t.client.state, TLS_FAILED);
	assert_int_equal(tls_fail(t.client.tls), FAIL_SERVER_VERIFY);
	part(&t);
	end(&s);
}

#define KEY_A                                                                                      \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"         \
	"28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494A4B4C4D4E4F"
#define KEY_B                                                                                      \
	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"         \
	"28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4eff"

/* Two proxies with one key file; then the keys change: the first seals, all open. */
static void ticket_file(void **state)
{
	(void)state;
	struct setting s;
	struct pki_path file = pki_write(&pki, "tickets", "# ours\n\n" KEY_A "\n");
	pki_configure(&pki, &s.config, "good");
	s.config.backend.server_name = own_name;
	s.config.config.tls.ticket_key_file = file.text;
	make(&s);
	assert_false(resumes(&s));
	new_server(&s);
	assert_true(resumes(&s));
	pki_write(&pki, "tickets", KEY_B "\r\n" KEY_A);
	new_server(&s);
	assert_true(resumes(&s));
	pki_write(&pki, "tickets", KEY_B "\n");
	new_server(&s);
	assert_false(resumes(&s)); /* sealed with A: a full handshake, and now B seals */
	assert_true(resumes(&s));
	end(&s);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org,IP:127.0.0.1", -1, 10);
	pki_issue(&pki, "wild", "DNS:*.example.net", -1, 10);
	pki_issue(&pki, "exact", "DNS:exact.example.net", -1, 10);
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
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(split_everywhere),
		cmocka_unit_test(bulk),
		cmocka_unit_test(small_rooms),
		cmocka_unit_test(goodbye),
		cmocka_unit_test(no_goodbye_before_hello),
		cmocka_unit_test(full_output),
		cmocka_unit_test(corrupted),
		cmocka_unit_test(garbage),
		cmocka_unit_test(endless_hello),
		cmocka_unit_test(alpn),
		cmocka_unit_test(names),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(versions),
		cmocka_unit_test(renegotiation),
		cmocka_unit_test(small_fragments),
		cmocka_unit_test(tickets),
		cmocka_unit_test(tickets_are_renewed),
		cmocka_unit_test(session_belongs_to_name),
		cmocka_unit_test(ticket_file),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
