/*
 * The TLS context toward one backend: whom to trust, and the session that saves the next handshake.
 *
 * Certificate and name are verified in full handshakes only. So what is kept comes from a full
 * handshake with the configured name, serves that name alone, and not for longer than an hour: then a
 * certificate that has expired or is no longer trusted is noticed.
 */
#include <openssl/err.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "net/tls_context.h"
#include "tls_context_priv.h"

enum { SESSION_LIFE = 3600 }; /* seconds from one verification to the next */

static bool load_trust(SSL_CTX *ssl, const char *ca)
{
	struct stat st;
	if (ca[0] == '\0') {
		return SSL_CTX_set_default_verify_paths(ssl) == 1;
	}
	/* Whom the operator names is trusted, be it an intermediate authority or the server itself. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
	if (stat(ca, &st) == 0 && S_ISDIR(st.st_mode)) {
		return SSL_CTX_load_verify_dir(ssl, ca) == 1;
	}
	return SSL_CTX_load_verify_file(ssl, ca) == 1;
}

/*
 * A ticket has come. Copied here and again for each use: OpenSSL writes into the session of a connection
 * (one that ends without close_notify makes it unusable), and these run on several threads.
 */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *t = SSL_get_app_data(ssl);
	if (t == NULL || SSL_session_reused(ssl) == 1) {
		return 0;
	}
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	pthread_mutex_lock(&t->lock);
	SSL_SESSION *old = t->session;
	t->session = copy;
	pthread_mutex_unlock(&t->lock);
	SSL_SESSION_free(old);
	return 0; /* the reference to the original stays OpenSSL's */
}

static SSL_SESSION *copy_session(struct tls_context *t)
{
	SSL_SESSION *copy = NULL;
	pthread_mutex_lock(&t->lock);
	if (t->session != NULL && time(NULL) - SSL_SESSION_get_time(t->session) < SESSION_LIFE) {
		copy = SSL_SESSION_dup(t->session);
	}
	pthread_mutex_unlock(&t->lock);
	return copy;
}

void tls_context_resume(struct tls_context *t, SSL *ssl, const char *name)
{
	if (t->server_name[0] == '\0' || name == NULL || strcmp(name, t->server_name) != 0) {
		return;
	}
	SSL_set_app_data(ssl, t);
	SSL_SESSION *session = copy_session(t);
	if (session != NULL) {
		SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
}

/*
 * What a server of another decade can do is allowed toward that one server only: SHA-1 signatures, keys
 * of 1024 bits, and no secure renegotiation (RFC 5746), which is never done anyway.
 */
static bool set_oldest(SSL_CTX *ssl, const char *version)
{
	static const struct {
		const char *name;
		int version;
	} known[] = {{"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION},
		{"1.3", TLS1_3_VERSION}};
	int oldest = TLS1_2_VERSION;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (version != NULL && strcmp(version, known[i].name) == 0) {
			oldest = known[i].version;
		}
	}
	if (oldest < TLS1_2_VERSION) {
		SSL_CTX_set_security_level(ssl, 0);
		SSL_CTX_set_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT);
		if (SSL_CTX_set_cipher_list(ssl, "DEFAULT:@SECLEVEL=0") != 1) {
			return false;
		}
	}
	return SSL_CTX_set_min_proto_version(ssl, oldest) == 1;
}

struct tls_context *tls_context_create_client(
	const struct config_backend *b, struct config_errors *errors)
{
	ERR_clear_error();
	struct tls_context *t = tls_context_new();
	t->ssl = tls_context_new_ssl(TLS_client_method());
	t->server_name = xstrdup(b->server_name);
	t->verifies = b->verify;
	/* Said to OpenSSL and not checked afterwards: the handshake itself fails, on the implicit and the
	 * STARTTLS path alike (S15). */
	SSL_CTX_set_verify(t->ssl, b->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(t->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ssl, on_session);
	if (!set_oldest(t->ssl, b->min_version)) {
		config_errors_add(errors, b->place, "backends.min_version", "%s: %s",
			b->min_version, tls_context_reason());
		tls_context_unref(&t);
		return NULL;
	}
	if (b->verify && !load_trust(t->ssl, b->ca)) {
		config_errors_add(errors, b->ca_place, "backends.ca", "%s: %s",
			b->ca[0] != '\0' ? b->ca : "the system's store", tls_context_reason());
		tls_context_unref(&t);
	}
	return t;
}
