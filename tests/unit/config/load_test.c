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
	assert_int_equal(c->limits.drain_timeout, 30000);
	assert_int_equal(c->hide_count, 0);
	assert_string_equal(c->admin_socket, "/run/imapmux/admin.sock");
	assert_string_equal(c->admin_http, "127.0.0.1:9143");
	config_unref(&c);
	assert_null(c);
	config_unref(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
	};
	return cmocka_run_group_tests_name("config/load", tests, NULL, remove_files);
}
