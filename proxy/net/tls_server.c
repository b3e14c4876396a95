/*
 * The TLS context of the listeners: one SSL_CTX for each certificate, chosen by SNI.
 *
 * The connection begins on the default pair's SSL_CTX; the servername callback changes to another.
 * All of them share protocol settings, ticket keys and the session id context.
 */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/span.h"
#include "net/tls_context.h"
#include "tls_context_priv.h"

/* For TLS 1.2; forward secrecy always, CBC only for clients of another decade. */
static const char default_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES";

/* RFC 7301: the client's list holds no "imap" (a web browser led astray, ALPACA): fatal alert. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *offered, unsigned offered_len, void *arg)
{
	(void)ssl, (void)arg;
	static const uint8_t imap[] = "\4imap";
	struct span list = span_of(offered, offered_len);
	while (list.n > 0) {
		struct span name = {0};
		if (!span_take_bytes(&list, (size_t)list.p[0] + 1, &name)) {
			break;
		}
		if (span_equal(name, span_of(imap, sizeof imap - 1))) {
			*out = name.p + 1;
			*out_len = sizeof imap - 2;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int compare_names(const void *a, const void *b)
{
	const struct tls_name *x = a;
	const struct tls_name *y = b;
	return strcmp(x->name, y->name);
}

static struct tls_name *find_name(const struct tls_context *t, char *name)
{
	struct tls_name key = {.name = name};
	return bsearch(&key, t->names, t->name_count, sizeof *t->names, compare_names);
}

/* "imap.example.org" itself, else "*.example.org". NULL: neither. */
static struct tls_name *choose(const struct tls_context *t, const char *asked)
{
	char name[256]; /* longer than any host name (RFC 1035: 255) */
	size_t n = strlen(asked);
	if (n == 0 || n >= sizeof name) {
		return NULL;
	}
	for (size_t i = 0; i <= n; i++) {
		bool is_upper = asked[i] >= 'A' && asked[i] <= 'Z';
		name[i] = (char)(is_upper ? asked[i] | 0x20 : asked[i]);
	}
	if (name[0] == '*') {
		return NULL; /* the name of a wildcard is not a name to ask for */
	}
	struct tls_name *found = find_name(t, name);
	char *dot = strchr(name, '.');
	if (found == NULL && dot != NULL && dot != name) {
		dot[-1] = '*';
		found = find_name(t, dot - 1);
	}
	return found;
}

