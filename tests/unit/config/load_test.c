#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "lib/scratch.h"

/* The smallest thing that is a configuration. */
#define LISTENER "listeners = ( { address = \"127.0.0.1:10143\"; } );\n"
#define BACKEND  "backends = ( { name = \"mail1\"; address = \"127.0.0.1:2143\"; } );\n"

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

/* Every default of the interface, by its name. */
static void test_defaults(void **state)
{
	(void)state;
	struct config *c = scratch_config(LISTENER BACKEND);
	assert_true(c->workers >= 1);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_int_equal(c->log_format, LOG_LOGFMT);
	assert_string_equal(c->user, "");
	assert_string_equal(c->group, "");
	assert_int_equal(c->listener_count, 1);
	assert_string_equal(c->listeners[0].text, "127.0.0.1:10143");
	assert_int_equal(c->listeners[0].tls, TLS_NONE);
	assert_false(c->listeners[0].insecure);
	assert_int_equal(c->listeners[0].mode, 0660);
	assert_int_equal(c->tls.certificate_count, 0);
	assert_string_equal(c->tls.min_version, "1.2");
	assert_string_equal(c->tls.ciphers, "");
	assert_string_equal(c->tls.ticket_key_file, "");
	assert_int_equal(c->backend_count, 1);
	assert_int_equal(c->backends[0].tls, TLS_NONE);
	assert_true(c->backends[0].verify);
	assert_true(c->backends[0].send_id);
	assert_int_equal(c->backends[0].weight, 1);
	assert_string_equal(c->backends[0].server_name, "127.0.0.1");
	assert_string_equal(c->backends[0].min_version, "1.2");
	assert_true(c->pool.enabled);
	assert_int_equal(c->pool.idle_timeout, 300000);
	assert_int_equal(c->pool.max_lifetime, 3600000);
	assert_int_equal(c->pool.check_after, 30000);
	assert_int_equal(c->pool.credential_ttl, 300000);
	assert_int_equal(c->pool.max_idle_per_user, 2);
	assert_int_equal(c->pool.max_idle, 1000);
	assert_int_equal(c->limits.clients, 10000);
	assert_int_equal(c->limits.clients_per_ip, 100);
	assert_int_equal(c->limits.sessions_per_user, 20);
	assert_int_equal(c->limits.preauth_timeout, 60000);
	assert_int_equal(c->limits.preauth_bytes, 65536);
	assert_int_equal(c->limits.line, 65536);
	assert_int_equal(c->limits.idle_timeout, 1860000);
	assert_int_equal(c->limits.connect_timeout, 5000);
	assert_int_equal(c->limits.signin_timeout, 60000);
	assert_int_equal(c->limits.auth_delay, 2000);
	assert_int_equal(c->limits.auth_delay_max, 15000);
	assert_int_equal(c->limits.drain_timeout, 30000);
	assert_int_equal(c->hide_count, 0);
	assert_string_equal(c->admin_socket, "/run/imapmux/admin.sock");
	assert_string_equal(c->admin_http, "127.0.0.1:9143");
	config_unref(&c);
	assert_null(c);
	config_unref(&c);
}

