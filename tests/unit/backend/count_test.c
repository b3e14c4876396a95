/* Each decision is counted where an operator looks for it, and nowhere else. */
#include "backend/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pool_rig.h"

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, pool_rig_unmake)

#define QRESYNC "CONDSTORE QRESYNC"

static int make(void **state)
{
	int result = pool_rig_make(state);
	struct pool_rig *r = *state;
	r->fake.capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT ENABLE QRESYNC NOTIFY";
	fake_answer_with(&r->fake, "ENABLE", "* ENABLED QRESYNC\r\n", "OK done");
	return result;
}

/* The counters of the pool that have moved since the last time are these, each by one. */
static void expect(struct pool_rig *r, const enum counter *moved, size_t n)
{
	static const enum counter watched[] = {COUNTER_POOL_HITS, COUNTER_POOL_HITS_ENABLED,
		COUNTER_POOL_KNOWN, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_UNPROVED,
		COUNTER_POOL_MISS_EXPIRED, COUNTER_POOL_MISS_NONE, COUNTER_POOL_MISS_CLASS,
		COUNTER_POOL_MISS_BROKEN, COUNTER_POOL_ENABLES, COUNTER_POOL_PARKED,
		COUNTER_POOL_DISCARDED, COUNTER_POOL_DISCARD_DIRTY, COUNTER_POOL_DISCARD_BARRIER,
		COUNTER_POOL_DISCARD_RULE, COUNTER_POOL_DISCARD_ENDED, COUNTER_POOL_EVICTED,
		COUNTER_POOL_EVICTED_AGE, COUNTER_POOL_EVICTED_FULL, COUNTER_POOL_EVICTED_WANTED,
		COUNTER_POOL_EVICTED_PURGED, COUNTER_POOL_EVICTED_OFF, COUNTER_POOL_LOST,
		COUNTER_POOL_WAITED, COUNTER_POOL_SPARES_USED};
	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		uint64_t wanted = 0;
		for (size_t k = 0; k < n; k++) {
			wanted += moved[k] == watched[i];
		}
		uint64_t got = counter_get(&r->counters, watched[i]);
		if (got != wanted) {
			fail_msg("%s: %d, not %d", counter_name(watched[i]), (int)got, (int)wanted);
		}
	}
	r->counters = (struct counters){0};
}

#define EXPECT(r, ...)                                                                             \
	expect(r, (const enum counter[]){__VA_ARGS__},                                             \
		sizeof(const enum counter[]){__VA_ARGS__} / sizeof(enum counter))

static void get(struct borrower *b, struct pool_rig *r, const char *class)
{
	borrower_init(b, r);
	b->request.enabled = span_str(class);
	borrower_ask(b, "right");
	if (b->ready == 0) {
		looper_wait(&r->looper, &b->ready);
	}
}

static void park(struct borrower *b)
{
	const char *said;
	POOL_CALL(b->rig, said = loan_give_back(&b->loan, loan_enabled(b->loan)));
	assert_null(said);
	pool_rig_wait(b->rig, BACKEND_SCRUBBING, 0);
	borrower_finish(b);
}

static void end(struct borrower *b)
{
	POOL_CALL(b->rig, loan_return(&b->loan, NULL, FAIL_CLIENT_LEFT));
	borrower_finish(b);
}

static void test_hits_and_misses(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	struct borrower other;
	get(&b, r, "");
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_UNPROVED);
	get(&other, r, "");
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_NONE);
	end(&other);
	EXPECT(r, COUNTER_POOL_DISCARDED, COUNTER_POOL_DISCARD_ENDED);
	park(&b);
	EXPECT(r, COUNTER_POOL_PARKED);
	get(&b, r, "");
	EXPECT(r, COUNTER_POOL_HITS);
	park(&b);
	r->counters = (struct counters){0};
	get(&b, r, QRESYNC);
	EXPECT(r, COUNTER_POOL_HITS, COUNTER_POOL_HITS_ENABLED, COUNTER_POOL_ENABLES);
	park(&b);
	r->counters = (struct counters){0};
	get(&b, r, "");
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_CLASS);
	park(&b);
	r->counters = (struct counters){0};
	r->config.pool.credential_ttl = 0;
	pool_rig_configure(r);
	get(&b, r, "");
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_EXPIRED);
	end(&b);
}

static void test_one_that_was_of_no_use(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	get(&b, r, "");
	park(&b);
	r->counters = (struct counters){0};
	pool_rig_jump(r, 31000);
	fake_answer(&r->fake, "NOOP", "BAD no");
	get(&b, r, "");
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_BROKEN, COUNTER_POOL_DISCARDED,
		COUNTER_POOL_DISCARD_BARRIER);
	end(&b);
}

