/*
 * Shares follow the weights, and users move only to or from the server that came or went.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/home.h"
#include "route/pick.h"

#define USERS 20000

static struct span user_name(unsigned i)
{
	static char name[64];
	snprintf(name, sizeof name, "user%u@example.org", i);
	return span_str(name);
}

static size_t pick(const struct pick_member *members, size_t count, unsigned user)
{
	return pick_one(members, count, user_name(user));
}

static void expect_shares(
	const struct pick_member *members, size_t count, const double *share, double tolerance)
{
	unsigned seen[8] = {0};
	assert_true(count <= 8);
	for (unsigned i = 0; i < USERS; i++) {
		seen[pick(members, count, i)]++;
	}
	for (size_t i = 0; i < count; i++) {
		double got = (double)seen[i] / USERS;
		if (got < share[i] - tolerance || got > share[i] + tolerance) {
			print_error("member %zu: %f, not %f\n", i, got, share[i]);
			fail();
		}
	}
}

static void test_equal_weights(void **state)
{
	(void)state;
	struct pick_member m[] = {pick_member("a", 1), pick_member("b", 1), pick_member("c", 1)};
	expect_shares(m, 3, (double[]){1.0 / 3, 1.0 / 3, 1.0 / 3}, 0.02);
	struct pick_member n[] = {pick_member("a", 1000), pick_member("b", 1000)};
	expect_shares(n, 2, (double[]){0.5, 0.5}, 0.02);
}

static void test_unequal_weights(void **state)
{
	(void)state;
	struct pick_member m[] = {
		pick_member("a", 1), pick_member("b", 2), pick_member("c", 5), pick_member("d", 2)};
	expect_shares(m, 4, (double[]){0.1, 0.2, 0.5, 0.2}, 0.02);
	struct pick_member big[] = {pick_member("a", PICK_WEIGHT_MAX),
		pick_member("b", PICK_WEIGHT_MAX), pick_member("c", 1)};
	expect_shares(big, 3, (double[]){0.5, 0.5, 0.0}, 0.02);
}

static void test_weight_zero(void **state)
{
	(void)state;
	struct pick_member m[] = {pick_member("a", 0), pick_member("b", 1), pick_member("c", 0)};
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pick(m, 3, i), 1);
	}
	struct pick_member none[] = {pick_member("a", 0), pick_member("b", 0)};
	expect_shares(none, 2, (double[]){0.5, 0.5}, 0.02);
}

/* A newcomer takes his share from all; nobody moves between those who stay. */
static void test_a_member_joins_or_leaves(void **state)
{
	(void)state;
	struct pick_member m[] = {
		pick_member("a", 1), pick_member("b", 2), pick_member("c", 1), pick_member("d", 1)};
	unsigned moved = 0;
	for (unsigned i = 0; i < USERS; i++) {
		size_t three = pick(m, 3, i);
		size_t four = pick(m, 4, i);
		assert_true(four == three || four == 3);
		moved += four != three;
	}
	assert_in_range(moved, USERS / 5 - USERS / 50, USERS / 5 + USERS / 50);
}

/* More weight takes users from others and gives none away. */
static void test_a_weight_grows(void **state)
{
	(void)state;
	struct pick_member m[] = {pick_member("a", 1), pick_member("b", 1), pick_member("c", 1)};
	struct pick_member n[] = {pick_member("a", 2), pick_member("b", 1), pick_member("c", 1)};
	for (unsigned i = 0; i < USERS; i++) {
		size_t before = pick(m, 3, i);
		size_t after = pick(n, 3, i);
		assert_true(after == before || after == 0);
	}
}

static void test_order_does_not_matter(void **state)
{
	(void)state;
	struct pick_member m[] = {pick_member("a", 1), pick_member("b", 3), pick_member("c", 2)};
	struct pick_member n[] = {m[2], m[0], m[1]};
	static const size_t same[] = {1, 2, 0}; /* m[i] stands at n[same[i]] */
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(same[pick(m, 3, i)], pick(n, 3, i));
	}
}

static void test_case_does_not_matter(void **state)
{
	(void)state;
	struct pick_member m[] = {pick_member("a", 1), pick_member("b", 1), pick_member("c", 1)};
	assert_int_equal(pick_one(m, 3, span_str("Alice@Example.ORG")),
		pick_one(m, 3, span_str("alice@example.org")));
	assert_int_equal(home_worker(span_str("Alice@Example.ORG"), 61),
		home_worker(span_str("alice@example.org"), 61));
}

/* What these say today, all processes and machines must always say: users live there. */
static void test_choices_never_change(void **state)
{
	(void)state;
	struct pick_member m[] = {
		pick_member("mail1", 1), pick_member("mail2", 1), pick_member("mail3", 2)};
	char picked[33] = "";
	char homes[33] = "";
	for (unsigned i = 0; i < 32; i++) {
		picked[i] = (char)('0' + pick(m, 3, i));
		homes[i] = (char)('0' + home_worker(user_name(i), 4));
	}
	assert_string_equal(picked, "01020020220110002012100011002112");
	assert_string_equal(homes, "03222232301223012210203330121322");
}

static void test_home_is_even(void **state)
{
	(void)state;
	unsigned seen[4] = {0};
	for (unsigned i = 0; i < USERS; i++) {
		unsigned home = home_worker(user_name(i), 4);
		assert_true(home < 4);
		seen[home]++;
	}
	for (size_t i = 0; i < 4; i++) {
		assert_in_range(seen[i], USERS / 4 - USERS / 50, USERS / 4 + USERS / 50);
	}
	assert_int_equal(home_worker(span_str("x"), 1), 0);
}

static void test_logarithm(void **state)
{
	(void)state;
	const uint64_t one = UINT64_C(1) << 32;
	assert_true(pick_log(UINT64_MAX) == 0);
	assert_true(pick_log(UINT64_MAX / 2) == one);
	assert_true(pick_log(UINT64_MAX / 4) == 2 * one);
	assert_true(pick_log(0) == 64 * one);
	assert_true(pick_log(1) == 63 * one);
	/* -log2(3/4) = 0.41503749927884...; 2^32 times that is 1782572486.016 */
	assert_in_range(pick_log(UINT64_C(0xbfffffffffffffff)), 1782572486, 1782572487);
	/* It falls as its argument grows. */
	uint64_t last = pick_log(0);
	for (uint64_t h = 1; h < UINT64_MAX / 3; h = h * 2 + h / 7) {
		assert_true(pick_log(h) <= last);
		last = pick_log(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_weights),
		cmocka_unit_test(test_unequal_weights),
		cmocka_unit_test(test_weight_zero),
		cmocka_unit_test(test_a_member_joins_or_leaves),
		cmocka_unit_test(test_a_weight_grows),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_case_does_not_matter),
		cmocka_unit_test(test_choices_never_change),
		cmocka_unit_test(test_home_is_even),
		cmocka_unit_test(test_logarithm),
	};
	return cmocka_run_group_tests_name("route/pick", tests, NULL, NULL);
}
