/*
 * Carrying streams to another thread in the middle of a conversation. The other thread echoes what it
 * is given; run under ThreadSanitizer, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "lib/looper.h"
#include "lib/pki.h"
#include "net/carry.h"
#include "net/inbox.h"

static struct pki pki;

/* The other thread. */

struct home {
	struct net_loop loop;
	struct inbox inbox;
	pthread_t thread;
	_Atomic int arrived, closed, failed;
};

struct arrival {
	struct list_node node;
	struct stream_parcel *parcel; /* NULL: end */
	struct home *home;
	struct stream *stream;
};

static void home_open(void *owner)
{
	(void)owner;
	abort(); /* it was open before */
}

static size_t home_data(void *owner, struct span in)
{
	struct arrival *a = owner;
	stream_write(a->stream, in);
	return in.n;
}

static void home_drained(void *owner)
{
	(void)owner;
}

static void home_eof(void *owner)
{
	struct arrival *a = owner;
	stream_close(a->stream, 5000);
}

static void home_failed(void *owner, enum fail why, const char *detail)
{
	struct arrival *a = owner;
	(void)why, (void)detail;
	a->home->failed++;
	stream_close(a->stream, 0);
}

static void home_closed(void *owner)
{
	struct arrival *a = owner;
	a->home->closed++;
	free(a);
}

static const struct stream_events home_events = {
	.on_open = home_open,
	.on_data = home_data,
	.on_drained = home_drained,
	.on_eof = home_eof,
	.on_failed = home_failed,
	.on_closed = home_closed,
};

static void on_arrival(void *owner, struct list_node *node)
{
	struct home *h = owner;
	struct arrival *a = LIST_OBJECT(node, struct arrival, node);
	if (a->parcel == NULL) {
		inbox_close(&h->inbox);
		free(a);
		return;
	}
	a->home = h;
	a->stream = stream_unpack(&h->loop, &a->parcel, &home_events, a);
	if (a->stream == NULL || a->parcel != NULL) {
		abort();
	}
	h->arrived++;
	stream_resume(a->stream);
}

static void *home_run(void *arg)
{
	struct home *h = arg;
	net_loop_run(&h->loop);
	return NULL;
}

static void home_begin(struct home *h)
{
	h->arrived = h->closed = h->failed = 0;
	assert_true(net_loop_init(&h->loop));
	assert_true(inbox_init(&h->inbox, &h->loop, on_arrival, h));
	assert_int_equal(pthread_create(&h->thread, NULL, home_run, h), 0);
}

static void home_send(struct home *h, struct stream_parcel *parcel)
{
	struct arrival *a = xcalloc(1, sizeof *a);
	a->parcel = parcel;
	assert_true(inbox_post(&h->inbox, &a->node));
}

static void home_end(struct home *h)
{
	home_send(h, NULL);
	pthread_join(h->thread, NULL);
	net_loop_finish(&h->loop);
}

/* This thread: a client, and the server's end that is carried away. */

struct scene {
	struct looper looper;
	struct home home;
	struct pki_config config;
	struct tls_context *server_tls, *client_tls;
};

static void scene_begin(struct scene *s)
{
	looper_init(&s->looper);
	home_begin(&s->home);
	pki_configure(&pki, &s->config, "good");
	s->server_tls = tls_context_create_server(&s->config.config, &s->config.errors);
	s->client_tls = tls_context_create_client(&s->config.backend, &s->config.errors);
	assert_non_null(s->server_tls);
	assert_non_null(s->client_tls);
}

static void scene_end(struct scene *s)
{
	home_end(&s->home);
	tls_context_unref(&s->server_tls);
	tls_context_unref(&s->client_tls);
	pki_config_finish(&s->config);
	looper_finish(&s->looper);
}

static void meet(struct scene *s, struct peer *client, struct peer *server, bool is_tls)
{
	int fds[2];
	looper_tcp_pair(fds);
	peer_init(client);
	peer_init(server);
	peer_start(client, &s->looper, fds[0],
		&(struct stream_options){
			.tls = is_tls ? s->client_tls : NULL, .server_name = "imap.example.org"});
	peer_start(server, &s->looper, fds[1],
		&(struct stream_options){.tls = is_tls ? s->server_tls : NULL, .is_server = true});
	looper_wait(&s->looper, &client->opened);
	looper_wait(&s->looper, &server->opened);
}

