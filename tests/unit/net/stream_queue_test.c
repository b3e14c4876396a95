/* Many handshakes at once: the live are served between them, in order, and who waits may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/looper.h"
#include "lib/pki.h"
#include "lib/tls_pair.h"

enum { NEWCOMERS = 6 };

static struct pki pki;

/* A client that has said hello, and the server's stream, whose answer waits for its turn. */
struct newcomer {
	struct peer server;
	struct tls_end end;
	int fd;
	bool is_answered;
};

struct storm {
	struct looper looper;
	struct pki_config config;
	struct tls_context *server_tls, *client_tls;
	struct newcomer newcomers[NEWCOMERS];
	struct peer live;          /* plain: answers what he is asked */
	int live_fd;               /* who asks */
	char order[NEWCOMERS + 1]; /* of the answers */
};

static void echo(struct peer *p, struct span in)
{
	peer_say_bytes(p, in);
}

static void prepare(struct storm *s)
{
	int fds[2];
	*s = (struct storm){0};
	looper_init(&s->looper);
	pki_configure(&pki, &s->config, "good");
	s->server_tls = tls_context_create_server(&s->config.config, &s->config.errors);
	s->client_tls = tls_context_create_client(&s->config.backend, &s->config.errors);
	assert_non_null(s->server_tls);
	assert_non_null(s->client_tls);
	looper_unix_pair(fds); /* what is sent has arrived */
	peer_init(&s->live);
	s->live.on_data = echo;
	s->live_fd = fds[0];
	peer_start(&s->live, &s->looper, fds[1], NULL);
	struct stream_options options = {.tls = s->server_tls, .is_server = true};
	for (int i = 0; i < NEWCOMERS; i++) {
		struct newcomer *n = &s->newcomers[i];
		looper_unix_pair(fds);
		n->fd = fds[0];
		tls_end_init(&n->end, s->client_tls, false, "imap.example.org");
		peer_init(&n->server);
		peer_start(&n->server, &s->looper, fds[1], &options);
	}
	looper_wait(&s->looper, &s->live.opened);
}

static void end(struct storm *s)
{
	close(s->live_fd);
	peer_finish(&s->live, &s->looper);
	for (int i = 0; i < NEWCOMERS; i++) {
		close(s->newcomers[i].fd);
		tls_end_finish(&s->newcomers[i].end);
		peer_finish(&s->newcomers[i].server, &s->looper);
	}
	tls_context_unref(&s->server_tls);
	tls_context_unref(&s->client_tls);
	pki_config_finish(&s->config);
	looper_finish(&s->looper);
}

static void say_hello(struct storm *s, int number)
{
	struct newcomer *n = &s->newcomers[number];
	struct span hello = buf_peek(&n->end.out);
	assert_true(hello.n > 0);
	assert_int_equal(send(n->fd, hello.p, hello.n, MSG_NOSIGNAL), hello.n);
	buf_consume(&n->end.out, hello.n);
}

/* One turn of the loop; returns how many newcomers were answered in it. */
static int turn(struct storm *s)
{
	uint8_t byte;
	int answered = 0;
	uv_run(&s->looper.loop.uv, UV_RUN_NOWAIT);
	for (int i = 0; i < NEWCOMERS; i++) {
		struct newcomer *n = &s->newcomers[i];
		if (!n->is_answered && recv(n->fd, &byte, 1, MSG_PEEK) == 1) {
			n->is_answered = true;
			s->order[strlen(s->order)] = (char)('0' + i);
			answered++;
		}
	}
	return answered;
}

static void idle(struct storm *s)
{
	looper_spin(&s->looper, 2);
	assert_int_equal(net_loop_heavy_waiting(&s->looper.loop), 0);
	assert_false(uv_is_active((uv_handle_t *)&s->looper.loop.idle));
}

/* However many wait: each turn the live stream is answered, and one of them. */
static void live_between_handshakes(void **state)
{
	(void)state;
	struct storm s;
	prepare(&s);
	idle(&s);
	for (int i = 0; i < NEWCOMERS; i++) {
		say_hello(&s, i);
	}
	for (int i = 0; i < NEWCOMERS; i++) {
		char reply[8];
		assert_int_equal(send(s.live_fd, "NOOP", 4, MSG_NOSIGNAL), 4);
		assert_int_equal(turn(&s), 1);
		assert_int_equal(recv(s.live_fd, reply, sizeof reply, 0), 4);
	}
	assert_int_equal(strlen(s.order), NEWCOMERS);
	idle(&s);
	end(&s);
}

