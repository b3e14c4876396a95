/* Limits that count across workers: what counts as one address, one user; exact under contention. */
#include "client/guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int make(void **state)
{
	*state = guard_create();
	return 0;
}

/* guard_destroy asserts that nothing is left: each test must have counted out what it counted in. */
static int unmake(void **state)
{
	struct guard *g = *state;
	guard_destroy(&g);
	assert_null(g);
	guard_destroy(&g);
	return 0;
}

static void test_clients_in_all(void **state)
{
	struct guard *g = *state;
	assert_int_equal(guard_enter(g, "192.0.2.1", 2, 0), FAIL_NONE);
	assert_int_equal(guard_enter(g, "unix", 2, 0), FAIL_NONE);
	assert_int_equal(guard_enter(g, "192.0.2.2", 2, 0), FAIL_LIMIT_CLIENTS);
	assert_int_equal(guard_clients(g), 2);
	guard_leave(g, "unix");
	assert_int_equal(guard_enter(g, "192.0.2.2", 2, 0), FAIL_NONE);
	guard_leave(g, "192.0.2.1");
	guard_leave(g, "192.0.2.2");
	assert_int_equal(guard_clients(g), 0);
}

static void test_a_refused_client_is_not_counted(void **state)
{
	struct guard *g = *state;
	assert_int_equal(guard_enter(g, "192.0.2.1", 0, 1), FAIL_NONE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guard_enter(g, "192.0.2.1", 0, 1), FAIL_LIMIT_PER_IP);
	}
	assert_int_equal(guard_clients(g), 1);
	guard_leave(g, "192.0.2.1");
	assert_int_equal(guard_enter(g, "192.0.2.1", 0, 1), FAIL_NONE);
	guard_leave(g, "192.0.2.1");
}

/* The second of each pair counts as the first, or not. */
static void test_what_is_one_address(void **state)
{
	static const struct {
		const char *first, *second;
		enum fail expected;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", FAIL_LIMIT_PER_IP},
		{"192.0.2.1", "192.0.2.2", FAIL_NONE},
		{"192.0.2.1", "::ffff:192.0.2.1", FAIL_LIMIT_PER_IP},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", FAIL_NONE},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", FAIL_LIMIT_PER_IP},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", FAIL_NONE},
		{"fe80::1%eth0", "fe80::1%eth1", FAIL_LIMIT_PER_IP},
		{"::1", "::2", FAIL_LIMIT_PER_IP},
		/* The first four bytes agree; the sorts do not. */
		{"32.1.13.184", "2001:db8::1", FAIL_NONE},
	};
	struct guard *g = *state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		print_message("%s and %s\n", rows[i].first, rows[i].second);
		assert_int_equal(guard_enter(g, rows[i].first, 0, 1), FAIL_NONE);
		enum fail got = guard_enter(g, rows[i].second, 0, 1);
		assert_int_equal(got, rows[i].expected);
		if (got == FAIL_NONE) {
			guard_leave(g, rows[i].second);
		}
		guard_leave(g, rows[i].first);
	}
}

static void test_unix_sockets_have_no_address(void **state)
{
	struct guard *g = *state;
	static const char *const names[] = {"unix", "", "no address at all, and longer than any"};
	for (size_t i = 0; i < 3; i++) {
		for (int n = 0; n < 3; n++) {
			assert_int_equal(guard_enter(g, names[i], 0, 1), FAIL_NONE);
		}
	}
	for (size_t i = 0; i < 9; i++) {
		guard_leave(g, names[i / 3]);
	}
}

static void test_sessions_of_a_user(void **state)
{
	struct guard *g = *state;
	struct span odd = span_of("al\0ice", 6);
	assert_int_equal(guard_enter_user(g, span_str("alice"), 2), FAIL_NONE);
	assert_int_equal(guard_enter_user(g, span_str("ALICE"), 2), FAIL_NONE);
	assert_int_equal(guard_enter_user(g, span_str("Alice"), 2), FAIL_LIMIT_SESSIONS);
	assert_int_equal(guard_enter_user(g, odd, 1), FAIL_NONE);
	assert_int_equal(guard_enter_user(g, span_str("al"), 1), FAIL_NONE);
	assert_int_equal(guard_enter_user(g, span_str(""), 1), FAIL_NONE);
	guard_leave_user(g, span_str("aLiCe"));
	assert_int_equal(guard_enter_user(g, span_str("alice"), 2), FAIL_NONE);
	guard_leave_user(g, span_str("alice"));
	guard_leave_user(g, span_str("alice"));
	guard_leave_user(g, odd);
	guard_leave_user(g, span_str("al"));
	guard_leave_user(g, span_str(""));
}

/* A name may consist of the bytes that another client has as address. */
static void test_users_are_no_addresses(void **state)
{
	struct guard *g = *state;
	struct span user = span_of((uint8_t[]){192, 0, 2, 1}, 4);
	assert_int_equal(guard_enter(g, "192.0.2.1", 0, 1), FAIL_NONE);
	assert_int_equal(guard_enter_user(g, user, 1), FAIL_NONE);
	guard_leave_user(g, user);
	guard_leave(g, "192.0.2.1");
}