/* A configuration with everything in it that can be read. */
static const char full[] =
	"workers = 3;\n"
	"log = { level = \"debug\"; format = \"json\"; };\n"
	"user = \"root\"; group = \"0\";\n"
	"listeners = (\n"
	"  { address = \"[::]:993\"; tls = \"implicit\"; },\n"
	"  { address = \"0.0.0.0:143\"; tls = \"starttls\"; },                 # LOGINDISABLED "
	"before\n"
	"  { address = \"127.0.0.1:10143\"; tls = \"none\"; },\n"
	"  { address = \"unix:/run/imapmux/imap.sock\"; tls = \"none\"; mode = \"0600\"; },\n"
	"  { address = \"0.0.0.0:10144\"; insecure = true; }\n"
	");\n"
	"tls = {\n"
	"  certificate = \"/dev/null\"; key = \"/dev/zero\";\n"
	"  names = ( { name = \"*.example.org\"; certificate = \"/dev/zero\"; key = \"/dev/null\"; "
	"} );\n"
	"  min_version = \"1.3\"; ciphers = \"A\"; ciphersuites = \"B\"; client_ca = \"\";\n"
	"  client_auth = \"none\"; ticket_key_file = \"/dev/null\";\n"
	"};\n"
	"backends = (\n"
	"  { name = \"mail1\"; address = \"127.0.0.1:2143\"; tls = \"none\"; },\n"
	"  { name = \"mail2\"; address = \"mail2.internal:993\"; tls = \"implicit\"; ca = "
	"\"/dev/null\";\n"
	"    verify = false; server_name = \"mx.internal\"; max_connections = 0; weight = 7; "
	"min_version = \"1.0\";\n"
	"    send_id = false; send_proxy = 0; master_user = \"\"; master_password_file = \"\"; },\n"
	"  { name = \"mail3\"; address = \"unix:/run/mail3\"; }\n"
	");\n"
	"groups = ( { name = \"cluster\"; backends = ( \"mail2\", \"mail1\" ); },\n"
	"           { name = \"one\"; backends = [ \"mail3\" ]; } );\n"
	"users = (\n"
	"  { match = \"alice@example.org\"; backend = \"mail1\"; },\n"
	"  { match = \"*@example.org\"; group = \"cluster\"; login = \"%n\"; },\n"
	"  { regex = \"^(.+)@old\\\\.example$\"; backend = \"mail2\"; login = \"$1\"; },\n"
	"  { file = \"/etc/imapmux/users.map\"; },\n"
	"  { match = \"*\"; group = \"cluster\"; }\n"
	");\n"
	"pool = { enabled = false; idle_timeout = 7; max_lifetime = \"2h\"; check_after = 0;\n"
	"  credential_ttl = \"1500ms\"; max_idle_per_user = 3; max_per_user = 10; max_idle = 5;\n"
	"  queue_timeout = \"3s\"; spares = 0; };\n"
	"limits = { clients = 1; clients_per_ip = 2; sessions_per_user = 3; preauth_timeout = "
	"\"4s\";\n"
	"  preauth_bytes = \"5k\"; line = 6000; idle_timeout = \"7m\"; connect_timeout = \"8s\";\n"
	"  signin_timeout = \"9s\"; auth_delay = \"250ms\"; auth_delay_max = \"4s\"; "
	"drain_timeout = "
	"0; };\n"
	"capabilities = { hide = ( \"Notify\", \"auth=plain\" ); };\n"
	"admin = { socket = \"\"; http = \"\"; };\n";

static void test_full_listeners(void **state)
{
	(void)state;
	struct config *c = scratch_config(full);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_int_equal(c->log_format, LOG_JSON);
	assert_string_equal(c->user, "root");
	assert_string_equal(c->group, "0");
	assert_int_equal(c->listener_count, 5);
	assert_int_equal(c->listeners[0].tls, TLS_IMPLICIT);
	assert_int_equal(c->listeners[0].place.line, 5);
	assert_int_equal(c->listeners[1].tls, TLS_STARTTLS);
	assert_int_equal(c->listeners[3].mode, 0600);
	assert_string_equal(c->listeners[3].text, "unix:/run/imapmux/imap.sock");
	assert_true(c->listeners[4].insecure);
	assert_int_equal(c->tls.certificate_count, 2);
	assert_int_equal(c->tls.place.line, 11);
	assert_string_equal(c->tls.certificates[0].name, "");
	assert_string_equal(c->tls.certificates[0].certificate, "/dev/null");
	assert_string_equal(c->tls.certificates[0].key, "/dev/zero");
	assert_string_equal(c->tls.certificates[1].name, "*.example.org");
	assert_string_equal(c->tls.certificates[1].key, "/dev/null");
	assert_int_equal(c->tls.certificates[1].place.line, 13);
	assert_string_equal(c->tls.min_version, "1.3");
	assert_string_equal(c->tls.ciphers, "A");
	assert_string_equal(c->tls.ciphersuites, "B");
	assert_string_equal(c->tls.ticket_key_file, "/dev/null");
	config_unref(&c);
}

static void test_full_backends(void **state)
{
	(void)state;
	struct config *c = scratch_config(full);
	assert_int_equal(c->backend_count, 3);
	assert_string_equal(c->backends[1].address.host, "mail2.internal");
	assert_int_equal(c->backends[1].tls, TLS_IMPLICIT);
	assert_string_equal(c->backends[1].ca, "/dev/null");
	assert_false(c->backends[1].verify);
	assert_string_equal(c->backends[1].server_name, "mx.internal");
	assert_string_equal(c->backends[1].min_version, "1.0");
	assert_int_equal(c->backends[1].weight, 7);
	assert_false(c->backends[1].send_id);
	assert_int_equal(c->backends[1].place.line, 19);
	assert_string_equal(c->backends[2].server_name, "");
	assert_int_equal(c->group_count, 2);
	assert_int_equal(c->groups[0].backend_count, 2);
	assert_int_equal(c->groups[0].backends[0], 1);
	assert_int_equal(c->groups[0].backends[1], 0);
	assert_int_equal(c->groups[1].backends[0], 2);
	assert_int_equal(c->rule_count, 5);
	assert_int_equal(c->rules[1].kind, RULE_MATCH);
	assert_string_equal(c->rules[1].target, "cluster");
	assert_string_equal(c->rules[1].login, "%n");
	assert_int_equal(c->rules[2].kind, RULE_REGEX);
	assert_string_equal(c->rules[2].pattern, "^(.+)@old\\.example$");
	assert_int_equal(c->rules[3].kind, RULE_FILE);
	assert_string_equal(c->rules[3].target, "");
	assert_int_equal(c->rules[4].place.line, 31);
	config_unref(&c);
}

