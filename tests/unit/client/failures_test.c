/* Failed sign-ins: how waits grow and shrink, what counts as one failure, that nobody is forgotten cheaply. */
#include "client/failures.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { FIRST = 2000, LONGEST = 15000 };

struct rig {
	struct failures *failures;
	uint64_t now;
};

static int make(void **state)
{
	static struct rig r;
	r = (struct rig){.failures = failures_create(), .now = 1000000};
	*state = &r;
	return 0;
}

static int unmake(void **state)
{
	struct rig *r = *state;
	failures_destroy(&r->failures);
	assert_null(r->failures);
	failures_destroy(&r->failures);
	return 0;
}

static uint64_t fail_user(struct rig *r, const char *user, const char *secret)
{
	struct span name = span_str(user);
	uint64_t digest = failures_digest(r->failures, name, span_str(secret));
	return failures_add(r->failures, FAILURES_OF_USER, name, digest, r->now, FIRST, LONGEST);
}

static uint64_t fail_address(struct rig *r, uint32_t address)
{
	struct span key = span_of(&address, sizeof address);
	return failures_add(r->failures, FAILURES_OF_ADDRESS, key, 0, r->now, FIRST, LONGEST);
}

static void test_waits_double_up_to_the_longest(void **state)
{
	static const uint64_t expected[] = {2000, 4000, 8000, 15000, 15000, 15000};
	struct rig *r = *state;
	char guess[24];
	for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		snprintf(guess, sizeof guess, "guess%u", i);
		assert_int_equal(fail_user(r, "u1", guess), expected[i]);
	}
	assert_int_equal(fail_user(r, "u2", "guess"), FIRST);
	assert_int_equal(fail_user(r, "U1", "other"), LONGEST);
}

static void test_the_same_password_counts_once(void **state)
{
	struct rig *r = *state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(fail_user(r, "u1", "old"), FIRST);
	}
	assert_int_equal(fail_user(r, "u1", "other"), 2 * FIRST);
	assert_int_equal(fail_user(r, "U1", "old"), 2 * FIRST);
	/* A mechanism that shows no secret: each is new. */
	assert_int_equal(fail_user(r, "u1", ""), 4 * FIRST);
	assert_int_equal(fail_user(r, "u1", ""), LONGEST);
}

/* The ring of digests forgets the oldest: then it counts again, which is the safe side. */
static void test_more_passwords_than_are_remembered(void **state)
{
	struct rig *r = *state;
	char guess[24];
	fail_user(r, "u1", "first");
	for (int i = 0; i < FAILURES_DIGESTS; i++) {
		snprintf(guess, sizeof guess, "guess%d", i);
		fail_user(r, "u1", guess);
	}
	r->now += (uint64_t)FAILURES_DIGESTS * FAILURES_DECAY_MS;
	assert_int_equal(fail_user(r, "u1", guess), FIRST); /* one level is left, and not counted */
	assert_int_equal(fail_user(r, "u1", "first"), 2 * FIRST);
}

static void test_a_digest_tells_user_and_password_apart(void **state)
{
	struct rig *r = *state;
	struct failures *f = r->failures;
	uint64_t one = failures_digest(f, span_str("ab"), span_str("c"));
	assert_int_equal(one, failures_digest(f, span_str("AB"), span_str("c")));
	assert_int_not_equal(one, failures_digest(f, span_str("a"), span_str("bc")));
	assert_int_not_equal(one, failures_digest(f, span_str("ab"), span_str("C")));
	assert_int_equal(failures_digest(f, span_str("ab"), span_str("")), 0);
	struct failures *other = failures_create();
	assert_int_not_equal(one, failures_digest(other, span_str("ab"), span_str("c")));
	failures_destroy(&other);
}

static void test_time_forgives(void **state)
{
	struct rig *r = *state;
	for (int i = 0; i < 4; i++) {
		fail_address(r, 1);
	}
	r->now += FAILURES_DECAY_MS - 1;
	assert_int_equal(fail_address(r, 1), LONGEST); /* five */
	r->now += 3 * FAILURES_DECAY_MS;
	assert_int_equal(fail_address(r, 1), 4 * FIRST); /* two, and this one */
	r->now += 100 * (uint64_t)FAILURES_DECAY_MS;
	assert_int_equal(fail_address(r, 1), FIRST);
}

