#include <assert.h>

#include "tracker_link_priv.h"

/*
 * What is enabled on the connection is never undone, so it is never guessed: the set grows by what the
 * server says that it has enabled, not by what the client has asked for. Only CONDSTORE is switched on
 * without a word of the server.
 */

struct span tracker_enabled(const struct tracker *t)
{
	return t->link == LINK_WANTED && t->wanted != NULL ? span_str(t->wanted)
							   : buf_peek(&t->enabled);
}

bool tracker_has_implicit_condstore(const struct tracker *t)
{
	return t->is_condstore_implicit;
}

void tracker_set_enabled(struct tracker *t, struct span enabled)
{
	struct buf fresh;
	enabled_init(&fresh);
	bool added = enabled_add(&fresh, enabled);
	assert(added);
	(void)added;
	buf_finish(&t->enabled);
	t->enabled = fresh;
	t->is_condstore_implicit = false;
}

/* Words that could stand in a set together with those that are there. */
static bool is_addable(const struct tracker *t, struct span words)
{
	struct buf both;
	enabled_init(&both);
	bool added = enabled_add(&both, buf_peek(&t->enabled)) && enabled_add(&both, words);
	buf_finish(&both);
	return added;
}

/* No word at all: the server would enable nothing. */
static bool is_blank(struct span words)
{
	while (span_take(&words, ' ')) {
		continue;
	}
	return words.n == 0;
}

enum asked tracker_asked(const struct tracker *t, const struct client_line *line, struct span args)
{
	if (line->form != LITERAL_NONE || is_blank(args) || !is_addable(t, args)) {
		return ASKED_ODD;
	}
	if (!enabled_covers(buf_peek(&t->enabled), args)) {
		return ASKED_NEW;
	}
	/* The server shall say so itself: perhaps it has not taken the use for an order. */
	bool is_doubtful = t->is_condstore_implicit && t->link == LINK_ATTACHED;
	return is_doubtful && enabled_has(args, "CONDSTORE") ? ASKED_NEW : ASKED_NOTHING;
}

void tracker_answer_enable(
	struct tracker *t, const struct command *command, const struct tracker_sink *sink)
{
	struct buf common;
	buf_init(&common, ENABLED_MAX + 1);
	bool fits = enabled_write_common(&common, buf_peek(&t->enabled), command->args);
	assert(fits);
	(void)fits;
	tracker_answer(t, sink, "* ENABLED%.*s\r\n%.*s OK ENABLE completed.\r\n",
		SPAN_ARG(buf_peek(&common)), SPAN_ARG(command->tag));
	buf_finish(&common);
}

void tracker_on_enabled(struct tracker *t, struct span words)
{
	if (t->in_flight.enabling == 0) {
		tracker_dirty(t, "enable");
	}
	if (!enabled_add(&t->enabled, words)) {
		tracker_dirty(t, "odd-response");
	} else if (enabled_has(words, "CONDSTORE") || enabled_has(words, "QRESYNC")) {
		t->is_condstore_implicit = false;
	}
}

void tracker_on_condstore(struct tracker *t)
{
	if (enabled_has(buf_peek(&t->enabled), "CONDSTORE")) {
		return;
	}
	if (enabled_add(&t->enabled, span_str("CONDSTORE"))) {
		t->is_condstore_implicit = true;
	} else {
		tracker_dirty(t, "condstore");
	}
}

void tracker_look_for_use(struct tracker *t, const struct verb *verb, struct span line)
{
	if (verb->dirt != NULL) {
		tracker_dirty(t, verb->dirt);
	}
	if (t->dirt != NULL || verb->action == VERB_ENABLE ||
		enabled_has(buf_peek(&t->enabled), "QRESYNC") || !verb_has_condstore_word(line)) {
		return;
	}
	tracker_on_condstore(t);
	/* RFC 7162 section 3.2.5 wants ENABLE first. A server that does without would be in a state that
	 * we do not know; an ENABLE in flight, sent in one go with this, will tell. */
	if (t->in_flight.enabling == 0 && span_contains_nocase(line, "QRESYNC")) {
		tracker_dirty(t, "qresync");
	}
}
