/*
 * TLS as every endpoint of the bench speaks it: 1.3, TLS_AES_128_GCM_SHA256, X25519 (P-256
 * only with a proxy that knows nothing else): a difference between two proxies is not to be one between
 * two ciphers.
 */
#ifndef IMAPMUX_BENCH_TLS_H
#define IMAPMUX_BENCH_TLS_H

#include <openssl/ssl.h>

/* Neither returns on an error. The caller frees with SSL_CTX_free. */
SSL_CTX *tls_server(const char *certificate, const char *key);
/* Verifies nothing: what a client does with a certificate is not what is measured. */
SSL_CTX *tls_client(void);

#endif
