/* The admin socket's place: who may use it, when a failure counts, whose file is removed. */
#include "control/door.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/schema.h"

struct scene {
	char dir[32];
	char path[64];
	struct config config;
	struct config_errors errors;
	struct door door;
};

static int open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	snprintf(s->dir, sizeof s->dir, "/tmp/door_XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof s->path, "%s/admin.sock", s->dir);
	s->config.file = (char *)"test.conf";
	s->config.admin_socket_place = (struct config_place){"test.conf", 7};
	s->config.user = (char *)"";
	s->config.admin_socket = s->path;
	*state = s;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *s = *state;
	assert_int_equal(rmdir(s->dir), 0);
	config_errors_finish(&s->errors);
	free(s);
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void test_mode_and_removal(void **state)
{
	struct scene *s = *state;
	struct stat st;
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_true(s->door.fd >= 0);
	assert_int_equal(stat(s->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	door_finish(&s->door);
	assert_int_equal(s->door.fd, -1);
	assert_false(exists(s->path));
}

static void test_given_to_the_user_to_become(void **state)
{
	struct scene *s = *state;
	struct stat st;
	if (geteuid() != 0) {
		skip();
	}
	s->config.user = (char *)"4242";
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_uid, 4242);
	assert_int_equal(st.st_mode & 07777, 0600);
	door_finish(&s->door);
	s->config.user = (char *)"nobody";
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	door_finish(&s->door);
}

static void test_off(void **state)
{
	struct scene *s = *state;
	s->config.admin_socket = (char *)"";
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(s->door.fd, -1);
	assert_false(s->door.is_kept);
	door_finish(&s->door);
}

static void test_an_explicit_path_must_work(void **state)
{
	struct scene *s = *state;
	char missing[80];
	snprintf(missing, sizeof missing, "%s/missing/admin.sock", s->dir);
	s->config.admin_socket = missing;
	assert_false(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(s->errors.count, 1);
	assert_non_null(strstr(s->errors.lines[0], "test.conf:7: admin.socket: cannot listen"));
	assert_int_equal(s->door.fd, -1);
	/* Nor may it replace a file that is no socket. */
	s->config.admin_socket = s->path;
	close(open(s->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_false(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_true(exists(s->path));
	unlink(s->path);
}

/* As on a machine without the folder; where there is one, it can be bound or somebody listens. */
static void test_the_default_path_may_fail(void **state)
{
	struct scene *s = *state;
	s->config.admin_socket = (char *)schema_find("admin.socket")->initial;
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(s->errors.count, 0);
	door_finish(&s->door);
}

static void test_kept_while_it_is_open_there(void **state)
{
	struct scene *s = *state;
	struct door next, third;
	char other[80];
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_true(door_bind(&next, &s->config, &s->door, &s->errors));
	assert_true(next.is_kept && next.fd < 0);
	door_finish(&next);
	assert_true(exists(s->path));
	snprintf(other, sizeof other, "%s/other.sock", s->dir);
	s->config.admin_socket = other;
	assert_true(door_bind(&third, &s->config, &s->door, &s->errors));
	assert_true(!third.is_kept && third.fd >= 0 && exists(other));
	door_finish(&s->door);
	assert_true(!exists(s->path) && exists(other));
	door_finish(&third);
}

static void test_the_file_of_another_stays(void **state)
{
	struct scene *s = *state;
	struct door other;
	assert_true(door_bind(&s->door, &s->config, NULL, &s->errors));
	assert_int_equal(unlink(s->path), 0);
	assert_true(door_bind(&other, &s->config, NULL, &s->errors));
	door_finish(&s->door);
	assert_true(exists(s->path));
	door_finish(&other);
	assert_false(exists(s->path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mode_and_removal, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_given_to_the_user_to_become, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(test_off, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_an_explicit_path_must_work, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_the_default_path_may_fail, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_kept_while_it_is_open_there, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_the_file_of_another_stays, open_scene, close_scene),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
