/* What the sources of the TLS contexts share with the engine; see net/tls_context.h. */
#ifndef IMAPMUX_NET_TLS_CONTEXT_PRIV_H
#define IMAPMUX_NET_TLS_CONTEXT_PRIV_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "net/tls_context.h"

struct ticket_keys;

/* A certificate that is chosen by name. */
struct tls_name {
	char *name; /* lower case; "*.domain" matches one label; "" matches nothing */
	SSL_CTX *ssl;
};

struct tls_context {
	_Atomic unsigned refs;
	SSL_CTX *ssl;           /* client: the one; server: the default pair's */
	bool verifies;          /* client: chain and name */
	char *server_name;      /* client: the name whose session is kept */
	pthread_mutex_t lock;   /* client: guards session */
	SSL_SESSION *session;   /* client: of the last full handshake, or NULL */
	struct tls_name *names; /* server: sorted by name; names[].ssl owned */
	size_t name_count;
	struct ticket_keys *tickets; /* server */
};

/* An empty context with one reference. */
struct tls_context *tls_context_new(void);

/* An SSL_CTX with what both roles have in common. Never NULL (running out of memory aborts). */
SSL_CTX *tls_context_new_ssl(const SSL_METHOD *method);

/* The reason of the oldest error in this thread's queue, which is emptied. A static text. */
const char *tls_context_reason(void);

/* Client: a connection to that name continues the kept session, or leaves one behind. */
void tls_context_resume(struct tls_context *t, SSL *ssl, const char *name);

/*
 * Certificates of clients (tls_clients.c): makes the context ask for them as configured. False with a line
 * in errors.
 */
bool tls_context_ask_clients(
	SSL_CTX *ssl, const struct config_tls *tls, struct config_errors *errors);

/* As tls_client_names. */
size_t tls_names_of(SSL *ssl, enum client_user field, char **names, size_t most);

/*
 * Session ticket keys (tls_tickets.c). Without a file: random ones that live as long as the process,
 * change by age and are shared by all contexts, so that tickets survive a reload. With a file: those in
 * it. NULL with a line in errors.
 */
struct ticket_keys *ticket_keys_create(
	struct config_place place, const char *file, struct config_errors *errors);
void ticket_keys_destroy(struct ticket_keys **k);

/* Makes the context seal and open its tickets with the keys, which must outlive it. */
void ticket_keys_use(struct ticket_keys *k, SSL_CTX *ssl);

#endif
