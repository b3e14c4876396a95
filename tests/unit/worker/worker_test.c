/*
 * Workers on threads of their own, with real listeners; the fake server, the callers and control are on
 * the test's thread. Made to be run under ThreadSanitizer too: clients are carried, reloads and ends come
 * while they come and go.
 */
#include "worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/proof.h"
#include "lib/fake.h"
#include "lib/looper.h"
#include "lib/scratch.h"

enum { WORKERS = 3, CALLERS = 48 };

struct factory {
	struct looper looper;
	struct fake fake;
	struct inbox control;
	struct guard *guard;
	struct budget *budget;
	struct worker *workers[WORKERS];
	unsigned generations;
	struct generation *generation;
	uint16_t port;
	int renewed, ended;
	bool has_ended[WORKERS];
};

static void on_report(void *owner, struct list_node *node)
{
	struct factory *f = owner;
	struct message *m = message_of(node);
	assert_true(m->worker < WORKERS);
	if (m->kind == MESSAGE_RENEWED) {
		assert_int_equal(m->failures, 0);
		f->renewed++;
	} else {
		assert_int_equal(m->kind, MESSAGE_ENDED);
		assert_false(f->has_ended[m->worker]);
		f->has_ended[m->worker] = true;
		f->ended++;
	}
	message_destroy(&m);
}

static struct generation *make_generation(struct factory *f, const char *settings)
{
	struct config_errors errors = {0};
	char text[2048];
	snprintf(text, sizeof text,
		"workers = %d;\n"
		"listeners = ( { address = \"127.0.0.1:1143\"; tls = \"none\"; } );\n"
		"backends = ( { name = \"fake\"; address = \"127.0.0.1:%u\"; tls = \"none\"; } );\n"
		"capabilities = { probe = 0; };\n"
		"users = ( { match = \"user*\"; backend = \"fake\"; } );\n%s",
		WORKERS, f->fake.config.address.port, settings);
	struct generation *g =
		generation_create(scratch_write("worker.conf", text), ++f->generations, &errors);
	config_errors_finish(&errors);
	assert_non_null(g);
	return g;
}

/* One socket for each worker, all on one port of the kernel's choice. */
static int make_listener(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(*port)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void post_renew(struct factory *f, bool is_first)
{
	for (int i = 0; i < WORKERS; i++) {
		struct message *m = message_renew(f->generation);
		if (is_first) {
			m->sockets[0].fd = make_listener(&f->port);
		} else {
			m->sockets[0].kept_from = 0;
		}
		worker_post(f->workers[i], m);
	}
}

static int make(void **state)
{
	static bool has_key;
	if (!has_key) {
		proof_init();
		log_setup(LOG_ERROR, LOG_LOGFMT);
		has_key = true;
	}
	struct factory *f = calloc(1, sizeof *f);
	*state = f;
	looper_init(&f->looper);
	fake_start(&f->fake, &f->looper);
	assert_true(inbox_init(&f->control, &f->looper.loop, on_report, f));
	f->guard = guard_create();
	f->budget = budget_create();
	f->generation = make_generation(f, "");
	for (int i = 0; i < WORKERS; i++) {
		f->workers[i] = worker_create(&(struct worker_options){.number = (unsigned)i,
			.count = WORKERS,
			.all = f->workers,
			.guard = f->guard,
			.budget = f->budget,
			.control = &f->control});
		assert_non_null(f->workers[i]);
	}
	post_renew(f, true);
	for (int i = 0; i < WORKERS; i++) {
		assert_true(worker_start(f->workers[i]));
	}
	return 0;
}

static bool are_renewed(void *arg)
{
	const struct factory *f = arg;
	return f->renewed == WORKERS;
}

static void wait_renewed(struct factory *f)
{
	looper_until(&f->looper, are_renewed, f);
	f->renewed = 0;
}

static bool have_ended(void *arg)
{
	const struct factory *f = arg;
	return f->ended == WORKERS;
}

static void order(struct factory *f, enum message_kind kind)
{
	for (int i = 0; i < WORKERS; i++) {
		worker_post(f->workers[i], message_order(kind));
	}
}

static int unmake(void **state)
{
	struct factory *f = *state;
	order(f, MESSAGE_STOP);
	looper_until(&f->looper, have_ended, f);
	for (int i = 0; i < WORKERS; i++) {
		worker_join(f->workers[i]);
	}
	order(f, MESSAGE_STOP); /* too late, and no harm */
	assert_int_equal(guard_clients(f->guard), 0);
	for (int i = 0; i < WORKERS; i++) {
		worker_destroy(&f->workers[i]);
		assert_null(f->workers[i]);
	}
	generation_unref(&f->generation);
	inbox_close(&f->control);
	fake_stop(&f->fake);
	guard_destroy(&f->guard);
	budget_destroy(&f->budget);
	looper_finish(&f->looper);
	free(f);
	return 0;
}

static uint64_t counted(const struct factory *f, enum counter which)
{
	uint64_t sum = 0;
	for (int i = 0; i < WORKERS; i++) {
		sum += counter_get(worker_counters(f->workers[i]), which);
	}
	return sum;
}

/* A caller whom any worker may get. */
static void call(struct factory *f, struct peer *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(f->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	peer_init(p);
	peer_start(p, &f->looper, fd, NULL);
}

struct ending {
	const struct peer *peer;
	const char *text;
};

static bool has_heard(void *arg)
{
	const struct ending *e = arg;
	struct span heard = buf_peek(&e->peer->in);
	size_t n = strlen(e->text);
	return heard.n >= n && span_is(span_slice(heard, heard.n - n, heard.n), e->text);
}

static void hear(struct factory *f, struct peer *p, const char *ending)
{
	looper_until(&f->looper, has_heard, &(struct ending){p, ending});
}

static void finish(struct factory *f, struct peer *p)
{
	if (p->stream != NULL) {
		peer_finish(p, &f->looper);
	} else {
		buf_finish(&p->in);
	}
}

/* Users of all homes, accepted wherever the kernel likes. */
static void test_everybody_gets_home(void **state)
{
	struct factory *f = *state;
	struct peer p[CALLERS];
	wait_renewed(f);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < CALLERS; i++) {
			char text[128];
			call(f, &p[i]);
			snprintf(text, sizeof text,
				"a LOGIN user%d right\r\nb NAMESPACE\r\nc LOGOUT\r\n", i % 12);
			peer_say(&p[i], text);
		}
		for (int i = 0; i < CALLERS; i++) {
			hear(f, &p[i],
				"b OK done\r\n* BYE Logging out\r\nc OK Logout completed.\r\n");
			finish(f, &p[i]);
		}
	}
	assert_int_equal(counted(f, COUNTER_SIGNINS_OK), 2 * CALLERS);
	assert_int_equal(counted(f, COUNTER_CLIENTS_ACCEPTED), 2 * CALLERS);
	/* A third of them was lucky, more or less. */
	assert_true(counted(f, COUNTER_CARRIED) > CALLERS / 4);
	assert_true(counted(f, COUNTER_POOL_HITS) > 0);
	assert_int_equal(
		counted(f, COUNTER_POOL_HITS) + counted(f, COUNTER_POOL_MISSES), 2 * CALLERS);
}

