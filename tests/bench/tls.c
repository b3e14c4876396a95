#include "bench/tls.h"

#include <assert.h>
#include <openssl/err.h>

#include "bench/must.h"

static _Noreturn void die(const char *what)
{
	char text[256];
	ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
	must_die("%s: %s", what, text);
}

static SSL_CTX *create(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);
	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
		SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1) {
		die("TLS");
	}
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	/* Several records with one read: the bench must not be slower than what it measures. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, (size_t)64 * 1024);
	return context;
}

SSL_CTX *tls_server(const char *certificate, const char *key)
{
	SSL_CTX *context = create(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
		die(certificate);
	}
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
		die(key);
	}
	return context;
}

SSL_CTX *tls_client(void)
{
	SSL_CTX *context = create(TLS_client_method());
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	return context;
}
