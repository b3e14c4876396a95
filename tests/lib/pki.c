#include "lib/pki.h"

#include <assert.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef assert
#define assert(x)                                                                                  \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct pki_path pki_path(const struct pki *p, const char *file)
{
	struct pki_path path;
	int n = snprintf(path.text, sizeof path.text, "%s/%s", p->dir, file);
	assert(n > 0 && (size_t)n < sizeof path.text);
	return path;
}

struct pki_path pki_write(const struct pki *p, const char *file, const char *text)
{
	struct pki_path path = pki_path(p, file);
	FILE *f = fopen(path.text, "w");
	assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert(e != NULL && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static X509 *new_certificate(struct pki *p, EVP_PKEY *key, const char *name, int from, int to)
{
	X509 *cert = X509_new();
	assert(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++p->serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), from * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(cert), to * 86400L);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(p->ca != NULL ? p->ca : cert));
	assert(X509_set_pubkey(cert, key) == 1);
	return cert;
}

static void write_certificate(const struct pki *p, const char *file, X509 *cert)
{
	FILE *f = fopen(pki_path(p, file).text, "w");
	assert(f != NULL && PEM_write_X509(f, cert) == 1 && fclose(f) == 0);
}

void pki_init(struct pki *p)
{
	*p = (struct pki){.dir = "/tmp/pki-XXXXXX"};
	assert(mkdtemp(p->dir) != NULL);
	p->ca_key = EVP_EC_gen("P-256");
	p->ca = new_certificate(p, p->ca_key, p->dir, -2000, 2000);
	add_extension(p->ca, p->ca, NID_basic_constraints, "critical,CA:TRUE");
	assert(X509_sign(p->ca, p->ca_key, EVP_sha256()) > 0);
	write_certificate(p, "ca.pem", p->ca);
}

void pki_issue(struct pki *p, const char *stem, const char *names, int from, int to)
{
	char file[64];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = new_certificate(p, key, stem, from, to);
	add_extension(cert, p->ca, NID_subject_alt_name, names);
	assert(X509_sign(cert, p->ca_key, EVP_sha256()) > 0);
	snprintf(file, sizeof file, "%s.pem", stem);
	write_certificate(p, file, cert);
	snprintf(file, sizeof file, "%s.key", stem);
	FILE *f = fopen(pki_path(p, file).text, "w");
	assert(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	assert(fclose(f) == 0);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void pki_finish(struct pki *p)
{
	DIR *dir = opendir(p->dir);
	assert(dir != NULL);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		if (e->d_name[0] != '.') {
			unlinkat(dirfd(dir), e->d_name, 0);
		}
	}
	closedir(dir);
	assert(rmdir(p->dir) == 0);
	X509_free(p->ca);
	EVP_PKEY_free(p->ca_key);
}

void pki_configure(const struct pki *p, struct pki_config *c, const char *stem)
{
	static char empty[] = "", oldest[] = "1.2";
	*c = (struct pki_config){0};
	c->config.tls = (struct config_tls){
		.place = {"test.conf", 7},
		.ciphers_place = {"test.conf", 13},
		.ciphersuites_place = {"test.conf", 14},
		.client_ca_place = {"test.conf", 15},
		.ticket_key_file_place = {"test.conf", 16},
		.certificates = c->pairs,
		.min_version = oldest,
		.ciphers = empty,
		.ciphersuites = empty,
		.client_ca = empty,
		.ticket_key_file = empty,
	};
	c->files[0] = pki_path(p, "ca.pem");
	c->backend = (struct config_backend){.ca_place = {"test.conf", 9},
		.ca = c->files[0].text,
		.verify = true,
		.server_name = empty};
	pki_add_name(p, c, "", stem);
}

void pki_add_name(const struct pki *p, struct pki_config *c, const char *name, const char *stem)
{
	char file[64];
	size_t i = c->config.tls.certificate_count++;
	assert(i < 4);
	snprintf(file, sizeof file, "%s.pem", stem);
	c->files[2 * i + 1] = pki_path(p, file);
	snprintf(file, sizeof file, "%s.key", stem);
	c->files[2 * i + 2] = pki_path(p, file);
	c->pairs[i] = (struct config_certificate){.place = {"test.conf", 11},
		.key_place = {"test.conf", 12},
		.name = (char *)(uintptr_t)name,
		.certificate = c->files[2 * i + 1].text,
		.key = c->files[2 * i + 2].text};
}

void pki_config_finish(struct pki_config *c)
{
	config_errors_finish(&c->errors);
}