/* Callers that say one thing or another and go at any moment; reloads in between. */
static void churn(struct factory *f, int rounds)
{
	struct peer p[CALLERS] = {0};
	bool is_there[CALLERS] = {0};
	for (int step = 0; step < rounds; step++) {
		int i = rand() % CALLERS;
		char text[128];
		if (is_there[i]) {
			finish(f, &p[i]);
			is_there[i] = false;
		} else {
			call(f, &p[i]);
			is_there[i] = true;
			snprintf(text, sizeof text, "a LOGIN user%d %s\r\nb NAMESPACE\r\n%s",
				rand() % 12, rand() % 5 == 0 ? "wrong" : "right",
				rand() % 2 == 0 ? "c LOGOUT\r\n" : "");
			peer_say(&p[i], text);
		}
		looper_spin(&f->looper, rand() % 6);
		if (step % 40 == 39) {
			generation_unref(&f->generation);
			f->generation = make_generation(
				f, step % 80 == 39 ? "pool = { max_idle = 3; };" : "");
			post_renew(f, false);
		}
	}
	for (int i = 0; i < CALLERS; i++) {
		if (is_there[i]) {
			finish(f, &p[i]);
		}
	}
}

static void test_reloads_while_clients_come_and_go(void **state)
{
	struct factory *f = *state;
	srand(11);
	wait_renewed(f);
	churn(f, 240);
	f->renewed += WORKERS - 6 * WORKERS;
	wait_renewed(f);
	/* And it still works. */
	struct peer p;
	call(f, &p);
	peer_say(&p, "a LOGIN user1 right\r\nb NAMESPACE\r\n");
	hear(f, &p, "b OK done\r\n");
	finish(f, &p);
}

static void test_ends_while_clients_come_and_go(void **state)
{
	srand(12);
	for (int round = 0; round < 4; round++) {
		struct factory *f = *state;
		struct peer p[CALLERS];
		wait_renewed(f);
		for (int i = 0; i < CALLERS; i++) {
			char text[128];
			call(f, &p[i]);
			snprintf(text, sizeof text, "a LOGIN user%d right\r\nb NAMESPACE\r\n",
				i % 12);
			peer_say(&p[i], text);
			looper_spin(&f->looper, rand() % 3);
		}
		order(f, round % 2 == 0 ? MESSAGE_DRAIN : MESSAGE_STOP);
		looper_spin(&f->looper, 20);
		for (int i = 0; i < CALLERS; i++) {
			finish(f, &p[i]);
		}
		unmake(state);
		make(state);
	}
}

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_everybody_gets_home),
		STORY(test_reloads_while_clients_come_and_go),
		STORY(test_ends_while_clients_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
