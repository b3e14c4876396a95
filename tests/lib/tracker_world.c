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
	if (bytes.n == 0 || w->rig.ended != TRACKER_MORE) {
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
	}
}

static void speak_for_client(struct world *w, struct span *client, size_t most)
{
	struct span piece;
	MUST(span_take_bytes(client, most < client->n ? most : client->n, &piece));
	tracker_rig_client(&w->rig, piece, SIZE_MAX, SIZE_MAX);
}

static void one_turn(struct world *w, struct span *client)
{
	uint8_t what = choose(&w->choices);
	size_t n = 1 + (what >> 3);
	switch (what % 8) {
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
	default:
		model_server_speak(&w->server);
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
	bool is_cut = w->rig.ended == TRACKER_FAILED;
	if (w->rig.ended == TRACKER_MORE) {
		settle(w);
		MUST(buf_len(&w->rig.waiting) == 0);
	}
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
	tracker_rig_init(&w.rig, WORLD_LINE_MAX, RIG_CAPABILITIES);
	model_server_init(&w.server, &w.choices);
	while (client.n > 0 && w.rig.ended == TRACKER_MORE) {
		one_turn(&w, &client);
	}
	end(&w);
	model_server_finish(&w.server);
	tracker_rig_finish(&w.rig);
}
