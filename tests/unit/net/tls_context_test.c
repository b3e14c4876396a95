/* What is wrong with certificates, keys and settings is said with file, line, key and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/pki.h"
#include "net/tls_context.h"

static struct pki pki;

static void expect(struct pki_config *c, const char *text)
{
	struct tls_context *t = tls_context_create_server(&c->config, &c->errors);
	assert_null(t);
	assert_int_equal(c->errors.count, 1);
	if (strstr(c->errors.lines[0], text) == NULL) {
		fail_msg("\"%s\" holds no \"%s\"", c->errors.lines[0], text);
	}
	config_errors_finish(&c->errors);
}

static void server_errors(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path garbage = pki_write(&pki, "garbage.pem", "no certificate\n");
	struct pki_path missing = pki_path(&pki, "missing.pem");
	struct pki_path other_key = pki_path(&pki, "wild.key");
	static char nonsense[] = "NONSENSE";

	pki_configure(&pki, &c, "good");
	c.pairs[0].certificate = missing.text;
	expect(&c, "No such file");
	expect(&c, "missing.pem");
	expect(&c, "test.conf:11: tls.certificate: ");
	c.pairs[0].certificate = garbage.text;
	expect(&c, "garbage.pem: no certificate in PEM form: no start line");

	pki_configure(&pki, &c, "good");
	c.pairs[0].key = missing.text;
	expect(&c, "test.conf:12: tls.key: ");
	c.pairs[0].key = garbage.text;
	expect(&c, "garbage.pem: no private key in PEM form: ");
	c.pairs[0].key = other_key.text;
	expect(&c, "wild.key: not the key of this certificate: key values mismatch");

	pki_configure(&pki, &c, "good");
	c.config.tls.ciphers = nonsense;
	expect(&c, "test.conf:13: tls.ciphers: NONSENSE: no cipher match");
	pki_configure(&pki, &c, "good");
	c.config.tls.ciphersuites = nonsense;
	expect(&c, "test.conf:14: tls.ciphersuites: NONSENSE");

	pki_configure(&pki, &c, "good");
	c.config.tls.certificate_count = 0;
	expect(&c, "certificate");
}

/* Two bad pairs: two lines of one run. */
static void all_errors(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path other_key = pki_path(&pki, "wild.key");
	pki_configure(&pki, &c, "good");
	pki_add_name(&pki, &c, "a.example", "good");
	pki_add_name(&pki, &c, "b.example", "nowhere");
	c.pairs[1].key = other_key.text;
	assert_null(tls_context_create_server(&c.config, &c.errors));
	assert_int_equal(c.errors.count, 2);
	assert_non_null(strstr(c.errors.lines[0], "mismatch"));
	assert_non_null(strstr(c.errors.lines[1], "nowhere.pem"));
	pki_config_finish(&c);
}

/* A key with a passphrase is an error, and nobody is asked for it on the terminal. */
static void encrypted_key(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path path = pki_path(&pki, "locked.key");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(path.text, "w");
	assert_int_equal(
		PEM_write_PKCS8PrivateKey(f, key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL), 1);
	fclose(f);
	EVP_PKEY_free(key);
	pki_configure(&pki, &c, "good");
	c.pairs[0].key = path.text;
	expect(&c, "locked.key: it wants a passphrase: ");
}

static void key_of_another_kind(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path path = pki_path(&pki, "rsa.key");
	EVP_PKEY *key = EVP_RSA_gen(2048);
	FILE *f = fopen(path.text, "w");
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	EVP_PKEY_free(key);
	pki_configure(&pki, &c, "good");
	c.pairs[0].key = path.text;
	expect(&c, "rsa.key: not the key of this certificate: ");
}

static void client_errors(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path garbage = pki_write(&pki, "garbage.pem", "no certificate\n");
	struct pki_path missing = pki_path(&pki, "missing.pem");
	pki_configure(&pki, &c, "good");
	c.backend.ca = missing.text;
	assert_null(tls_context_create_client(&c.backend, &c.errors));
	c.backend.ca = garbage.text;
	assert_null(tls_context_create_client(&c.backend, &c.errors));
	assert_int_equal(c.errors.count, 2);
	assert_non_null(strstr(c.errors.lines[0], "test.conf:9: "));
	assert_non_null(strstr(c.errors.lines[0], "missing.pem: "));
	assert_non_null(strstr(c.errors.lines[1], "garbage.pem: "));
	/* What is not verified needs no authority; the system's store and a directory are fine. */
	c.backend.verify = false;
	struct tls_context *t = tls_context_create_client(&c.backend, &c.errors);
	assert_non_null(t);
	tls_context_unref(&t);
	static char system_store[] = "";
	c.backend.verify = true;
	char *const stores[] = {system_store, pki.dir};
	for (size_t i = 0; i < 2; i++) {
		c.backend.ca = stores[i];
		t = tls_context_create_client(&c.backend, &c.errors);
		assert_non_null(t);
		tls_context_unref(&t);
	}
	pki_config_finish(&c);
}

#define DIGITS_32 "0123456789abcdef0123456789ABCDEF"
#define KEY       DIGITS_32 DIGITS_32 DIGITS_32 DIGITS_32 DIGITS_32

static void ticket_files(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error; /* NULL: accepted */
	} rows[] = {
		{KEY, NULL},
		{"# two\n" KEY "\n\n" KEY "\n", NULL},
		{"", "holds no key"},
		{"# nothing\n", "holds no key"},
		{"0123456789abcdef\n", "160 hexadecimal digits"},
		{KEY "0\n", "160 hexadecimal digits"},
		{KEY "\n g" KEY "\n", "160 hexadecimal digits"},
		{"g" DIGITS_32 DIGITS_32 DIGITS_32 DIGITS_32 "0123456789abcdef0123456789abcde",
			"160 hexadecimal digits"},
		{KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY,
			"more than 8"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pki_config c;
		struct pki_path path = pki_write(&pki, "tickets", rows[i].text);
		assert_int_equal(chmod(path.text, 0600), 0);
		pki_configure(&pki, &c, "good");
		c.config.tls.ticket_key_file = path.text;
		if (rows[i].error != NULL) {
			expect(&c, rows[i].error);
			expect(&c, "test.conf:16: ");
			continue;
		}
		struct tls_context *t = tls_context_create_server(&c.config, &c.errors);
		assert_non_null(t);
		tls_context_unref(&t);
	}
	struct pki_config c;
	struct pki_path path = pki_path(&pki, "nowhere");
	pki_configure(&pki, &c, "good");
	c.config.tls.ticket_key_file = path.text;
	expect(&c, "nowhere: No such file");
	c.config.tls.ticket_key_file = (char *)(uintptr_t) "/dev/zero";
	expect(&c, "too long");
	c.config.tls.ticket_key_file = pki.dir;
	expect(&c, "Is a directory");
}

static void references(void **state)
{
	(void)state;
	struct pki_config c;
	pki_configure(&pki, &c, "good");
	struct tls_context *t = tls_context_create_server(&c.config, &c.errors);
	struct tls_context *again = tls_context_ref(t);
	assert_ptr_equal(t, again);
	tls_context_unref(&t);
	assert_null(t);
	tls_context_unref(&t);
	tls_context_unref(&again);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org", -1, 10);
	pki_issue(&pki, "wild", "DNS:*.example.net", -1, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_finish(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_errors),
		cmocka_unit_test(all_errors),
		cmocka_unit_test(encrypted_key),
		cmocka_unit_test(key_of_another_kind),
		cmocka_unit_test(client_errors),
		cmocka_unit_test(ticket_files),
		cmocka_unit_test(references),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
