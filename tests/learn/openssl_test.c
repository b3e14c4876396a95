/*
 * Facts about OpenSSL (3.0) that the TLS engine is built on; see proxy/net/tls.c and tls_client.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "lib/pki.h"

/* A BIO that hands out at most what it was given and says "retry" then. */
struct pipe {
	uint8_t bytes[65536];
	size_t begin, end;
	size_t reads; /* calls that asked for bytes */
};

static int pipe_read(BIO *bio, char *to, int n)
{
	struct pipe *p = BIO_get_data(bio);
	size_t have = p->end - p->begin;
	BIO_clear_retry_flags(bio);
	p->reads++;
	if (have == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t take = have < (size_t)n ? have : (size_t)n;
	memcpy(to, p->bytes + p->begin, take);
	p->begin += take;
	return (int)take;
}

static int pipe_write(BIO *bio, const char *from, int n)
{
	struct pipe *p = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	assert_true((size_t)n <= sizeof p->bytes - p->end);
	memcpy(p->bytes + p->end, from, (size_t)n);
	p->end += (size_t)n;
	return n;
}

static long pipe_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO *pipe_bio(struct pipe *p)
{
	static BIO_METHOD *method;
	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pipe");
		BIO_meth_set_read(method, pipe_read);
		BIO_meth_set_write(method, pipe_write);
		BIO_meth_set_ctrl(method, pipe_ctrl);
	}
	BIO *bio = BIO_new(method);
	BIO_set_data(bio, p);
	BIO_set_init(bio, 1);
	return bio;
}

struct talk {
	struct pki pki;
	SSL_CTX *server_context, *client_context;
	SSL *server, *client;
	struct pipe up, down;
};

static void join(struct talk *t)
{
	memset(&t->up, 0, sizeof t->up);
	memset(&t->down, 0, sizeof t->down);
	t->server = SSL_new(t->server_context);
	t->client = SSL_new(t->client_context);
	SSL_set_bio(t->server, pipe_bio(&t->up), pipe_bio(&t->down));
	SSL_set_bio(t->client, pipe_bio(&t->down), pipe_bio(&t->up));
	SSL_set_accept_state(t->server);
	SSL_set_connect_state(t->client);
	for (int i = 0; i < 5; i++) {
		SSL_do_handshake(t->client);
		SSL_do_handshake(t->server);
	}
	assert_true(SSL_is_init_finished(t->client) && SSL_is_init_finished(t->server));
}

static void part(struct talk *t)
{
	SSL_free(t->client);
	SSL_free(t->server);
}