/* 0 means no limit, and such clients count all the same: a reload may bring a limit. */
static void test_no_limit_counts(void **state)
{
	struct guard *g = *state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(guard_enter(g, "192.0.2.1", 0, 0), FAIL_NONE);
		assert_int_equal(guard_enter_user(g, span_str("u"), 0), FAIL_NONE);
	}
	assert_int_equal(guard_enter(g, "192.0.2.1", 0, 50), FAIL_LIMIT_PER_IP);
	assert_int_equal(guard_enter_user(g, span_str("u"), 50), FAIL_LIMIT_SESSIONS);
	for (int i = 0; i < 50; i++) {
		guard_leave(g, "192.0.2.1");
		guard_leave_user(g, span_str("u"));
	}
}

static void test_many_entries(void **state)
{
	struct guard *g = *state;
	enum { MANY = 5000 };
	char text[32];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
		assert_int_equal(guard_enter(g, text, 0, 1), FAIL_NONE);
		assert_int_equal(guard_enter(g, text, 0, 1), FAIL_LIMIT_PER_IP);
		assert_int_equal(guard_enter_user(g, span_str(text), 1), FAIL_NONE);
	}
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
		guard_leave(g, text);
		guard_leave_user(g, span_str(text));
	}
}

static uint64_t fail_once(
	struct guard *g, const char *address, const char *user, const char *secret)
{
	struct guard_failure failure = {
		.address = address,
		.user = span_str(user),
		.secret = span_str(secret),
		.first_ms = 10,
		.most_ms = 1000,
	};
	return guard_failed(g, &failure, 1000);
}

/* The longer of the two waits; an IPv6 network of a customer is one address. */
static void test_failures_of_addresses_and_users(void **state)
{
	struct guard *g = *state;
	assert_int_equal(fail_once(g, "192.0.2.1", "a", "1"), 10);
	assert_int_equal(fail_once(g, "192.0.2.1", "b", "1"), 20);
	assert_int_equal(fail_once(g, "::ffff:192.0.2.1", "c", "1"), 40);
	assert_int_equal(fail_once(g, "2001:db8::1", "c", "2"), 20);
	assert_int_equal(fail_once(g, "2001:db8::2", "d", "1"), 20);
	assert_int_equal(fail_once(g, "2001:db8:0:1::1", "e", "1"), 10);
	/* The same password for the same user is no news, for the address neither. */
	assert_int_equal(fail_once(g, "2001:db8:0:1::1", "e", "1"), 10);
	assert_int_equal(fail_once(g, "192.0.2.9", "c", "1"), 20);
	/* No address: only the user counts. */
	assert_int_equal(fail_once(g, "", "f", "1"), 10);
	assert_int_equal(fail_once(g, "", "g", "1"), 10);
}

/* Threads that come and go at the limits: never more inside than allowed. */
enum { THREADS = 4, ROUNDS = 3000, MOST_CLIENTS = 3, MOST_SESSIONS = 2 };

struct crowd {
	struct guard *guard;
	_Atomic int clients, sessions;
	_Atomic unsigned too_many, let_in;
};

static void visit_user(struct crowd *c)
{
	struct span user = span_str("shared");
	if (guard_enter_user(c->guard, user, MOST_SESSIONS) != FAIL_NONE) {
		return;
	}
	if (atomic_fetch_add(&c->sessions, 1) >= MOST_SESSIONS) {
		c->too_many++;
	}
	atomic_fetch_sub(&c->sessions, 1);
	guard_leave_user(c->guard, user);
}

static void *come_and_go(void *arg)
{
	struct crowd *c = arg;
	for (int i = 0; i < ROUNDS; i++) {
		const char *address = i % 2 == 0 ? "192.0.2.1" : "2001:db8::1";
		if (guard_enter(c->guard, address, MOST_CLIENTS, MOST_CLIENTS) != FAIL_NONE) {
			continue;
		}
		c->let_in++;
		if (atomic_fetch_add(&c->clients, 1) >= MOST_CLIENTS) {
			c->too_many++;
		}
		visit_user(c);
		atomic_fetch_sub(&c->clients, 1);
		guard_leave(c->guard, address);
	}
	return NULL;
}

static void test_threads_at_the_limit(void **state)
{
	struct crowd c = {.guard = *state};
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(c.too_many, 0);
	assert_true(c.let_in > 0);
	assert_int_equal(guard_clients(c.guard), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clients_in_all, make, unmake),
		cmocka_unit_test_setup_teardown(test_a_refused_client_is_not_counted, make, unmake),
		cmocka_unit_test_setup_teardown(test_what_is_one_address, make, unmake),
		cmocka_unit_test_setup_teardown(test_unix_sockets_have_no_address, make, unmake),
		cmocka_unit_test_setup_teardown(test_sessions_of_a_user, make, unmake),
		cmocka_unit_test_setup_teardown(test_users_are_no_addresses, make, unmake),
		cmocka_unit_test_setup_teardown(test_no_limit_counts, make, unmake),
		cmocka_unit_test_setup_teardown(test_many_entries, make, unmake),
		cmocka_unit_test_setup_teardown(test_failures_of_addresses_and_users, make, unmake),
		cmocka_unit_test_setup_teardown(test_threads_at_the_limit, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
