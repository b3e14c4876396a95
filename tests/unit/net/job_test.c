/* Jobs: order, one at a time, cancelled before, while and after they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "lib/looper.h"
#include "net/job.h"

struct subject {
	atomic_int *gate; /* NULL: work ends at once */
	atomic_int *busy;
	pthread_t thread;
	char letter;
	int worked, done, dropped;
};

static char order[16];

static void work(void *arg)
{
	struct subject *s = arg;
	assert_int_equal(atomic_fetch_add(s->busy, 1), 0);
	while (s->gate != NULL && atomic_load(s->gate) == 0) {
		sched_yield();
	}
	s->thread = pthread_self();
	s->worked++;
	atomic_fetch_sub(s->busy, 1);
}

static void done(void *owner, void *arg)
{
	struct subject *s = arg;
	assert_ptr_equal(owner, order);
	s->done++;
	order[strlen(order)] = s->letter;
}

static void drop(void *arg)
{
	struct subject *s = arg;
	s->dropped++;
}

static const struct net_job_calls calls = {work, done, drop};

static void in_order(void **state)
{
	(void)state;
	struct looper l;
	atomic_int busy = 0;
	struct subject s[5];
	memset(order, 0, sizeof order);
	net_job_prepare(1);
	looper_init(&l);
	for (int i = 0; i < 5; i++) {
		s[i] = (struct subject){.busy = &busy, .letter = (char)('a' + i)};
		assert_non_null(net_job_start(&l.loop, &calls, &s[i], order));
		assert_int_equal(s[i].done, 0);
	}
	looper_wait(&l, &s[4].done);
	assert_string_equal(order, "abcde");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(s[i].worked, 1);
		assert_int_equal(s[i].dropped, 0);
		assert_false(pthread_equal(s[i].thread, pthread_self()));
	}
	looper_finish(&l);
}

static void cancelled(void **state)
{
	(void)state;
	struct looper l;
	atomic_int busy = 0, gate = 0;
	memset(order, 0, sizeof order);
	looper_init(&l);
	struct subject running = {.busy = &busy, .gate = &gate, .letter = 'r'};
	struct subject waiting = {.busy = &busy, .letter = 'w'};
	struct subject last = {.busy = &busy, .letter = 'l'};
	struct net_job *a = net_job_start(&l.loop, &calls, &running, order);
	struct net_job *b = net_job_start(&l.loop, &calls, &waiting, order);
	assert_non_null(net_job_start(&l.loop, &calls, &last, order));
	looper_spin(&l, 3);
	/* What has not begun goes at once, what runs when its thread is done with it. */
	net_job_cancel(&b);
	assert_null(b);
	assert_int_equal(waiting.dropped, 1);
	net_job_cancel(&a);
	net_job_cancel(&a);
	assert_int_equal(running.dropped, 0);
	atomic_store(&gate, 1);
	looper_wait(&l, &last.done);
	assert_int_equal(running.dropped, 1);
	assert_int_equal(running.worked, 1);
	assert_int_equal(waiting.worked, 0);
	assert_string_equal(order, "l");
	looper_finish(&l);
}

/* A loop does not end while a thread works for it. */
static void loop_waits(void **state)
{
	(void)state;
	struct net_loop l;
	atomic_int busy = 0;
	assert_true(net_loop_init(&l));
	struct subject s = {.busy = &busy, .letter = 'x'};
	struct net_job *j = net_job_start(&l, &calls, &s, order);
	net_job_cancel(&j);
	net_loop_run(&l);
	assert_int_equal(s.dropped, 1);
	net_loop_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(loop_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
