#include "lib/tracker_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/model_server.h"
#include "lib/tracker_rig.h"

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "world: %s\n", #condition);                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

enum { WORLD_LINE_MAX = 300 };

struct world {
	struct tracker_rig rig;
	struct model_server server;
	struct choices choices;
	bool is_useful; /* what tracker_client_gone said */
};

static void carry_to_server(struct world *w)
{
	struct span bytes = buf_peek(&w->rig.to_server);
	if (bytes.n > 0) {
		model_server_feed(&w->server, bytes);
		buf_consume(&w->rig.to_server, bytes.n);
	}
}

static void carry_to_tracker(struct world *w, size_t most)
{
	struct span bytes = buf_peek(&w->server.out);
	if (bytes.n == 0 || w->rig.is_detached || w->rig.ended != TRACKER_MORE) {
		return;
	}
	size_t n = bytes.n < most ? bytes.n : most;
	tracker_rig_server(&w->rig, span_slice(bytes, 0, n), SIZE_MAX, SIZE_MAX);
	buf_consume(&w->server.out, n);
}

static void check_selection(const struct world *w)
{
	enum tracker_selected selected = tracker_selected(w->rig.t);
	if (selected == TRACKER_SELECTED_UNKNOWN) {
		return;
	}
	MUST((selected == TRACKER_SELECTED_YES) == w->server.is_selected);
	struct span mailbox = tracker_mailbox(w->rig.t);
	if (mailbox.n > 0) {
		MUST(selected == TRACKER_SELECTED_YES);
		MUST(span_is(mailbox, w->server.mailbox));
	}
}

static bool has_bit(unsigned set, unsigned i)
{
	return (set & (1U << i)) != 0;
}

/* The words of the class that the server knows. */
static unsigned bits_of(struct span class)
{
	unsigned bits = 0;
	for (unsigned i = 0; model_server_words[i] != NULL; i++) {
		bits |= enabled_has(class, model_server_words[i]) ? 1U << i : 0;
	}
	return bits;
}

/* CONDSTORE may be believed where it is not, but then it is known to be by use only. */
static void check_class(const struct world *w)
{
	unsigned believed = bits_of(tracker_enabled(w->rig.t));
	unsigned doubtful = tracker_has_implicit_condstore(w->rig.t) ? 1 : 0;
	MUST((believed & ~doubtful) == (w->server.enabled & ~doubtful));
	MUST((w->server.enabled & ~believed) == 0);
}

static void check(struct world *w)
{
	carry_to_server(w);
	if (!tracker_is_quiet(w->rig.t) || buf_len(&w->server.out) > 0) {
		return;
	}
	MUST(model_server_is_idle(&w->server));
	if (tracker_dirt(w->rig.t) == NULL) {
		MUST(!w->server.is_sticky);
		check_selection(w);
		check_class(w);
	}
}

static void speak_for_client(struct world *w, struct span *client, size_t most)
{
	struct span piece;
	MUST(span_take_bytes(client, most < client->n ? most : client->n, &piece));
	tracker_rig_client(&w->rig, piece, SIZE_MAX, SIZE_MAX);
}

/* A connection of the class that is wanted, or with less of what a waiting ENABLE asks for. */
static void attach(struct world *w, unsigned without)
{
	unsigned wanted = bits_of(tracker_enabled(w->rig.t));
	struct buf class;
	enabled_init(&class);
	for (unsigned i = 0; model_server_words[i] != NULL; i++) {
		if (has_bit(wanted & ~without, i)) {
			MUST(enabled_add(&class, span_str(model_server_words[i])));
		}
	}
	if (!tracker_can_attach(w->rig.t, buf_peek(&class))) {
		/* Something of it the client was told of: then all. */
		MUST(without != 0);
		buf_finish(&class);
		attach(w, 0);
		return;
	}
	model_server_reconnect(&w->server, bits_of(buf_peek(&class)));
	tracker_rig_attach(&w->rig, buf_peek(&class), RIG_CAPABILITIES);
	buf_finish(&class);
}