/* A device that comes with the same old password for hours does not keep its user's wait up. */
static void test_a_password_seen_before_does_not_stop_the_clock(void **state)
{
	struct rig *r = *state;
	fail_user(r, "u1", "old");
	fail_user(r, "u1", "older");
	for (int i = 0; i < 4; i++) {
		r->now += FAILURES_DECAY_MS / 2;
		fail_user(r, "u1", "old");
	}
	assert_int_equal(fail_user(r, "u1", "new"), FIRST);
}

static void test_levels_end(void **state)
{
	struct rig *r = *state;
	for (int i = 0; i < 10000; i++) {
		fail_address(r, 1);
	}
	r->now += (uint64_t)(FAILURES_LEVEL_MAX - 1) * FAILURES_DECAY_MS;
	assert_int_equal(fail_address(r, 1), 2 * FIRST);
}

static void test_settings(void **state)
{
	struct rig *r = *state;
	struct span key = span_str("k");
	struct failures *f = r->failures;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(
			failures_add(f, FAILURES_OF_ADDRESS, key, 0, r->now, 0, LONGEST), 0);
	}
	assert_int_equal(failures_add(f, FAILURES_OF_ADDRESS, key, 0, r->now, 100, 150), 100);
	assert_int_equal(failures_add(f, FAILURES_OF_ADDRESS, key, 0, r->now, 100, 150), 150);
	/* A longest wait that is shorter than the first: the first. */
	assert_int_equal(failures_add(f, FAILURES_OF_ADDRESS, key, 0, r->now, 100, 0), 100);
	/* A clock of another worker, a turn behind. */
	assert_int_equal(failures_add(f, FAILURES_OF_ADDRESS, key, 0, r->now - 5, 1, 100), 8);
}

/* Failing from very many addresses, or with very many names, wins no fresh start for any of them. */
static void test_a_flood_makes_nobody_forgotten(void **state)
{
	struct rig *r = *state;
	enum { FLOOD = 4 * FAILURES_SHARDS * FAILURES_SLOTS };
	char name[24];
	for (uint32_t i = 0; i < 8; i++) {
		fail_address(r, 7);
	}
	for (uint32_t i = 0; i < FLOOD; i++) {
		fail_address(r, 1000 + i);
		snprintf(name, sizeof name, "n%u", i);
		fail_user(r, name, "x");
	}
	assert_int_equal(fail_address(r, 7), LONGEST);
	/* Each of them may have been pushed out, but comes back with a wait that is not shorter. */
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(fail_address(r, 1000 + i) >= 2 * FIRST);
	}
	/* Names have pushed out no address: one that is new begins where the flood of addresses is. */
	r->now += (uint64_t)FAILURES_LEVEL_MAX * FAILURES_DECAY_MS;
	assert_int_equal(fail_address(r, 5), FIRST);
}

/* Made-up names fill their own table only. */
static void test_names_do_not_push_out_addresses(void **state)
{
	struct rig *r = *state;
	char name[24];
	fail_address(r, 7);
	for (uint32_t i = 0; i < 2 * FAILURES_SHARDS * FAILURES_SLOTS; i++) {
		snprintf(name, sizeof name, "n%u", i);
		fail_user(r, name, "x");
	}
	assert_int_equal(fail_address(r, 7), 2 * FIRST);
	assert_int_equal(fail_address(r, 8), FIRST);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *hammer(void *arg)
{
	struct rig *r = arg;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t delay = fail_address(r, i % 50);
		assert_true(delay >= FIRST && delay <= LONGEST);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct rig *r = *state;
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, r), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(fail_address(r, 3), LONGEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_double_up_to_the_longest, make, unmake),
		cmocka_unit_test_setup_teardown(test_the_same_password_counts_once, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_more_passwords_than_are_remembered, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_digest_tells_user_and_password_apart, make, unmake),
		cmocka_unit_test_setup_teardown(test_time_forgives, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_password_seen_before_does_not_stop_the_clock, make, unmake),
		cmocka_unit_test_setup_teardown(test_levels_end, make, unmake),
		cmocka_unit_test_setup_teardown(test_settings, make, unmake),
		cmocka_unit_test_setup_teardown(test_a_flood_makes_nobody_forgotten, make, unmake),
		cmocka_unit_test_setup_teardown(test_names_do_not_push_out_addresses, make, unmake),
		cmocka_unit_test_setup_teardown(test_threads, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
