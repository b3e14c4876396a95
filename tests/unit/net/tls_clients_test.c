/* Certificates of clients: who gets through, which names are found, what a ticket is worth elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../proxy/net/tls_context_priv.h"
#include "lib/tls_pair.h"

static struct pki pki;
static char server_name[] = "imap.example.org";

struct setting {
	struct pki_config config;
	struct tls_context *server, *client;
};

static void make(struct setting *s, enum client_auth auth)
{
	pki_configure(&pki, &s->config, "good");
	s->config.config.tls.client_ca = s->config.files[0].text;
	s->config.config.tls.client_auth = auth;
	s->config.backend.server_name = server_name;
	s->server = tls_context_create_server(&s->config.config, &s->config.errors);
	s->client = tls_context_create_client(&s->config.backend, &s->config.errors);
	assert_non_null(s->server);
	assert_non_null(s->client);
}

static void end(struct setting *s)
{
	tls_context_unref(&s->server);
	tls_context_unref(&s->client);
	pki_config_finish(&s->config);
}

static void carry(struct setting *s, const char *stem)
{
	char file[64];
	snprintf(file, sizeof file, "%s.pem", stem);
	assert_int_equal(
		SSL_CTX_use_certificate_chain_file(s->client->ssl, pki_path(&pki, file).text), 1);
	snprintf(file, sizeof file, "%s.key", stem);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(
				 s->client->ssl, pki_path(&pki, file).text, SSL_FILETYPE_PEM),
		1);
}

/* Connects; "refused", or the names in the field with a comma behind each. is_resumed may be NULL. */
static const char *connect_for(struct setting *s, enum client_user field, bool *is_resumed)
{
	static char text[200];
	struct tls_end client, server;
	char *names[4];
	tls_end_init(&server, s->server, true, NULL);
	tls_end_init(&client, s->client, false, server_name);
	tls_talk(&client, &server, SIZE_MAX);
	text[0] = '\0';
	if (!server.is_open) {
		snprintf(text, sizeof text, "refused");
	} else {
		size_t count = tls_client_names(server.tls, field, names, 4);
		for (size_t i = 0; i < count; i++) {
			size_t n = strlen(text);
			snprintf(text + n, sizeof text - n, "%s,", names[i]);
			free(names[i]);
		}
		/* The ticket comes behind the handshake. */
		tls_end_say(&server, "x");
		tls_talk(&client, &server, SIZE_MAX);
		assert_int_equal(tls_client_names(client.tls, field, names, 4), 0);
	}
	if (is_resumed != NULL) {
		*is_resumed = server.is_open && tls_is_resumed(server.tls);
	}
	tls_end_finish(&client);
	tls_end_finish(&server);
	return text;
}

static void fields(void **state)
{
	(void)state;
	struct setting s;
	make(&s, CLIENT_AUTH_REQUIRE);
	assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "refused");
	carry(&s, "alice");
	assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "alice,");
	assert_string_equal(
		connect_for(&s, CLIENT_USER_EMAIL, NULL), "a@example.org,b@example.org,");
	assert_string_equal(connect_for(&s, CLIENT_USER_DNS, NULL), "host.example.org,");
	end(&s);
	make(&s, CLIENT_AUTH_OPTIONAL);
	assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "");
	end(&s);
	make(&s, CLIENT_AUTH_OPTIONAL);
	carry(&s, "expired");
	assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "refused");
	end(&s);
	make(&s, CLIENT_AUTH_NONE);
	carry(&s, "alice");
	assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "");
	end(&s);
}

static void ask_as(struct setting *s, enum client_auth auth)
{
	tls_context_unref(&s->server);
	s->config.config.tls.client_auth = auth;
	s->server = tls_context_create_server(&s->config.config, &s->config.errors);
	assert_non_null(s->server);
}

/* S16. The keys of tickets outlive the contexts: as with a reload, or with another proxy. */
static void tickets(void **state)
{
	(void)state;
	for (int is_12 = 0; is_12 < 2; is_12++) {
		struct setting s;
		bool is_resumed;
		make(&s, CLIENT_AUTH_NONE);
		if (is_12) {
			SSL_CTX_set_max_proto_version(s.client->ssl, TLS1_2_VERSION);
		}
		connect_for(&s, CLIENT_USER_CN, NULL);
		connect_for(&s, CLIENT_USER_CN, &is_resumed);
		assert_true(is_resumed);
		ask_as(&s, CLIENT_AUTH_REQUIRE);
		assert_string_equal(connect_for(&s, CLIENT_USER_CN, NULL), "refused");
		ask_as(&s, CLIENT_AUTH_OPTIONAL);
		assert_string_equal(connect_for(&s, CLIENT_USER_CN, &is_resumed), "");
		assert_false(is_resumed);
		carry(&s, "alice");
		ask_as(&s, CLIENT_AUTH_REQUIRE);
		assert_string_equal(connect_for(&s, CLIENT_USER_CN, &is_resumed), "alice,");
		assert_false(is_resumed);
		/* Where he has shown it, his ticket shows it again. */
		assert_string_equal(connect_for(&s, CLIENT_USER_CN, &is_resumed), "alice,");
		assert_true(is_resumed);
		end(&s);
	}
}

static void errors(void **state)
{
	(void)state;
	struct pki_config c;
	struct pki_path garbage = pki_write(&pki, "garbage.pem", "no certificate\n");
	pki_configure(&pki, &c, "good");
	c.config.tls.client_auth = CLIENT_AUTH_REQUIRE;
	c.config.tls.client_ca = garbage.text;
	assert_null(tls_context_create_server(&c.config, &c.errors));
	assert_int_equal(c.errors.count, 1);
	assert_non_null(strstr(c.errors.lines[0], "tls.client_ca: "));
	assert_non_null(strstr(c.errors.lines[0], "garbage.pem: "));
	config_errors_finish(&c.errors);
	struct pki_path missing = pki_path(&pki, "missing.pem");
	c.config.tls.client_ca = missing.text;
	assert_null(tls_context_create_server(&c.config, &c.errors));
	assert_int_equal(c.errors.count, 1);
	assert_non_null(strstr(c.errors.lines[0], "missing.pem: No such file"));
	pki_config_finish(&c);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org", -1, 10);
	pki_issue(&pki, "alice", "email:a@example.org,email:b@example.org,DNS:host.example.org", -1,
		10);
	pki_issue(&pki, "expired", "email:a@example.org", -10, -1);
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
		cmocka_unit_test(fields),
		cmocka_unit_test(tickets),
		cmocka_unit_test(errors),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
