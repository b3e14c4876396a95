/* Messages own what they hold: nothing leaks when one is refused, nothing is closed twice. */
#include "worker/message.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A generation that nobody frees: the test keeps a reference. */
struct scene {
	struct config config;
	struct generation generation;
};

static struct generation *set_scene(struct scene *s, size_t listeners)
{
	*s = (struct scene){.config.listener_count = listeners};
	s->generation.refs = 1;
	s->generation.number = 1;
	s->generation.config = &s->config;
	return &s->generation;
}

static void test_renew_starts_without_sockets(void **state)
{
	(void)state;
	struct scene scene;
	struct message *m = message_renew(set_scene(&scene, 2));
	assert_int_equal(m->kind, MESSAGE_RENEW);
	assert_int_equal(m->socket_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(m->sockets[i].fd, -1);
		assert_true(m->sockets[i].kept_from == CONFIG_PLAN_NEW);
	}
	assert_int_equal(scene.generation.refs, 2);
	message_destroy(&m);
	assert_null(m);
	assert_int_equal(scene.generation.refs, 1);
}

static void test_what_was_not_taken_is_closed(void **state)
{
	(void)state;
	struct scene scene;
	int taken[2], left[2];
	assert_int_equal(pipe(taken), 0);
	assert_int_equal(pipe(left), 0);
	struct message *m = message_renew(set_scene(&scene, 3));
	m->sockets[0].fd = taken[0];
	m->sockets[2].fd = left[0];
	m->sockets[0].fd = -1; /* as the worker does */
	message_destroy(&m);
	assert_true(is_open(taken[0]));
	assert_false(is_open(left[0]));
	close(taken[0]);
	close(taken[1]);
	close(left[1]);
}

static void test_a_generation_without_listeners(void **state)
{
	(void)state;
	struct scene scene;
	struct message *m = message_renew(set_scene(&scene, 0));
	assert_int_equal(m->socket_count, 0);
	message_destroy(&m);
	assert_int_equal(scene.generation.refs, 1);
}

static void test_orders_and_reports(void **state)
{
	(void)state;
	struct message *drain = message_order(MESSAGE_DRAIN);
	struct message *ended = message_report(MESSAGE_ENDED, 3);
	struct list inbox = {0};
	list_push_back(&inbox, &drain->node);
	list_push_back(&inbox, &ended->node);
	assert_ptr_equal(message_of(list_pop_front(&inbox)), drain);
	assert_ptr_equal(message_of(list_pop_front(&inbox)), ended);
	assert_int_equal(drain->kind, MESSAGE_DRAIN);
	assert_int_equal(ended->kind, MESSAGE_ENDED);
	assert_int_equal(ended->worker, 3);
	message_destroy(&drain);
	message_destroy(&ended);
	message_destroy(&ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renew_starts_without_sockets),
		cmocka_unit_test(test_what_was_not_taken_is_closed),
		cmocka_unit_test(test_a_generation_without_listeners),
		cmocka_unit_test(test_orders_and_reports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