/* The server refuses by [LIMIT] and then not; a spare was too late: still one miss each. */
static void test_a_second_try_is_no_second_miss(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	r->config.pool.spares = 1;
	pool_rig_configure(r);
	pool_rig_wait(r, BACKEND_SPARE, 1);
	borrower_init(&b, r);
	borrower_ask(&b, "right");
	r->config.pool.spares = 0;
	pool_rig_configure(r);
	fake_reset(&r->fake.connections[0]);
	looper_wait(&r->looper, &b.ready);
	assert_int_equal(r->fake.count, 2);
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_UNPROVED, COUNTER_POOL_SPARES_USED);
	end(&b);
}

/* Parked by another password is not parked in another class. */
static void test_anothers_class_is_none(void **state)
{
	struct pool_rig *r = *state;
	struct borrower one;
	struct borrower other;
	r->config.pool.purge_on_new_secret = false;
	pool_rig_configure(r);
	get(&one, r, "");
	borrower_init(&other, r);
	other.request.is_secure = false;
	borrower_ask(&other, "right");
	looper_wait(&r->looper, &other.ready);
	park(&one);
	r->counters = (struct counters){0};
	borrower_init(&one, r);
	one.request.is_secure = false;
	borrower_ask(&one, "right");
	looper_wait(&r->looper, &one.ready);
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_NONE);
	end(&one);
	end(&other);
}

static void test_discarded(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	borrower_link(&b, r, "right");
	borrower_say(&b, "a NOTIFY NONE\r\n");
	borrower_hear(&b, "a OK done\r\n");
	r->counters = (struct counters){0};
	assert_non_null(borrower_return(&b, FAIL_LOGOUT));
	EXPECT(r, COUNTER_POOL_DISCARDED, COUNTER_POOL_DISCARD_DIRTY);
	borrower_finish(&b);

	fake_answer(&r->fake, "NOOP", "BAD no");
	borrower_link(&b, r, "right");
	r->counters = (struct counters){0};
	assert_null(borrower_return(&b, FAIL_LOGOUT));
	pool_rig_wait(r, BACKEND_SCRUBBING, 0);
	EXPECT(r, COUNTER_POOL_DISCARDED, COUNTER_POOL_DISCARD_BARRIER);
	borrower_finish(&b);
	fake_behave(&r->fake);

	borrower_link(&b, r, "right");
	r->config.pool.max_idle = 0;
	pool_rig_configure(r);
	r->counters = (struct counters){0};
	assert_non_null(borrower_return(&b, FAIL_LOGOUT));
	EXPECT(r, COUNTER_POOL_DISCARDED, COUNTER_POOL_DISCARD_RULE);
	borrower_finish(&b);
}

static void test_evicted(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	get(&b, r, "");
	park(&b);
	r->counters = (struct counters){0};
	pool_rig_jump(r, 301000);
	pool_rig_wait(r, BACKEND_PARKED, 0);
	EXPECT(r, COUNTER_POOL_EVICTED, COUNTER_POOL_EVICTED_AGE);
	r->config.pool.max_per_user = 1;
	r->config.pool.queue_timeout = 3000;
	pool_rig_configure(r);
	get(&b, r, QRESYNC);
	park(&b);
	r->counters = (struct counters){0};
	get(&b, r, "");
	/* By the time that it was its turn, nothing was there any more that had proved the password. */
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_UNPROVED, COUNTER_POOL_EVICTED,
		COUNTER_POOL_EVICTED_WANTED, COUNTER_POOL_WAITED);
	end(&b);
}

static void park_one(struct pool_rig *r)
{
	struct borrower b;
	get(&b, r, "");
	park(&b);
	r->counters = (struct counters){0};
}

static void test_the_ends_of_what_is_parked(void **state)
{
	struct pool_rig *r = *state;
	struct borrower b;
	park_one(r);
	fake_hang_up(&r->fake.connections[r->fake.count - 1]);
	pool_rig_wait(r, BACKEND_PARKED, 0);
	EXPECT(r, COUNTER_POOL_LOST);
	park_one(r);
	fake_say(&r->fake.connections[r->fake.count - 1], "* BYE\r\n");
	pool_rig_wait(r, BACKEND_PARKED, 0);
	EXPECT(r, COUNTER_POOL_LOST);
	park_one(r);
	POOL_CALL(r, pool_flush(r->pool, NULL, NULL));
	EXPECT(r, COUNTER_POOL_EVICTED, COUNTER_POOL_EVICTED_PURGED);
	park_one(r);
	r->config.pool.enabled = false;
	pool_rig_configure(r);
	EXPECT(r, COUNTER_POOL_EVICTED, COUNTER_POOL_EVICTED_OFF);
	r->config.pool.enabled = true;
	r->config.pool.max_idle = 1;
	pool_rig_configure(r);
	get(&b, r, "");
	park_one(r);
	park(&b);
	EXPECT(r, COUNTER_POOL_PARKED, COUNTER_POOL_EVICTED, COUNTER_POOL_EVICTED_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_hits_and_misses),
		STORY(test_one_that_was_of_no_use),
		STORY(test_a_second_try_is_no_second_miss),
		STORY(test_anothers_class_is_none),
		STORY(test_discarded),
		STORY(test_evicted),
		STORY(test_the_ends_of_what_is_parked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