static void test_full_numbers(void **state)
{
	(void)state;
	struct config *c = scratch_config(full);
	assert_false(c->pool.enabled);
	assert_int_equal(c->pool.idle_timeout, 7000);
	assert_int_equal(c->pool.max_lifetime, 7200000);
	assert_int_equal(c->pool.check_after, 0);
	assert_int_equal(c->pool.credential_ttl, 1500);
	assert_int_equal(c->pool.max_idle_per_user, 3);
	assert_int_equal(c->pool.max_idle, 5);
	assert_int_equal(c->limits.clients, 1);
	assert_int_equal(c->limits.clients_per_ip, 2);
	assert_int_equal(c->limits.sessions_per_user, 3);
	assert_int_equal(c->limits.preauth_timeout, 4000);
	assert_int_equal(c->limits.preauth_bytes, 5120);
	assert_int_equal(c->limits.line, 6000);
	assert_int_equal(c->limits.idle_timeout, 420000);
	assert_int_equal(c->limits.connect_timeout, 8000);
	assert_int_equal(c->limits.signin_timeout, 9000);
	assert_int_equal(c->limits.auth_delay, 250);
	assert_int_equal(c->limits.auth_delay_max, 4000);
	assert_int_equal(c->limits.drain_timeout, 0);
	assert_int_equal(c->hide_count, 2);
	assert_string_equal(c->hide[0], "NOTIFY");
	assert_string_equal(c->hide[1], "AUTH=PLAIN");
	assert_string_equal(c->admin_socket, "");
	config_unref(&c);
}

static void test_find_target(void **state)
{
	(void)state;
	struct config *c = scratch_config(full);
	bool is_group = true;
	size_t index = 9;
	assert_true(config_find_target(c, "mail3", &is_group, &index));
	assert_false(is_group);
	assert_int_equal(index, 2);
	assert_true(config_find_target(c, "one", &is_group, &index));
	assert_true(is_group);
	assert_int_equal(index, 1);
	assert_false(config_find_target(c, "Mail3", &is_group, &index));
	config_unref(&c);
}

static void test_snapshot_is_counted(void **state)
{
	(void)state;
	struct config *c = scratch_config(LISTENER BACKEND);
	struct config *d = config_ref(c);
	assert_ptr_equal(c, d);
	config_unref(&c);
	assert_null(c);
	assert_string_equal(d->backends[0].name, "mail1");
	/* Places live with the snapshot. */
	assert_non_null(strstr(d->backends[0].place.file, "test.conf"));
	assert_string_equal(d->backends[0].place.file, d->file);
	config_unref(&d);
}

/* What cannot be used for service can still be looked at, and tells nothing twice. */
static void test_load_to_check(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	const char *file = scratch_write("bad.conf",
		LISTENER "workers = 1000;\n"
			 "tls = { certificate = \"/no/cert\"; key = \"/dev/null\"; "
			 "ticket_key_file = \"/no/tickets\"; };\n"
			 "backends = ( { name = \"m\"; address = \"h:1\"; tls = \"implicit\"; "
			 "ca = \"/no/ca\"; } );\n"
			 "users = ( { match = \"*\"; backend = \"m2\"; } );\n");
	struct config *c = config_load_to_check(file, &errors);
	assert_non_null(c);
	assert_int_equal(errors.count, 5);
	assert_true(c->workers >= 1 && c->workers <= 256);
	assert_int_equal(c->tls.certificate_count, 0);
	assert_string_equal(c->tls.ticket_key_file, "");
	assert_int_equal(c->backends[0].tls, TLS_NONE);
	config_unref(&c);
	assert_null(config_load(file, &errors));
	assert_int_equal(errors.count, 10);
	assert_null(config_load_to_check("/no/file", &errors));
	assert_int_equal(errors.count, 11);
	assert_string_equal(errors.lines[10], "cannot read /no/file: No such file or directory");
	config_errors_finish(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_full_listeners),
		cmocka_unit_test(test_full_backends),
		cmocka_unit_test(test_full_numbers),
		cmocka_unit_test(test_find_target),
		cmocka_unit_test(test_snapshot_is_counted),
		cmocka_unit_test(test_load_to_check),
	};
	return cmocka_run_group_tests_name("config/load", tests, NULL, remove_files);
}
