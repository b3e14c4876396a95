/* Sockets between bind and worker: all or nothing, kept over a reload, files removed by their owner only. */
#include "control/sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORKERS = 3, MOST = 3 };

struct scene {
	char dir[32];
	char paths[MOST][64];
	struct config_listener listeners[MOST];
	struct config config;
	struct generation generation;
	struct config_errors errors;
};

static const size_t all_new[MOST] = {CONFIG_PLAN_NEW, CONFIG_PLAN_NEW, CONFIG_PLAN_NEW};

/* A generation whose listeners are these names in the scene's folder. */
static void set_listeners(struct scene *s, size_t count, const char *const *names)
{
	s->config = (struct config){.listeners = s->listeners, .listener_count = count};
	for (size_t i = 0; i < count; i++) {
		snprintf(s->paths[i], sizeof s->paths[i], "%s/%s", s->dir, names[i]);
		s->listeners[i] = (struct config_listener){
			.place = {.file = "test.conf", .line = (unsigned)i + 1},
			.text = s->paths[i],
			.address = {.kind = ADDRESS_UNIX, .path = s->paths[i], .is_loopback = true},
			.mode = 0600,
		};
	}
}

static int open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	snprintf(s->dir, sizeof s->dir, "/tmp/sockets_XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	/* A reference of the scene's own: nobody frees it. */
	s->generation = (struct generation){.refs = 1, .number = 1, .config = &s->config};
	*state = s;
	return 0;
}

/* The folder must be empty: whoever bound has removed. */
static int close_scene(void **state)
{
	struct scene *s = *state;
	assert_int_equal(s->generation.refs, 1);
	assert_int_equal(rmdir(s->dir), 0);
	config_errors_finish(&s->errors);
	free(s);
	return 0;
}

static bool is_file(const struct scene *s, const char *name)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	return lstat(path, &st) == 0;
}

static unsigned mode_of(const struct scene *s, const char *name)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static bool accepts(const struct scene *s, const char *name)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof to.sun_path, "%s/%s", s->dir, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
	close(fd);
	return answered;
}

static size_t open_descriptors(void)
{
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d) != NULL) {
		n++;
	}
	closedir(d);
	return n;
}

static void test_each_worker_gets_his_own(void **state)
{
	struct scene *s = *state;
	struct sockets sockets;
	size_t before = open_descriptors();
	set_listeners(s, 2, (const char *const[]){"a", "b"});
	assert_true(sockets_bind(&sockets, &s->config, all_new, WORKERS, &s->errors));
	assert_true(accepts(s, "a") && accepts(s, "b"));
	assert_int_equal(open_descriptors(), before + 2 * WORKERS);
	struct message *renew[WORKERS];
	for (size_t w = 0; w < WORKERS; w++) {
		renew[w] = message_renew(&s->generation);
		sockets_hand_out(&sockets, w, renew[w]);
		assert_true(renew[w]->sockets[0].fd >= 0 && renew[w]->sockets[1].fd >= 0);
		assert_true(renew[w]->sockets[0].kept_from == CONFIG_PLAN_NEW);
	}
	assert_true(renew[0]->sockets[0].fd != renew[1]->sockets[0].fd);
	sockets_finish(&sockets);
	assert_false(is_file(s, "a") || is_file(s, "b"));
	assert_int_equal(open_descriptors(), before + 2 * WORKERS); /* the messages own them */
	for (size_t w = 0; w < WORKERS; w++) {
		message_destroy(&renew[w]);
	}
	assert_int_equal(open_descriptors(), before);
}

static void test_all_or_nothing(void **state)
{
	struct scene *s = *state;
	struct sockets sockets;
	size_t before = open_descriptors();
	set_listeners(s, 3, (const char *const[]){"a", "missing/b", "missing/c"});
	assert_false(sockets_bind(&sockets, &s->config, all_new, WORKERS, &s->errors));
	assert_int_equal(s->errors.count, 2); /* each that failed, not only the first */
	assert_non_null(
		strstr(s->errors.lines[0], "test.conf:2: listeners.address: cannot listen"));
	assert_non_null(strstr(s->errors.lines[1], "test.conf:3: "));
	assert_false(is_file(s, "a"));
	assert_int_equal(open_descriptors(), before);
}

static void test_not_handed_out(void **state)
{
	struct scene *s = *state;
	struct sockets sockets;
	size_t before = open_descriptors();
	set_listeners(s, 1, (const char *const[]){"a"});
	assert_true(sockets_bind(&sockets, &s->config, all_new, WORKERS, &s->errors));
	sockets_finish(&sockets);
	assert_int_equal(open_descriptors(), before);
	sockets_finish(&sockets);
}

/* a and b served; now b stays, a goes, c comes. */
static void test_keep_drop_add(void **state)
{
	struct scene *s = *state;
	struct sockets old, fresh;
	set_listeners(s, 2, (const char *const[]){"a", "b"});
	assert_true(sockets_bind(&old, &s->config, all_new, 1, &s->errors));
	struct message *first = message_renew(&s->generation);
	sockets_hand_out(&old, 0, first);

	set_listeners(s, 2, (const char *const[]){"c", "b"});
	const size_t kept_from[] = {CONFIG_PLAN_NEW, 1};
	s->listeners[1].mode = 0640;
	assert_true(sockets_bind(&fresh, &s->config, kept_from, 1, &s->errors));
	sockets_keep(&fresh, &old);
	sockets_finish(&old);
	assert_false(is_file(s, "a"));
	assert_true(accepts(s, "b") && accepts(s, "c"));
	assert_int_equal(mode_of(s, "b"), 0640);
	struct message *second = message_renew(&s->generation);
	sockets_hand_out(&fresh, 0, second);
	assert_true(second->sockets[0].fd >= 0);
	assert_int_equal(second->sockets[1].fd, -1);
	assert_int_equal(second->sockets[1].kept_from, 1);

	sockets_finish(&fresh);
	assert_false(is_file(s, "b") || is_file(s, "c"));
	message_destroy(&first);
	message_destroy(&second);
}

/* A reload that fails takes away what it made, not what is in force. */
static void test_failed_reload_keeps_the_old(void **state)
{
	struct scene *s = *state;
	struct sockets old, fresh;
	set_listeners(s, 1, (const char *const[]){"a"});
	assert_true(sockets_bind(&old, &s->config, all_new, 1, &s->errors));
	set_listeners(s, 3, (const char *const[]){"b", "a", "missing/c"});
	const size_t kept_from[] = {CONFIG_PLAN_NEW, 0, CONFIG_PLAN_NEW};
	assert_false(sockets_bind(&fresh, &s->config, kept_from, 1, &s->errors));
	assert_false(is_file(s, "b"));
	assert_true(accepts(s, "a"));
	sockets_finish(&old);
}

/* Somebody else listens at that path by now: his file is not ours to remove. */
static void test_anothers_file_stays(void **state)
{
	struct scene *s = *state;
	struct sockets sockets;
	set_listeners(s, 1, (const char *const[]){"a"});
	assert_true(sockets_bind(&sockets, &s->config, all_new, 1, &s->errors));
	assert_int_equal(unlink(s->paths[0]), 0);
	int fd = open(s->paths[0], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	sockets_finish(&sockets);
	assert_true(is_file(s, "a"));
	assert_int_equal(unlink(s->paths[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_each_worker_gets_his_own, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(test_not_handed_out, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(test_keep_drop_add, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			test_failed_reload_keeps_the_old, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(test_anothers_file_stays, open_scene, close_scene),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
