/* Each decision is counted where an operator looks for it, and nowhere else. */
#include "backend/pool.h"

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
		COUNTER_POOL_EVICTED_WANTED};
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
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_BROKEN);
	end(&b);
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
	EXPECT(r, COUNTER_POOL_EVICTED);
	r->config.pool.max_per_user = 1;
	r->config.pool.queue_timeout = 3000;
	pool_rig_configure(r);
	get(&b, r, QRESYNC);
	park(&b);
	r->counters = (struct counters){0};
	get(&b, r, "");
	assert_int_equal(counter_get(&r->counters, COUNTER_POOL_WAITED), 1);
	/* By the time that it was its turn, nothing was there any more that had proved the password. */
	EXPECT(r, COUNTER_POOL_MISSES, COUNTER_POOL_MISS_UNPROVED, COUNTER_POOL_EVICTED,
		COUNTER_POOL_EVICTED_WANTED);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_hits_and_misses),
		STORY(test_one_that_was_of_no_use),
		STORY(test_discarded),
		STORY(test_evicted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
