/*
 * Two streams do what dice say: write much or little, pause, resume, take small bites, move to a new
 * handle, in any order. At the end each has heard exactly what the other has said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "lib/looper.h"
#include "lib/pki.h"
#include "net/carry.h"

enum { GAMES = 60, STEPS = 150, LONGEST = 120000, TEXT = 4 * 1024 * 1024 };

static struct pki pki;
static uint8_t *text; /* what everybody says, from the beginning */
static uint32_t dice;

static uint32_t roll(uint32_t sides)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % sides;
}

struct side {
	struct peer peer;
	size_t said;
	bool is_paused;
};

struct game {
	struct looper looper;
	struct side sides[2];
};

static void say(struct side *s)
{
	size_t most = roll(4) == 0 ? LONGEST : 300;
	size_t n = 1 + roll((uint32_t)most);
	if (stream_pending(s->peer.stream) <= STREAM_HIGH_WATER && n <= TEXT - s->said) {
		peer_say_bytes(&s->peer, span_of(text + s->said, n));
		s->said += n;
	}
}

static void set_paused(struct side *s, bool is_paused)
{
	s->peer.is_inside = true;
	if (is_paused) {
		stream_pause(s->peer.stream);
	} else {
		stream_resume(s->peer.stream);
	}
	s->peer.is_inside = false;
	s->is_paused = is_paused;
}

/* To a new handle on the same loop; the peer does not notice. */
static void move(struct game *g, struct side *s, struct side *other)
{
	/* Output must leave first, which needs a listener at the other end. */
	size_t bite = other->peer.bite;
	other->peer.bite = 0;
	set_paused(other, false);
	set_paused(s, true);
	s->peer.drained = 0;
	stream_want_drained(s->peer.stream);
	looper_wait(&g->looper, &s->peer.drained);
	if (stream_pending(s->peer.stream) == 0) {
		struct stream_parcel *parcel = stream_take(s->peer.stream);
		assert_non_null(parcel);
		looper_wait(&g->looper, &s->peer.closed);
		s->peer.closed = 0;
		s->peer.stream = stream_unpack(&g->looper.loop, &parcel, &peer_events, &s->peer);
		assert_non_null(s->peer.stream);
	}
	other->peer.bite = bite;
	set_paused(s, false);
}

static void step(struct game *g)
{
	uint32_t who = roll(2);
	struct side *s = &g->sides[who];
	switch (roll(12)) {
	case 0:
		set_paused(s, true);
		break;
	case 1:
	case 2:
		set_paused(s, false);
		break;
	case 3:
		s->peer.bite = roll(3) == 0 ? 1 + roll(5000) : 0;
		break;
	case 4:
		if (roll(4) == 0) {
			move(g, s, &g->sides[1 - who]);
		}
		break;
	case 5:
	case 6:
	case 7:
		looper_spin(&g->looper, 1 + (int)roll(4));
		break;
	default:
		say(s);
		break;
	}
}

static void finish_game(struct game *g)
{
	for (int i = 0; i < 2; i++) {
		g->sides[i].peer.bite = 0;
		set_paused(&g->sides[i], false);
	}
	for (int i = 0; i < 2; i++) {
		struct peer *p = &g->sides[i].peer;
		peer_wait_bytes(p, &g->looper, g->sides[1 - i].said);
		assert_true(span_equal(buf_peek(&p->in), span_of(text, p->seen)));
		assert_int_equal(p->failed + p->ended + p->closed, 0);
	}
	stream_close(g->sides[0].peer.stream, LOOPER_PATIENCE_MS);
	looper_wait(&g->looper, &g->sides[1].peer.ended);
	peer_finish(&g->sides[1].peer, &g->looper);
	peer_finish(&g->sides[0].peer, &g->looper);
}

static void play(struct tls_context *server, struct tls_context *client, uint32_t seed)
{
	struct game g = {0};
	int fds[2];
	dice = seed;
	looper_init(&g.looper);
	roll(2) == 0 ? looper_unix_pair(fds) : looper_tcp_pair(fds);
	for (int i = 0; i < 2; i++) {
		struct stream_options options = {
			.tls = i == 0 ? server : client,
			.is_server = i == 0,
			.server_name = "imap.example.org",
		};
		peer_init(&g.sides[i].peer);
		peer_start(&g.sides[i].peer, &g.looper, fds[i], &options);
	}
	looper_wait(&g.looper, &g.sides[0].peer.opened);
	looper_wait(&g.looper, &g.sides[1].peer.opened);
	for (int i = 0; i < STEPS; i++) {
		step(&g);
	}
	finish_game(&g);
	looper_finish(&g.looper);
}

static void plain(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < GAMES; seed++) {
		play(NULL, NULL, seed);
	}
}

static void with_tls(void **state)
{
	(void)state;
	struct pki_config c;
	pki_configure(&pki, &c, "good");
	struct tls_context *server = tls_context_create_server(&c.config, &c.errors);
	struct tls_context *client = tls_context_create_client(&c.backend, &c.errors);
	for (uint32_t seed = 0; seed < GAMES; seed++) {
		play(server, client, seed);
	}
	tls_context_unref(&server);
	tls_context_unref(&client);
	pki_config_finish(&c);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	pki_issue(&pki, "good", "DNS:imap.example.org", -1, 10);
	text = xmalloc(TEXT);
	for (size_t i = 0; i < TEXT; i++) {
		text[i] = (uint8_t)(i * 31 + i / 251 + i / 65537);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(text);
	pki_finish(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(with_tls),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
