/* Dropping privileges, each in a child process; and what the kernel says about it afterwards. */
#include "control/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Codes of a child; the first two are privileges_drop's answer. */
enum { DROPPED = 0, REFUSED = 1, WRONG = 2 };

/* The user that every Debian has, and its numbers there. */
#define NOBODY        "nobody"
#define NOBODY_NUMBER "65534"
enum { NOBODY_ID = 65534, DAEMON_GID = 1 };

struct story {
	const char *user, *group;
	bool (*is_right)(void);
};

static int child(const struct story *s)
{
	/* The log goes nowhere; what counts is what the kernel says. */
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
	if (!privileges_drop(s->user, s->group)) {
		return REFUSED;
	}
	return s->is_right == NULL || s->is_right() ? DROPPED : WRONG;
}

static int tell(const struct story *s)
{
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(child(s));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void needs_root(void)
{
	if (geteuid() != 0) {
		skip();
	}
}

static bool is_nobody(void)
{
	uid_t r, e, s;
	return getresuid(&r, &e, &s) == 0 && r == NOBODY_ID && e == NOBODY_ID && s == NOBODY_ID &&
	       setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0;
}

/* Not in root's groups any more, and only in `only`. */
static bool is_only_in(gid_t only)
{
	gid_t groups[64];
	int n = getgroups(64, groups);
	gid_t r, e, s;
	return n == 1 && groups[0] == only && getresgid(&r, &e, &s) == 0 && r == only &&
	       e == only && s == only;
}

static bool is_nobody_in_his_group(void)
{
	return is_nobody() && is_only_in(NOBODY_ID);
}

static bool is_nobody_in_daemon(void)
{
	return is_nobody() && is_only_in(DAEMON_GID);
}

static bool is_stranger(void)
{
	return getuid() == 4242 && geteuid() == 4242 && is_only_in(4343) && setuid(0) != 0;
}

static bool is_root_in_daemon(void)
{
	return getuid() == 0 && is_only_in(DAEMON_GID);
}

static bool cannot_be_watched(void)
{
	struct rlimit core;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && getrlimit(RLIMIT_CORE, &core) == 0 &&
	       core.rlim_cur == 0 && core.rlim_max == 0;
}

static bool cannot_read_shadow(void)
{
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0;
}

static void test_user_by_name(void **state)
{
	(void)state;
	needs_root();
	struct story s = {NOBODY, "", is_nobody_in_his_group};
	assert_int_equal(tell(&s), DROPPED);
	s.is_right = cannot_read_shadow;
	assert_int_equal(tell(&s), DROPPED);
}

static void test_user_by_number(void **state)
{
	(void)state;
	needs_root();
	struct story s = {NOBODY_NUMBER, "", is_nobody_in_his_group};
	assert_int_equal(tell(&s), DROPPED);
}

static void test_user_with_another_group(void **state)
{
	(void)state;
	needs_root();
	struct story s = {NOBODY, "daemon", is_nobody_in_daemon};
	assert_int_equal(tell(&s), DROPPED);
}

static void test_numbers_without_entry(void **state)
{
	(void)state;
	needs_root();
	struct story s = {"4242", "4343", is_stranger};
	assert_int_equal(tell(&s), DROPPED);
	s.group = "";
	assert_int_equal(tell(&s), REFUSED);
}

static void test_group_alone(void **state)
{
	(void)state;
	needs_root();
	struct story s = {"", "daemon", is_root_in_daemon};
	assert_int_equal(tell(&s), DROPPED);
}

static void test_unknown_names(void **state)
{
	(void)state;
	static const char *const users[] = {
		"no such user", "4294967295", "99999999999", "-1", "1 ", "0x1"};
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		struct story s = {users[i], "", NULL};
		assert_int_equal(tell(&s), REFUSED);
	}
	struct story s = {"", "no such group", NULL};
	assert_int_equal(tell(&s), REFUSED);
}

static void test_memory_is_hidden(void **state)
{
	(void)state;
	struct story s = {"", "", cannot_be_watched};
	assert_int_equal(tell(&s), DROPPED);
	if (geteuid() == 0) {
		s.user = NOBODY;
		assert_int_equal(tell(&s), DROPPED);
	}
}

/* Dropped once, the same again is no error (it is who he is), another one changes nothing. */
static bool stays_nobody(void)
{
	return privileges_drop(NOBODY, "") && privileges_drop("daemon", "") &&
	       is_nobody_in_his_group();
}

static void test_not_root(void **state)
{
	(void)state;
	needs_root();
	struct story s = {NOBODY, "", stays_nobody};
	assert_int_equal(tell(&s), DROPPED);
}

static bool raises_to_hard_limit(void)
{
	struct rlimit files = {.rlim_cur = 20, .rlim_max = 100};
	if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
		return false;
	}
	privileges_raise_descriptors(1000); /* warns, and goes on */
	return getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == 100;
}

static void test_descriptors(void **state)
{
	(void)state;
	struct story s = {"", "", raises_to_hard_limit};
	assert_int_equal(tell(&s), DROPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_by_name),
		cmocka_unit_test(test_user_by_number),
		cmocka_unit_test(test_user_with_another_group),
		cmocka_unit_test(test_numbers_without_entry),
		cmocka_unit_test(test_group_alone),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_memory_is_hidden),
		cmocka_unit_test(test_not_root),
		cmocka_unit_test(test_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
