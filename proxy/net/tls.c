/*
 * The TLS engine: OpenSSL over a BIO that is two pointers.
 *
 * A call sets where to read from and where to write to, runs OpenSSL, and takes both away again. When
 * the input is used up the BIO says "retry", OpenSSL says WANT_READ, and the caller waits for the
 * socket. Output never blocks: it goes to a buffer, whose cap is the only way in which a write fails.
 *
 * OpenSSL reports through a queue of the thread: it is emptied before each call, or a failure of one
 * connection would be taken for one of the next.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tls_context_priv.h"

struct tls {
	SSL *ssl;
	struct tls_context *context; /* the callbacks of its SSL_CTX need it */
	struct span *in;             /* during a call only */
	struct buf *out;             /* during a call only */
	char *detail;                /* set by the first failure */
	enum fail why;
	bool is_server;
};

/* The BIO. */

static int bio_read(BIO *bio, char *to, int n)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (n <= 0 || t->in == NULL || t->in->n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t take = t->in->n < (size_t)n ? t->in->n : (size_t)n;
	struct span got = {0};
	span_take_bytes(t->in, take, &got);
	memcpy(to, got.p, got.n);
	return (int)take;
}

static int bio_write(BIO *bio, const char *from, int n)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (n <= 0 || t->out == NULL) {
		return -1;
	}
	if (!buf_add(t->out, span_of(from, (size_t)n))) {
		t->why = FAIL_SLOW_READER;
		return -1;
	}
	return n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span and buffer");
	if (bio_method == NULL || BIO_meth_set_read(bio_method, bio_read) != 1 ||
		BIO_meth_set_write(bio_method, bio_write) != 1 ||
		BIO_meth_set_ctrl(bio_method, bio_ctrl) != 1 ||
		BIO_meth_set_create(bio_method, bio_create) != 1) {
		abort();
	}
}

static BIO *create_bio(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_bio_method);
	BIO *bio = BIO_new(bio_method);
	if (bio == NULL) {
		abort();
	}
	return bio;
}

/*
 * A BIO holds nothing between two calls, so all connections of a thread can have the same one: 0.2 KB less
 * for each. Not before the end of the handshake, in which OpenSSL puts another one on top of it, and it
 * counts what came through.
 */

static pthread_key_t shared_bio;

static void drop_shared_bio(void *bio)
{
	BIO_free(bio);
}

static void make_shared_bio_key(void)
{
	if (pthread_key_create(&shared_bio, drop_shared_bio) != 0) {
		abort();
	}
}

static void share_bio(SSL *ssl)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_shared_bio_key);
	BIO *bio = pthread_getspecific(shared_bio);
	if (bio == NULL) {
		bio = create_bio();
		pthread_setspecific(shared_bio, bio);
	}
	BIO_up_ref(bio);
	SSL_set_bio(ssl, bio, bio);
}

/* Failures. */

static enum tls_result fail_with(struct tls *t, enum fail why, const char *detail)
{
	if (t->detail == NULL) {
		t->detail = xstrdup(detail);
		t->why = t->why == FAIL_NONE ? why : t->why;
	}
	return TLS_FAILED;
}

/* What an SSL_* call said by returning no success. */
static enum tls_result explain(struct tls *t, int returned)
{
	int error = SSL_get_error(t->ssl, returned);
	if (t->why == FAIL_SLOW_READER) {
		return fail_with(t, FAIL_SLOW_READER, "takes no TLS records");
	}
	if (error == SSL_ERROR_WANT_READ) {
		return TLS_MORE;
	}
	if (error == SSL_ERROR_ZERO_RETURN) {
		return TLS_END;
	}
	const char *reason = tls_context_reason();
	if (t->is_server) {
		return fail_with(t, FAIL_CLIENT_TLS, reason);
	}
	long verified = SSL_get_verify_result(t->ssl);
	if (t->context->verifies && verified != X509_V_OK) {
		return fail_with(t, FAIL_SERVER_VERIFY, X509_verify_cert_error_string(verified));
	}
	return fail_with(t, FAIL_SERVER_TLS, reason);
}

static void begin_call(struct tls *t, struct span *in, struct buf *out)
{
	assert(t->in == NULL);
	assert(t->out == NULL);
	if (ERR_peek_error() != 0) {
		ERR_clear_error(); /* walks all its sixteen places, also when they are empty */
	}
	BIO_set_data(SSL_get_rbio(t->ssl), t);
	t->in = in;
	t->out = out;
}

static void end_call(struct tls *t)
{
	t->in = NULL;
	t->out = NULL;
}

/* Creation. */