static int on_servername(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	const struct tls_context *t = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_name *found = asked != NULL ? choose(t, asked) : NULL;
	if (found == NULL) {
		return SSL_TLSEXT_ERR_NOACK; /* the default pair: many clients ask by address */
	}
	if (SSL_set_SSL_CTX(ssl, found->ssl) == NULL) {
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

static bool complain(
	struct config_errors *errors, struct config_place place, const char *key, const char *value)
{
	config_errors_add(errors, place, key, "%s: %s", value, tls_context_reason());
	return false;
}

#define NO_CERTIFICATE "no certificate in PEM form: "
#define NO_KEY         "no private key in PEM form: "
#define LOCKED         "it wants a passphrase: "
#define OTHER_KEY      "not the key of this certificate: "

/* OpenSSL's reason is that of its innermost layer: what it means for the file. */
static const char *meaning(bool is_key)
{
	static const struct {
		int library, reason;
		const char *of_certificate, *of_key;
	} meanings[] = {
		{ERR_LIB_PEM, PEM_R_NO_START_LINE, NO_CERTIFICATE, NO_KEY},
		{ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ, LOCKED, LOCKED},
		{ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED, "", NO_KEY},
		{ERR_LIB_CRYPTO, ERR_R_INTERRUPTED_OR_CANCELLED, LOCKED, LOCKED},
		{ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, "", OTHER_KEY},
		/* A key of another kind (RSA, EC) than the certificate's. */
		{ERR_LIB_SSL, SSL_R_NO_CERTIFICATE_ASSIGNED, "", OTHER_KEY},
	};
	unsigned long code = ERR_peek_error();
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (ERR_GET_LIB(code) == meanings[i].library &&
			ERR_GET_REASON(code) == meanings[i].reason) {
			return is_key ? meanings[i].of_key : meanings[i].of_certificate;
		}
	}
	return "";
}

static bool complain_file(struct config_errors *errors, struct config_place place, const char *key,
	const char *file, bool is_key)
{
	const char *what = meaning(is_key);
	config_errors_add(errors, place, key, "%s: %s%s", file, what, tls_context_reason());
	return false;
}

static bool load_pair(
	SSL_CTX *ssl, const struct config_certificate *pair, struct config_errors *errors)
{
	bool is_named = pair->name[0] != '\0';
	if (SSL_CTX_use_certificate_chain_file(ssl, pair->certificate) != 1) {
		return complain_file(errors, pair->place,
			is_named ? "tls.names.certificate" : "tls.certificate", pair->certificate,
			false);
	}
	/* Compares with the certificate's public key, too: "key values mismatch". */
	if (SSL_CTX_use_PrivateKey_file(ssl, pair->key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ssl) != 1) {
		return complain_file(errors, pair->key_place,
			is_named ? "tls.names.key" : "tls.key", pair->key, true);
	}
	return true;
}

static bool apply_settings(SSL_CTX *ssl, const struct config_tls *tls, struct config_errors *errors)
{
	int version = strcmp(tls->min_version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX_set_min_proto_version(ssl, version);
	const char *ciphers = tls->ciphers[0] != '\0' ? tls->ciphers : default_ciphers;
	if (SSL_CTX_set_cipher_list(ssl, ciphers) != 1) {
		return complain(errors, tls->ciphers_place, "tls.ciphers", ciphers);
	}
	if (tls->ciphersuites[0] != '\0' && SSL_CTX_set_ciphersuites(ssl, tls->ciphersuites) != 1) {
		return complain(
			errors, tls->ciphersuites_place, "tls.ciphersuites", tls->ciphersuites);
	}
	return true;
}

/* An SSL_CTX for one pair. NULL with a line in errors. */
static SSL_CTX *create_ssl(
	struct tls_context *t, const struct config_certificate *pair, struct config_errors *errors)
{
	SSL_CTX *ssl = tls_context_new_ssl(TLS_server_method());
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ssl, on_servername);
	SSL_CTX_set_tlsext_servername_arg(ssl, t);
	ticket_keys_use(t->tickets, ssl);
	if (!load_pair(ssl, pair, errors)) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	return ssl;
}

static char *lower_copy(const char *s)
{
	char *copy = xstrdup(s);
	for (char *p = copy; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z') {
			*p |= 0x20;
		}
	}
	return copy;
}

/* Every pair is tried, so that all that is wrong is said in one run. */
static bool create_pairs(
	struct tls_context *t, const struct config_tls *tls, struct config_errors *errors)
{
	bool ok = true;
	t->names = xcalloc(tls->certificate_count, sizeof *t->names);
	for (size_t i = 0; i < tls->certificate_count; i++) {
		const struct config_certificate *pair = &tls->certificates[i];
		SSL_CTX *ssl = create_ssl(t, pair, errors);
		if (ssl == NULL) {
			ok = false;
			continue;
		}
		/* Settings are the same for all: one complaint is enough. */
		ok = ok && apply_settings(ssl, tls, errors) &&
		     tls_context_ask_clients(ssl, tls, errors);
		t->names[t->name_count++] =
			(struct tls_name){.name = lower_copy(pair->name), .ssl = ssl};
	}
	return ok;
}

struct tls_context *tls_context_create_server(const struct config *c, struct config_errors *errors)
{
	const struct config_tls *tls = &c->tls;
	if (tls->certificate_count == 0) {
		config_errors_add(
			errors, tls->place, "tls.certificate", "a TLS listener needs one");
		return NULL;
	}
	ERR_clear_error();
	struct tls_context *t = tls_context_new();
	t->tickets = ticket_keys_create(tls->ticket_key_file_place, tls->ticket_key_file, errors);
	if (t->tickets == NULL || !create_pairs(t, tls, errors)) {
		tls_context_unref(&t);
		return NULL;
	}
	t->ssl = t->names[0].ssl;
	SSL_CTX_up_ref(t->ssl);
	qsort(t->names, t->name_count, sizeof *t->names, compare_names);
	return t;
}
