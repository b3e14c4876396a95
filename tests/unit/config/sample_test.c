/*
 * The configurations that are installed: the sample starts as it stands and shows the defaults.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "lib/scratch.h"

static struct config *load(const char *file)
{
	struct config_errors errors = {0};
	struct config *c = config_load(file, &errors);
	for (size_t i = 0; i < errors.count; i++) {
		print_error("%s\n", errors.lines[i]);
	}
	assert_non_null(c);
	return c;
}

static void test_sample_starts(void **state)
{
	(void)state;
	struct config *c = load("etc/imapmux.conf");
	assert_int_equal(c->listener_count, 1);
	assert_true(c->listeners[0].address.is_loopback);
	assert_int_equal(c->backend_count, 1);
	assert_int_equal(c->rule_count, 1);
	config_unref(&c);
}

static void test_sample_shows_the_defaults(void **state)
{
	(void)state;
	struct config *sample = load("etc/imapmux.conf");
	struct config *bare = scratch_config(
		"listeners = ( { address = \"127.0.0.1:10143\"; } );\n"
		"backends = ( { name = \"mail1\"; address = \"127.0.0.1:143\"; } );\n");
	assert_int_equal(sample->workers, bare->workers);
	assert_int_equal(sample->log_level, bare->log_level);
	assert_memory_equal(&sample->limits, &bare->limits, sizeof bare->limits);
	assert_int_equal(sample->pool.enabled, bare->pool.enabled);
	assert_int_equal(sample->pool.idle_timeout, bare->pool.idle_timeout);
	assert_int_equal(sample->pool.max_lifetime, bare->pool.max_lifetime);
	assert_int_equal(sample->pool.check_after, bare->pool.check_after);
	assert_int_equal(sample->pool.credential_ttl, bare->pool.credential_ttl);
	assert_int_equal(sample->pool.max_idle_per_user, bare->pool.max_idle_per_user);
	assert_int_equal(sample->pool.max_idle, bare->pool.max_idle);
	assert_string_equal(sample->admin_http, bare->admin_http);
	config_unref(&sample);
	config_unref(&bare);
	scratch_remove();
}

/* The minimal one needs a certificate and nothing else. */
static void test_minimal_lacks_certificates_only(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	struct config *c = config_load("etc/imapmux-minimal.conf", &errors);
	if (c == NULL) {
		assert_int_equal(errors.count, 2);
		assert_non_null(strstr(errors.lines[0], "tls.certificate: cannot read"));
		assert_non_null(strstr(errors.lines[1], "tls.key: cannot read"));
	}
	config_unref(&c);
	config_errors_finish(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_starts),
		cmocka_unit_test(test_sample_shows_the_defaults),
		cmocka_unit_test(test_minimal_lacks_certificates_only),
	};
	return cmocka_run_group_tests_name("config/sample", tests, NULL, NULL);
}