static bool is_ip_literal(const char *name)
{
	struct in6_addr address;
	return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

/* The name we expect goes into the handshake itself, so that no path can forget to compare it. */
static void set_server_name(struct tls *t, const char *name)
{
	if (name == NULL || name[0] == '\0') {
		if (t->context->verifies) {
			fail_with(
				t, FAIL_SERVER_VERIFY, "no name to verify the certificate against");
		}
		return;
	}
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	bool ok;
	if (is_ip_literal(name)) {
		/* RFC 6066 section 3: a literal address is no SNI. */
		ok = X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
	} else {
		ok = X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
		     SSL_set_tlsext_host_name(t->ssl, name) == 1;
	}
	if (!ok) {
		fail_with(t, FAIL_SERVER_VERIFY, "not a host name");
	}
}

struct tls *tls_create(struct tls_context *context, bool is_server, const char *server_name)
{
	struct tls *t = xcalloc(1, sizeof *t);
	t->context = tls_context_ref(context);
	t->is_server = is_server;
	t->ssl = SSL_new(context->ssl);
	if (t->ssl == NULL) {
		abort();
	}
	BIO *bio = create_bio();
	SSL_set_bio(t->ssl, bio, bio); /* one reference serves both when they are the same */
	if (is_server) {
		SSL_set_accept_state(t->ssl);
	} else {
		SSL_set_connect_state(t->ssl);
		set_server_name(t, server_name);
		tls_context_resume(context, t->ssl, server_name);
	}
	return t;
}

void tls_destroy(struct tls **t)
{
	struct tls *old = *t;
	*t = NULL;
	if (old == NULL) {
		return;
	}
	assert(old->in == NULL);
	SSL_free(old->ssl);
	tls_context_unref(&old->context);
	free(old->detail);
	free(old);
}

/* The conversation. */

/*
 * What the session key was agreed with is of use to nobody now but to a thief, and 0.4 KB. OpenSSL keeps
 * both keys until the end of the connection; naming their type anew wipes what is in them.
 */
static void forget_exchange(SSL *ssl)
{
	EVP_PKEY *keys[2] = {NULL, NULL};
	SSL_get_tmp_key(ssl, &keys[0]);
	SSL_get_peer_tmp_key(ssl, &keys[1]);
	for (size_t i = 0; i < 2; i++) {
		if (keys[i] != NULL) {
			EVP_PKEY_set_type(keys[i], EVP_PKEY_X25519);
			EVP_PKEY_free(keys[i]);
		}
	}
}

enum tls_result tls_handshake(struct tls *t, struct span *in, struct buf *out)
{
	if (t->detail != NULL) {
		return TLS_FAILED;
	}
	begin_call(t, in, out);
	int n = SSL_do_handshake(t->ssl);
	enum tls_result result = n == 1 ? TLS_DONE : explain(t, n);
	end_call(t);
	if (result == TLS_DONE) {
		forget_exchange(t->ssl);
	}
	if (result == TLS_DONE && t->is_server) {
		/* Passwords come now: the record buffer does not keep them after it was read. */
		SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	}
	if (result == TLS_END) {
		return fail_with(t, t->is_server ? FAIL_CLIENT_TLS : FAIL_SERVER_TLS,
			"closed during the handshake");
	}
	if (result == TLS_MORE && BIO_number_read(SSL_get_rbio(t->ssl)) > TLS_HANDSHAKE_MAX) {
		return fail_with(
			t, t->is_server ? FAIL_CLIENT_TLS : FAIL_SERVER_TLS, "handshake too long");
	}
	assert(result != TLS_MORE || in->n == 0);
	return result;
}

enum tls_result tls_read(
	struct tls *t, struct span *in, uint8_t *to, size_t room, size_t *got, struct buf *out)
{
	size_t have = 0;
	enum tls_result result = t->detail != NULL ? TLS_FAILED : TLS_DONE;
	while (result == TLS_DONE && have < room) {
		size_t n = 0;
		begin_call(t, in, out);
		int ok = SSL_read_ex(t->ssl, to + have, room - have, &n);
		result = ok == 1 ? TLS_DONE : explain(t, ok);
		end_call(t);
		have += n;
		if (result == TLS_DONE && in->n == 0 && SSL_has_pending(t->ssl) == 0) {
			/* Asking again would make OpenSSL allocate a record buffer to say so. */
			result = have < room ? TLS_MORE : TLS_DONE;
			break;
		}
	}
	assert(have <= room);
	assert(result != TLS_MORE || in->n == 0);
	*got = have;
	return result;
}

enum tls_result tls_write(struct tls *t, struct span plain, struct buf *out)
{
	enum tls_result result = t->detail != NULL ? TLS_FAILED : TLS_DONE;
	while (result == TLS_DONE && plain.n > 0) {
		size_t n = 0;
		begin_call(t, NULL, out);
		int ok = SSL_write_ex(t->ssl, plain.p, plain.n, &n);
		result = ok == 1 ? TLS_DONE : explain(t, ok);
		end_call(t);
		plain = span_slice(plain, n, plain.n);
	}
	if (result == TLS_DONE || result == TLS_FAILED) {
		return result;
	}
	/* Only a peer that sends half a key update message can make a write wait for input. */
	return fail_with(
		t, t->is_server ? FAIL_CLIENT_TLS : FAIL_SERVER_TLS, "handshake message in pieces");
}

void tls_end_secrecy(struct tls *t)
{
	SSL_clear_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	share_bio(t->ssl);
}

bool tls_has_input(const struct tls *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

void tls_close_notify(struct tls *t, struct buf *out)
{
	if (t->detail != NULL || !SSL_is_init_finished(t->ssl)) {
		return;
	}
	begin_call(t, NULL, out);
	SSL_shutdown(t->ssl);
	ERR_clear_error();
	end_call(t);
}

enum fail tls_fail(const struct tls *t)
{
	return t->why;
}

const char *tls_detail(const struct tls *t)
{
	return t->detail != NULL ? t->detail : "";
}

const char *tls_version(const struct tls *t)
{
	return SSL_is_init_finished(t->ssl) ? SSL_get_version(t->ssl) : "";
}

const char *tls_server_name(const struct tls *t)
{
	const char *name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	return name != NULL ? name : "";
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_is_init_finished(t->ssl) ? SSL_get_cipher_name(t->ssl) : "";
}

bool tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

size_t tls_client_names(const struct tls *t, enum client_user field, char **names, size_t most)
{
	return t->is_server ? tls_names_of(t->ssl, field, names, most) : 0;
}
