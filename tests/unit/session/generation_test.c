/* One reading of the configuration: everything or nothing, all errors at once, freed by the last. */
#include "session/generation.h"

#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTENER "listeners = ( { address = \"127.0.0.1:1143\"; tls = \"none\"; } );\n"
#define BACKENDS                                                                                   \
	"backends = ( { name = \"plain\"; address = \"127.0.0.1:2143\"; tls = \"none\"; },\n"      \
	"  { name = \"secure\"; address = \"127.0.0.1:2993\"; tls = \"implicit\"; } );\n"
#define USERS "users = ( { match = \"*\"; backend = \"plain\"; } );\n"

/* The file of the test that runs. */
static char path[] = "/tmp/generation_XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int open_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int close_file(void **state)
{
	(void)state;
	return unlink(path);
}

static bool is_told(const struct config_errors *errors, const char *word)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (strstr(errors->lines[i], word) != NULL) {
			return true;
		}
	}
	return false;
}

static void test_everything_is_ready(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	write_file(LISTENER BACKENDS USERS);
	struct generation *g = generation_create(path, 7, &errors);
	assert_non_null(g);
	assert_int_equal(errors.count, 0);
	assert_int_equal(g->number, 7);
	assert_int_equal(g->config->backend_count, 2);
	assert_null(g->server_tls);
	assert_null(g->backend_tls[0]);
	assert_non_null(g->backend_tls[1]);
	struct route route;
	assert_true(route_find(g->routes, span_str("alice"), &route));
	assert_int_equal(route.backend, 0);
	route_finish(&route);
	generation_unref(&g);
	assert_null(g);
	generation_unref(&g);
}

/* The map, the listeners' certificate and a server's authorities are told of in one go. */
static void test_all_errors_at_once(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	char text[2048];
	snprintf(text, sizeof text,
		"listeners = ( { address = \"127.0.0.1:1993\"; tls = \"implicit\"; } );\n"
		"tls = { certificate = \"%s\"; key = \"%s\"; };\n"
		"backends = ( { name = \"plain\"; address = \"127.0.0.1:2143\"; tls = \"none\"; "
		"},\n"
		"  { name = \"secure\"; address = \"127.0.0.1:2993\"; tls = \"implicit\";\n"
		"    ca = \"%s\"; } );\n"
		"users = ( { regex = \"(\"; backend = \"plain\"; } );\n",
		path, path, path);
	write_file(text);
	assert_null(generation_create(path, 1, &errors));
	assert_true(errors.count >= 3);
	assert_true(is_told(&errors, ":2: ")); /* certificate */
	assert_true(is_told(&errors, ":5: ")); /* ca */
	assert_true(is_told(&errors, ":6: ")); /* expression */
	config_errors_finish(&errors);
}

static void test_a_file_that_cannot_be_read(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	assert_null(generation_create("/nonexistent/imapmux.conf", 1, &errors));
	assert_true(is_told(&errors, "/nonexistent/imapmux.conf"));
	config_errors_finish(&errors);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *take_and_let_go(void *arg)
{
	struct generation *shared = arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct generation *mine = generation_ref(shared);
		assert(mine->number == 1);
		generation_unref(&mine);
	}
	generation_unref(&shared);
	return NULL;
}

/* The last to let go frees, whoever it is. */
static void test_threads_share(void **state)
{
	(void)state;
	struct config_errors errors = {0};
	write_file(LISTENER BACKENDS USERS);
	struct generation *g = generation_create(path, 1, &errors);
	assert_non_null(g);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_and_let_go, generation_ref(g)), 0);
	}
	generation_unref(&g);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_ready),
		cmocka_unit_test(test_all_errors_at_once),
		cmocka_unit_test(test_a_file_that_cannot_be_read),
		cmocka_unit_test(test_threads_share),
	};
	return cmocka_run_group_tests(tests, open_file, close_file);
}
