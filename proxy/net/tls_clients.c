/*
 * Certificates of clients: who is asked for one, and which names stand in it.
 *
 * A resumed session brings its certificate along in the ticket, sealed, and is not verified again. So a
 * ticket has to be worthless wherever clients are asked otherwise than where it was issued (another
 * authority, another duty; CVE-2014-3616, CVE-2025-23419): the session id context, which a ticket must
 * share with the connection that it resumes, holds both. The names below are taken only while the
 * certificate has not expired.
 */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/tls.h"
#include "tls_context_priv.h"

/* Authorities to trust are a few certificates. */
enum { CA_FILE_MAX = 4 << 20 };

static int mode_of(enum client_auth auth)
{
	switch (auth) {
	case CLIENT_AUTH_NONE:
		return SSL_VERIFY_NONE;
	case CLIENT_AUTH_OPTIONAL:
		return SSL_VERIFY_PEER;
	case CLIENT_AUTH_REQUIRE:
		break;
	}
	return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* The file as it is; false: it cannot be read. */
static bool read_file(const char *name, struct buf *out)
{
	FILE *f = fopen(name, "re");
	if (f == NULL) {
		return false;
	}
	uint8_t *to;
	size_t n = 0;
	do {
		to = buf_reserve(out, 16384);
		n = to != NULL ? fread(to, 1, 16384, f) : 0;
		buf_commit(out, n);
	} while (n > 0);
	bool is_whole = to != NULL && !ferror(f);
	fclose(f);
	return is_whole;
}

/* 32 bytes, which is what OpenSSL has room for. */
static bool set_id_context(SSL_CTX *ssl, const struct config_tls *tls)
{
	static const uint8_t name[] = "imapmux";
	static const char *const duties[] = {"none", "optional", "require"};
	uint8_t id[SSL_MAX_SID_CTX_LENGTH];
	struct buf text;
	size_t n = 0;
	if (tls->client_auth == CLIENT_AUTH_NONE) {
		return SSL_CTX_set_session_id_context(ssl, name, sizeof name - 1) == 1;
	}
	buf_init(&text, CA_FILE_MAX);
	bool is_good = buf_add_str(&text, duties[tls->client_auth]) &&
		       buf_add(&text, span_of("", 1)) && read_file(tls->client_ca, &text) &&
		       EVP_Q_digest(NULL, "SHA256", NULL, buf_peek(&text).p, buf_len(&text), id,
			       &n) == 1 &&
		       SSL_CTX_set_session_id_context(ssl, id, (unsigned)n) == 1;
	buf_finish(&text);
	return is_good;
}

bool tls_context_ask_clients(
	SSL_CTX *ssl, const struct config_tls *tls, struct config_errors *errors)
{
	const char *why = NULL;
	SSL_CTX_set_verify(ssl, mode_of(tls->client_auth), NULL);
	if (tls->client_auth != CLIENT_AUTH_NONE) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->client_ca);
		SSL_CTX_set_client_CA_list(ssl, names); /* takes them over; NULL is fine */
		if (names == NULL || SSL_CTX_load_verify_file(ssl, tls->client_ca) != 1) {
			why = tls_context_reason();
		}
	}
	if (why == NULL && !set_id_context(ssl, tls)) {
		why = "is larger than 4 MB, or cannot be read a second time";
	}
	if (why != NULL) {
		config_errors_add(errors, tls->client_ca_place, "tls.client_ca", "%s: %s",
			tls->client_ca, why);
	}
	return why == NULL;
}

/* What was found, so far. */
struct found {
	char **names;
	size_t count, most;
};

/* A name with a NUL inside would be a shorter one to whoever reads it as a string. */
static void add_name(struct found *f, const char *text, size_t n)
{
	if (n > 0 && f->count < f->most && memchr(text, '\0', n) == NULL) {
		f->names[f->count++] = xmemdup0(text, n);
	}
}

static void find_common_names(X509 *cert, struct found *f)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = -1;
	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
		unsigned char *text = NULL;
		int n = ASN1_STRING_to_UTF8(
			&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		if (n > 0) {
			add_name(f, (const char *)text, (size_t)n);
		}
		OPENSSL_free(text);
	}
}

static void find_host_names(X509 *cert, struct found *f)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		if (name->type == GEN_DNS) {
			const ASN1_IA5STRING *text = name->d.dNSName;
			add_name(f, (const char *)ASN1_STRING_get0_data(text),
				(size_t)ASN1_STRING_length(text));
		}
	}
	GENERAL_NAMES_free(all);
}

/* Those of the subject as well as the alternative names, each once. */
static void find_addresses(X509 *cert, struct found *f)
{
	STACK_OF(OPENSSL_STRING) *all = X509_get1_email(cert);
	for (int i = 0; i < sk_OPENSSL_STRING_num(all); i++) {
		const char *text = sk_OPENSSL_STRING_value(all, i);
		add_name(f, text, strlen(text));
	}
	X509_email_free(all);
}

static bool is_in_force(const SSL *ssl, const X509 *cert)
{
	return SSL_get_verify_result(ssl) == X509_V_OK &&
	       X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
	       X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

size_t tls_names_of(SSL *ssl, enum client_user field, char **names, size_t most)
{
	struct found f = {.names = names, .most = most};
	X509 *cert = SSL_get1_peer_certificate(ssl);
	if (cert == NULL) {
		return 0;
	}
	if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 && is_in_force(ssl, cert)) {
		switch (field) {
		case CLIENT_USER_CN:
			find_common_names(cert, &f);
			break;
		case CLIENT_USER_EMAIL:
			find_addresses(cert, &f);
			break;
		case CLIENT_USER_DNS:
			find_host_names(cert, &f);
			break;
		}
	}
	X509_free(cert);
	ERR_clear_error();
	return f.count;
}