static void do_nothing(void *owner)
{
	(void)owner;
}

/* Those who have spoken first are answered first. */
static void in_order(void **state)
{
	(void)state;
	struct storm s;
	struct net_task before[NEWCOMERS];
	prepare(&s);
	for (int i = 0; i < NEWCOMERS; i++) {
		net_task_init(&before[i], do_nothing, NULL);
		net_loop_heavy(&s.looper.loop, &before[i]);
	}
	static const int spoke[NEWCOMERS] = {3, 0, 5, 1, 4, 2};
	for (int i = 0; i < NEWCOMERS; i++) {
		say_hello(&s, spoke[i]);
		assert_int_equal(turn(&s), 0);
	}
	for (int i = 0; i < NEWCOMERS; i++) {
		assert_int_equal(turn(&s), 1);
	}
	assert_string_equal(s.order, "305142");
	idle(&s);
	end(&s);
}

/* Closed while they wait, at once or with patience, or left by the client: the others have their turns. */
static void gone_while_waiting(void **state)
{
	(void)state;
	struct storm s;
	prepare(&s);
	for (int i = 0; i < NEWCOMERS; i++) {
		say_hello(&s, i);
	}
	assert_int_equal(turn(&s), 1); /* all are read, one is answered */
	assert_int_equal(net_loop_heavy_waiting(&s.looper.loop), NEWCOMERS - 1);
	int closed = s.order[0] - '0' + 1, lingering = closed + 1, leaving = closed + 2;
	closed %= NEWCOMERS, lingering %= NEWCOMERS, leaving %= NEWCOMERS;
	stream_close(s.newcomers[closed].server.stream, 0);
	stream_close(s.newcomers[lingering].server.stream, 1000);
	assert_int_equal(shutdown(s.newcomers[leaving].fd, SHUT_WR), 0);
	looper_wait(&s.looper, &s.newcomers[closed].server.closed);
	looper_wait(&s.looper, &s.newcomers[leaving].server.failed);
	while (net_loop_heavy_waiting(&s.looper.loop) > 0) {
		turn(&s);
	}
	turn(&s);
	assert_int_equal(strlen(s.order), NEWCOMERS - 3);
	assert_false(s.newcomers[closed].is_answered);
	assert_false(s.newcomers[lingering].is_answered);
	assert_false(s.newcomers[leaving].is_answered);
	idle(&s);
	end(&s);
}

struct deadline {
	struct storm storm;
	struct net_task work;
	struct wheel_timer timer;
};

enum { PATIENCE_MS = 1000, WORK_MS = PATIENCE_MS + 4 * WHEEL_TICK_MS };

static void outlast(void *owner)
{
	(void)owner;
	clock_jump(WORK_MS);
}

static void on_due(void *owner)
{
	struct deadline *d = owner;
	stream_close(d->storm.newcomers[0].server.stream, 0);
}

/* Two wait behind work that lasts longer than the patience with one of them. */
static void deadline_while_waiting(void **state)
{
	(void)state;
	struct deadline d;
	prepare(&d.storm);
	struct net_loop *loop = &d.storm.looper.loop;
	wheel_timer_init(&d.timer, on_due, &d);
	net_task_init(&d.work, outlast, NULL);
	net_loop_heavy(loop, &d.work);
	net_loop_arm(loop, &d.timer, PATIENCE_MS);
	say_hello(&d.storm, 0);
	say_hello(&d.storm, 1);
	assert_int_equal(turn(&d.storm), 0);
	assert_int_equal(net_loop_heavy_waiting(loop), 2);
	/* Its time is over before its turn has come. */
	assert_int_equal(turn(&d.storm), 1);
	assert_string_equal(d.storm.order, "1");
	assert_int_equal(d.storm.newcomers[0].server.closed, 1);
	assert_int_equal(turn(&d.storm), 0);
	idle(&d.storm);
	end(&d.storm);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org", -1, 10);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_finish(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_between_handshakes),
		cmocka_unit_test(in_order),
		cmocka_unit_test(gone_while_waiting),
		cmocka_unit_test(deadline_while_waiting),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