static void detach(struct world *w)
{
	carry_to_server(w);
	if (w->rig.ended != TRACKER_MORE || buf_len(&w->server.out) > 0 ||
		!tracker_can_detach(w->rig.t)) {
		return;
	}
	MUST(!w->rig.is_detached);
	MUST(model_server_is_idle(&w->server) && !w->server.is_selected && !w->server.is_sticky);
	check_class(w);
	tracker_rig_detach(&w->rig);
}

/* What the owner of the tracker does. */
static void settle_link(struct world *w)
{
	uint8_t what = choose(&w->choices);
	if (!w->rig.is_wanting) {
		detach(w);
	} else if (what % 4 == 3) {
		tracker_rig_refuse(&w->rig, "[UNAVAILABLE] Not now");
	} else {
		attach(w, what >> 3);
	}
}

static void one_turn(struct world *w, struct span *client)
{
	uint8_t what = choose(&w->choices);
	size_t n = 1 + (what >> 3);
	switch (what % 10) {
	case 0: /* also when choices are used up */
		speak_for_client(w, client, SIZE_MAX);
		break;
	case 1:
	case 2:
	case 3:
		speak_for_client(w, client, n);
		break;
	case 4:
	case 5:
		carry_to_tracker(w, n);
		break;
	case 6:
		model_server_answer_one(&w->server);
		break;
	case 7:
		if (!w->rig.is_detached) {
			model_server_speak(&w->server);
		}
		break;
	default:
		settle_link(w);
		break;
	}
	check(w);
}

/* The server answers all that it was asked. */
static void settle(struct world *w)
{
	for (;;) {
		carry_to_server(w);
		while (model_server_answer_one(&w->server)) {
			continue;
		}
		if (w->rig.is_wanting && w->rig.ended == TRACKER_MORE) {
			attach(w, 0);
			continue;
		}
		if (buf_len(&w->server.out) == 0 || w->rig.ended != TRACKER_MORE) {
			break;
		}
		carry_to_tracker(w, SIZE_MAX);
		check(w);
	}
}

/* The client's reader: responses are whole, and literals are what the server sent. */
static void check_client_stream(struct span s)
{
	while (s.n > 0) {
		size_t end = span_find(s, '\n');
		MUST(end < s.n && end > 0 && s.p[end - 1] == '\r');
		struct span line;
		MUST(span_take_bytes(&s, end + 1, &line));
		if (!span_take_nocase(&line, "* 1 FETCH (BODY[] {")) {
			continue;
		}
		uint64_t n;
		MUST(span_take_number(&line, &n) && span_is(line, "}\r\n"));
		struct span literal;
		MUST(span_take_bytes(&s, (size_t)n, &literal));
		for (size_t i = 0; i < literal.n; i++) {
			MUST(literal.p[i] == model_server_octet(i));
		}
		MUST(span_take_nocase(&s, " FLAGS (\\Seen))\r\n"));
	}
}

static void end(struct world *w)
{
	if (w->rig.ended == TRACKER_LOGOUT) {
		MUST(tracker_is_quiet(w->rig.t));
	}
	if (w->rig.ended == TRACKER_MORE) {
		settle(w);
		/* What the server says to a literal may end the session: then nothing more is read. */
		MUST(w->rig.ended != TRACKER_MORE || buf_len(&w->rig.waiting) == 0);
	}
	bool is_cut = w->rig.ended == TRACKER_FAILED;
	if (w->rig.ended == TRACKER_MORE) {
		w->is_useful = tracker_rig_gone(&w->rig);
		settle(w);
		MUST(tracker_is_quiet(w->rig.t) == w->is_useful);
	}
	MUST(w->rig.ended != TRACKER_FAILED || !tracker_is_quiet(w->rig.t));
	check(w);
	if (!is_cut) {
		check_client_stream(buf_peek(&w->rig.to_client));
	}
}

void tracker_world_play(struct span client, struct span choices)
{
	struct world w = {.choices = {.left = choices}};
	bool is_attached = choose(&w.choices) % 2 == 0;
	(is_attached ? tracker_rig_init : tracker_rig_init_detached)(
		&w.rig, WORLD_LINE_MAX, RIG_CAPABILITIES);
	model_server_init(&w.server, &w.choices);
	while (client.n > 0 && w.rig.ended == TRACKER_MORE) {
		one_turn(&w, &client);
	}
	end(&w);
	model_server_finish(&w.server);
	tracker_rig_finish(&w.rig);
}