static struct stream_parcel *take(struct scene *s, struct peer *server)
{
	stream_pause(server->stream);
	stream_want_drained(server->stream);
	looper_wait(&s->looper, &server->drained);
	server->is_inside = true;
	struct stream_parcel *parcel = stream_take(server->stream);
	server->is_inside = false;
	return parcel;
}

static void carry(struct scene *s, struct peer *server)
{
	struct stream_parcel *parcel = take(s, server);
	assert_non_null(parcel);
	home_send(&s->home, parcel);
	looper_wait(&s->looper, &server->closed);
	assert_int_equal(server->ended + server->failed, 0);
}

static void leave(struct scene *s, struct peer *client, struct peer *server)
{
	int before = s->home.closed;
	stream_close(client->stream, LOOPER_PATIENCE_MS);
	looper_wait(&s->looper, &client->closed);
	while (s->home.closed == before) {
		looper_spin(&s->looper, 1);
	}
	peer_finish(client, &s->looper);
	peer_finish(server, &s->looper);
}

/* Carried with an unread rest; what was sent before, during and after comes back in order. */
static void conversation(void **state)
{
	(void)state;
	struct scene s;
	scene_begin(&s);
	for (int is_tls = 0; is_tls < 2; is_tls++) {
		struct peer client, server;
		meet(&s, &client, &server, is_tls);
		server.bite = 12;
		peer_say(&client, "a LOGIN u p\na1");
		peer_wait_bytes(&server, &s.looper, 12);
		assert_true(peer_heard(&server, "a LOGIN u p\n"));
		assert_int_equal(stream_unread(server.stream), 2);
		peer_say(&client, " b2");
		carry(&s, &server);
		peer_say(&client, " c3");
		peer_wait_bytes(&client, &s.looper, 8);
		assert_true(peer_heard(&client, "a1 b2 c3"));
		peer_say(&client, " d4");
		peer_wait_bytes(&client, &s.looper, 11);
		leave(&s, &client, &server);
	}
	assert_int_equal(s.home.failed, 0);
	scene_end(&s);
}

/* Records that nobody has decrypted yet, and half a record, go along. */
static void undecoded_bytes(void **state)
{
	(void)state;
	struct scene s;
	struct peer client, server;
	enum { TOTAL = 1000000 };
	uint8_t *bytes = xmalloc(TOTAL);
	for (size_t i = 0; i < TOTAL; i++) {
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	}
	scene_begin(&s);
	meet(&s, &client, &server, true);
	server.bite = 1;
	peer_say_bytes(&client, span_of(bytes, 200000));
	peer_wait_bytes(&server, &s.looper, 1);
	looper_spin(&s.looper, 3);
	carry(&s, &server);
	size_t sent = 200000;
	while (sent < TOTAL) {
		if (stream_pending(client.stream) <= STREAM_LOW_WATER) {
			peer_say_bytes(&client, span_of(bytes + sent, 50000));
			sent += 50000;
		}
		uv_run(&s.looper.loop.uv, UV_RUN_ONCE);
	}
	peer_wait_bytes(&client, &s.looper, TOTAL - 1);
	assert_true(span_equal(buf_peek(&client.in), span_of(bytes + 1, TOTAL - 1)));
	leave(&s, &client, &server);
	free(bytes);
	scene_end(&s);
}

/* The client leaves while its parcel is on the way. */
static void client_leaves(void **state)
{
	(void)state;
	struct scene s;
	scene_begin(&s);
	for (int is_tls = 0; is_tls < 2; is_tls++) {
		struct peer client, server;
		meet(&s, &client, &server, is_tls);
		int before = s.home.closed;
		struct stream_parcel *parcel = take(&s, &server);
		stream_close(client.stream, 100);
		looper_spin(&s.looper, 3);
		home_send(&s.home, parcel);
		while (s.home.closed == before) {
			looper_spin(&s.looper, 1);
		}
		peer_finish(&client, &s.looper);
		peer_finish(&server, &s.looper);
	}
	scene_end(&s);
}

