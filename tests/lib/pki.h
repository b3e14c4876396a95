/*
 * Certificates for tests: a CA that lives in a private directory and signs what it is asked for.
 * Failures end the test program: there is nothing to test then.
 */
#ifndef IMAPMUX_LIB_PKI_H
#define IMAPMUX_LIB_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "config/config.h"

struct pki {
	char dir[64];
	EVP_PKEY *ca_key;
	X509 *ca;
	unsigned serial;
};

struct pki_path {
	char text[128];
};

/* A CA with its certificate in "ca.pem". */
void pki_init(struct pki *p);
void pki_finish(struct pki *p);

/* STEM.pem and STEM.key: for the names ("DNS:a.example,IP:127.0.0.1"), valid from .. to days from now. */
void pki_issue(struct pki *p, const char *stem, const char *names, int from, int to);

/* A file of the directory, by its name. */
struct pki_path pki_path(const struct pki *p, const char *file);

/* Writes a file into the directory. */
struct pki_path pki_write(const struct pki *p, const char *file, const char *text);

/* A configuration with one certificate pair, as config_load would make it. Strings are borrowed. */
struct pki_config {
	struct config config;
	struct config_certificate pairs[4];
	struct config_backend backend;
	struct pki_path files[10];
	struct config_errors errors;
};

void pki_configure(const struct pki *p, struct pki_config *c, const char *stem);
/* One more pair, chosen by SNI. */
void pki_add_name(const struct pki *p, struct pki_config *c, const char *name, const char *stem);
void pki_config_finish(struct pki_config *c);

#endif
