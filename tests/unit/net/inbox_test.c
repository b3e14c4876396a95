/* The inbox: order, merging of wake-ups, many senders, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "lib/looper.h"
#include "net/inbox.h"

enum { SENDERS = 4, EACH = 2000 };

struct message {
	struct list_node node;
	int sender, number;
};

struct receiver {
	struct inbox inbox;
	int got, next[SENDERS];
	int done;
};

static void on_message(void *owner, struct list_node *node)
{
	struct receiver *r = owner;
	struct message *m = LIST_OBJECT(node, struct message, node);
	assert_null(node->list);
	assert_int_equal(m->number, r->next[m->sender]); /* in order per sender */
	r->next[m->sender]++;
	r->got++;
	r->done = r->got == SENDERS * EACH;
	free(m);
}

static bool post(struct inbox *i, int sender, int number)
{
	struct message *m = xcalloc(1, sizeof *m);
	m->sender = sender;
	m->number = number;
	bool ok = inbox_post(i, &m->node);
	if (!ok) {
		free(m); /* it stayed ours */
	}
	return ok;
}

struct sender {
	pthread_t thread;
	struct inbox *inbox;
	int number, sent;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;
	while (s->sent < EACH && post(s->inbox, s->number, s->sent)) {
		s->sent++;
	}
	return NULL;
}

static void start(struct sender *senders, struct inbox *i)
{
	for (int n = 0; n < SENDERS; n++) {
		senders[n] = (struct sender){.inbox = i, .number = n};
		assert_int_equal(
			pthread_create(&senders[n].thread, NULL, send_all, &senders[n]), 0);
	}
}

static void many_senders(void **state)
{
	(void)state;
	struct looper l;
	struct receiver r = {0};
	struct sender senders[SENDERS];
	looper_init(&l);
	assert_true(inbox_init(&r.inbox, &l.loop, on_message, &r));
	start(senders, &r.inbox);
	looper_wait(&l, &r.done);
	for (int n = 0; n < SENDERS; n++) {
		pthread_join(senders[n].thread, NULL);
	}
	inbox_close(&r.inbox);
	looper_finish(&l);
	assert_int_equal(r.got, SENDERS * EACH);
}

/* Accepted is delivered, refused stays the sender's: nothing is lost when it closes under fire. */
static void closes_under_fire(void **state)
{
	(void)state;
	struct looper l;
	struct receiver r = {0};
	struct sender senders[SENDERS];
	int sent = 0;
	looper_init(&l);
	assert_true(inbox_init(&r.inbox, &l.loop, on_message, &r));
	start(senders, &r.inbox);
	looper_wait(&l, &r.got);
	inbox_close(&r.inbox);
	for (int n = 0; n < SENDERS; n++) {
		pthread_join(senders[n].thread, NULL);
		sent += senders[n].sent;
	}
	assert_int_equal(r.got, sent);
	assert_false(post(&r.inbox, 0, 0));
	looper_finish(&l);
}

static void nothing_inside_the_call(void **state)
{
	(void)state;
	struct looper l;
	struct receiver r = {0};
	looper_init(&l);
	assert_true(inbox_init(&r.inbox, &l.loop, on_message, &r));
	assert_true(post(&r.inbox, 0, 0));
	assert_true(post(&r.inbox, 1, 0));
	assert_int_equal(r.got, 0);
	looper_wait(&l, &r.got);
	assert_int_equal(r.got, 2); /* one wake-up, both messages */
	assert_true(post(&r.inbox, 0, 1));
	inbox_close(&r.inbox);
	assert_int_equal(r.got, 3);
	looper_finish(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_senders),
		cmocka_unit_test(closes_under_fire),
		cmocka_unit_test(nothing_inside_the_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
