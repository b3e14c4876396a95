/* The TLS context toward one backend: whom to trust. The name is verified by the engine (tls.c). */
#include <openssl/err.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "net/tls_context.h"
#include "tls_context_priv.h"

static bool load_trust(SSL_CTX *ssl, const char *ca)
{
	struct stat st;
	if (ca[0] == '\0') {
		return SSL_CTX_set_default_verify_paths(ssl) == 1;
	}
	if (stat(ca, &st) == 0 && S_ISDIR(st.st_mode)) {
		return SSL_CTX_load_verify_dir(ssl, ca) == 1;
	}
	return SSL_CTX_load_verify_file(ssl, ca) == 1;
}

struct tls_context *tls_context_create_client(
	const struct config_backend *b, struct config_errors *errors)
{
	ERR_clear_error();
	struct tls_context *t = xcalloc(1, sizeof *t);
	t->refs = 1;
	t->ssl = tls_context_new_ssl(TLS_client_method());
	t->verifies = b->verify;
	/* Said to OpenSSL and not checked afterwards: the handshake itself fails, on the implicit and the
	 * STARTTLS path alike (S15). */
	SSL_CTX_set_verify(t->ssl, b->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (b->verify && !load_trust(t->ssl, b->ca)) {
		config_errors_add(errors, b->place, "ca", "%s: %s",
			b->ca[0] != '\0' ? b->ca : "the system's store", tls_context_reason());
		tls_context_unref(&t);
	}
	return t;
}