static int begin(void **state)
{
	static struct talk t;
	pki_init(&t.pki);
	pki_issue(&t.pki, "good", "DNS:imap.example.org", -1, 10);
	t.server_context = SSL_CTX_new(TLS_server_method());
	t.client_context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_use_certificate_file(
		t.server_context, pki_path(&t.pki, "good.pem").text, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(
		t.server_context, pki_path(&t.pki, "good.key").text, SSL_FILETYPE_PEM);
	*state = &t;
	return 0;
}

static int end(void **state)
{
	struct talk *t = *state;
	SSL_CTX_free(t->server_context);
	SSL_CTX_free(t->client_context);
	pki_finish(&t->pki);
	return 0;
}

/* An empty BIO that says "retry" becomes WANT_READ, and nothing is lost. */
static void empty_is_want_read(void **state)
{
	struct talk *t = *state;
	char byte = 0;
	join(t);
	ERR_clear_error();
	int n = SSL_read(t->server, &byte, 1);
	assert_int_equal(SSL_get_error(t->server, n), SSL_ERROR_WANT_READ);
	assert_int_equal(SSL_write(t->client, "x", 1), 1);
	assert_int_equal(SSL_read(t->server, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	part(t);
}

/* Without read-ahead OpenSSL takes a record in two reads and not a byte of the next: what is left in
 * the span is exactly what was not decrypted (stream.undecoded, carried to another thread). */
static void reads_record_by_record(void **state)
{
	struct talk *t = *state;
	char bytes[16];
	join(t);
	while (SSL_read(t->client, bytes, sizeof bytes) > 0) {
	}
	t->down.begin = t->down.end = 0;
	assert_int_equal(SSL_write(t->server, "one", 3), 3);
	size_t first = t->down.end;
	assert_int_equal(SSL_write(t->server, "two", 3), 3);
	t->down.reads = 0;
	assert_int_equal(SSL_read(t->client, bytes, sizeof bytes), 3);
	assert_int_equal(t->down.reads, 2);
	assert_int_equal(t->down.begin, first);
	part(t);
}

/* An old error in the thread's queue turns "wants more" into "failed": hence ERR_clear_error. */
static void stale_errors_mislead(void **state)
{
	struct talk *t = *state;
	char byte = 0;
	join(t);
	ERR_raise(ERR_LIB_USER, 1);
	int n = SSL_read(t->server, &byte, 1);
	assert_int_equal(SSL_get_error(t->server, n), SSL_ERROR_SSL);
	ERR_clear_error();
	n = SSL_read(t->server, &byte, 1);
	assert_int_equal(SSL_get_error(t->server, n), SSL_ERROR_WANT_READ);
	part(t);
}

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

/* SSL_free without close_notify spoils the session object that was handed out; a copy of it is safe. */
static void session_is_spoiled(void **state)
{
	struct talk *t = *state;
	char byte = 0;
	SSL_CTX_set_session_cache_mode(t->client_context, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(t->client_context, keep_session);
	join(t);
	assert_true(SSL_read(t->client, &byte, 1) <= 0);
	assert_non_null(kept);
	SSL_SESSION *copy = SSL_SESSION_dup(kept);
	assert_true(SSL_SESSION_is_resumable(kept));
	part(t);
	assert_false(SSL_SESSION_is_resumable(kept));
	assert_true(SSL_SESSION_is_resumable(copy));
	SSL_SESSION_free(copy);
	SSL_SESSION_free(kept);
	kept = NULL;
}

/* Half closing: after the peer's close_notify our direction still works. */
static void half_close(void **state)
{
	struct talk *t = *state;
	char bytes[8];
	join(t);
	assert_int_equal(SSL_shutdown(t->client), 0);
	ERR_clear_error();
	int n = SSL_read(t->server, bytes, sizeof bytes);
	assert_int_equal(SSL_get_error(t->server, n), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(SSL_write(t->server, "bye", 3), 3);
	assert_int_equal(SSL_read(t->client, bytes, sizeof bytes), 3);
	part(t);
}

static bool has_private_key(EVP_PKEY *key)
{
	uint8_t bytes[64];
	size_t n = sizeof bytes;
	bool has = EVP_PKEY_get_raw_private_key(key, bytes, &n) == 1;
	ERR_clear_error();
	return has;
}

/* The ephemeral key outlives the handshake; naming its type wipes it, and keys are still updated. */
static void exchange_is_forgotten(void **state)
{
	struct talk *t = *state;
	char bytes[8];
	EVP_PKEY *own = NULL;
	EVP_PKEY *peer = NULL;
	join(t);
	assert_int_equal(SSL_get_tmp_key(t->server, &own), 1);
	assert_int_equal(SSL_get_peer_tmp_key(t->server, &peer), 1);
	assert_true(has_private_key(own));
	assert_int_equal(EVP_PKEY_set_type(own, EVP_PKEY_X25519), 1);
	assert_int_equal(EVP_PKEY_set_type(peer, EVP_PKEY_X25519), 1);
	assert_false(has_private_key(own));
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	assert_int_equal(SSL_key_update(t->client, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(t->client, "a", 1), 1);
	assert_int_equal(SSL_read(t->server, bytes, sizeof bytes), 1);
	assert_int_equal(SSL_write(t->server, "bye", 3), 3);
	assert_int_equal(SSL_read(t->client, bytes, sizeof bytes), 3);
	part(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_want_read),
		cmocka_unit_test(reads_record_by_record),
		cmocka_unit_test(stale_errors_mislead),
		cmocka_unit_test(session_is_spoiled),
		cmocka_unit_test(half_close),
		cmocka_unit_test(exchange_is_forgotten),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