/* The end was seen on the old loop, but bytes wait before it: both are told on the new one. */
static void end_goes_along(void **state)
{
	(void)state;
	struct scene s;
	struct peer client, server;
	scene_begin(&s);
	meet(&s, &client, &server, true);
	server.bite = 5;
	peer_say(&client, "hello world");
	stream_close(client.stream, LOOPER_PATIENCE_MS);
	peer_wait_bytes(&server, &s.looper, 5);
	looper_spin(&s.looper, 5);
	assert_int_equal(server.ended, 0);
	carry(&s, &server);
	while (s.home.closed == 0) {
		looper_spin(&s.looper, 1);
	}
	assert_int_equal(s.home.failed, 0);
	peer_finish(&client, &s.looper);
	peer_finish(&server, &s.looper);
	scene_end(&s);
}

/* The end was told already: not again. */
static void end_is_told_once(void **state)
{
	(void)state;
	struct scene s;
	struct peer client, server, heir;
	scene_begin(&s);
	meet(&s, &client, &server, true);
	stream_close(client.stream, LOOPER_PATIENCE_MS);
	looper_wait(&s.looper, &server.ended);
	server.ended = 0;
	struct stream_parcel *parcel = take(&s, &server);
	looper_wait(&s.looper, &server.closed);
	peer_init(&heir);
	heir.opened = 1;
	heir.stream = stream_unpack(&s.looper.loop, &parcel, &peer_events, &heir);
	assert_non_null(heir.stream);
	stream_resume(heir.stream);
	peer_say(&heir, "* BYE\r\n");
	stream_want_drained(heir.stream);
	looper_wait(&s.looper, &heir.drained);
	looper_spin(&s.looper, 5);
	assert_int_equal(heir.ended + server.ended, 0);
	peer_finish(&heir, &s.looper);
	peer_finish(&client, &s.looper);
	peer_finish(&server, &s.looper);
	scene_end(&s);
}

static void dropped(void **state)
{
	(void)state;
	struct scene s;
	struct peer client, server;
	scene_begin(&s);
	meet(&s, &client, &server, true);
	struct stream_parcel *parcel = take(&s, &server);
	stream_parcel_drop(&parcel);
	assert_null(parcel);
	stream_parcel_drop(&parcel);
	looper_wait(&s.looper, &client.ended);
	peer_finish(&client, &s.looper);
	peer_finish(&server, &s.looper);
	scene_end(&s);
}

/* Out of descriptors: the stream stays as it was. */
static void no_descriptor(void **state)
{
	(void)state;
	struct scene s;
	struct peer client, server;
	struct rlimit all, few;
	scene_begin(&s);
	meet(&s, &client, &server, true);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = all;
	few.rlim_cur = 3;
	stream_pause(server.stream);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct stream_parcel *parcel = stream_take(server.stream);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_null(parcel);
	stream_resume(server.stream);
	peer_say(&client, "still here");
	peer_wait_bytes(&server, &s.looper, 10);
	peer_finish(&client, &s.looper);
	peer_finish(&server, &s.looper);
	scene_end(&s);
}

/* Many at once, so that the threads meet in OpenSSL, the allocator and the inbox. */
static void crowd(void **state)
{
	(void)state;
	enum { CROWD = 40 };
	static struct peer clients[CROWD], servers[CROWD];
	struct scene s;
	scene_begin(&s);
	for (int i = 0; i < CROWD; i++) {
		meet(&s, &clients[i], &servers[i], true);
		carry(&s, &servers[i]);
		peer_say(&clients[i], "hello");
	}
	for (int i = 0; i < CROWD; i++) {
		peer_wait_bytes(&clients[i], &s.looper, 5);
		leave(&s, &clients[i], &servers[i]);
	}
	assert_int_equal(s.home.arrived, CROWD);
	assert_int_equal(s.home.failed, 0);
	scene_end(&s);
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
		cmocka_unit_test(conversation),
		cmocka_unit_test(undecoded_bytes),
		cmocka_unit_test(client_leaves),
		cmocka_unit_test(end_goes_along),
		cmocka_unit_test(end_is_told_once),
		cmocka_unit_test(dropped),
		cmocka_unit_test(no_descriptor),
		cmocka_unit_test(crowd),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
