/* What the TLS contexts of both roles have in common; tls_server.c and tls_client.c make them. */
#include "net/tls_context.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/refs.h"
#include "tls_context_priv.h"

/* An encrypted key file would otherwise ask on the terminal and hang the start. */
static int no_passphrase(char *to, int size, int is_writing, void *arg)
{
	(void)to, (void)size, (void)is_writing, (void)arg;
	return -1;
}

SSL_CTX *tls_context_new_ssl(const SSL_METHOD *method)
{
	SSL_CTX *ssl = SSL_CTX_new(method);
	if (ssl == NULL) {
		abort();
	}
	/* Idle connections give their record buffers back; a write may be repeated from elsewhere. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	/* Tickets are the memory of a session; a cache here would grow with the number of clients. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	return ssl;
}

const char *tls_context_reason(void)
{
	/* The oldest error is the cause; those behind it only say through which layers it came. */
	unsigned long code = ERR_peek_error();
	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(code)) {
		return strerrordesc_np(ERR_GET_REASON(code));
	}
	const char *reason = ERR_reason_error_string(code);
	return reason != NULL ? reason : "unknown TLS error";
}

struct tls_context *tls_context_new(void)
{
	struct tls_context *t = xcalloc(1, sizeof *t);
	t->refs = 1;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

struct tls_context *tls_context_ref(struct tls_context *t)
{
	refs_take(&t->refs);
	return t;
}

void tls_context_unref(struct tls_context **t)
{
	struct tls_context *old = *t;
	*t = NULL;
	if (old == NULL || !refs_drop(&old->refs)) {
		return;
	}
	SSL_CTX_free(old->ssl);
	for (size_t i = 0; i < old->name_count; i++) {
		SSL_CTX_free(old->names[i].ssl);
		free(old->names[i].name);
	}
	free(old->names);
	ticket_keys_destroy(&old->tickets);
	SSL_SESSION_free(old->session);
	free(old->server_name);
	pthread_mutex_destroy(&old->lock);
	free(old);
}
