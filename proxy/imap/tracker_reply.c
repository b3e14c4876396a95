#include <assert.h>
#include <stdlib.h>

#include "tracker_link_priv.h"

/* A status line in its parts (RFC 9051 section 7.1): "* OK [CODE] text" or "tag NO text". */
struct reply {
	struct span tag;
	struct span word;
	struct span text; /* behind the word and its space */
};

static struct reply split(struct span line)
{
	struct span rest = span_chomp(line);
	struct reply r = {0};
	r.tag = span_take_until(&rest, " ");
	span_take(&rest, ' ');
	r.word = span_take_until(&rest, " ");
	span_take(&rest, ' ');
	r.text = rest;
	return r;
}

static bool is_status(struct span word)
{
	return span_is_nocase(word, "OK") || span_is_nocase(word, "NO") ||
	       span_is_nocase(word, "BAD");
}

static bool has_code(const struct reply *r, const char *code)
{
	struct span text = r->text;
	return span_take_nocase(&text, code) && text.n > 0 &&
	       (text.p[0] == ' ' || text.p[0] == ']');
}

/* The capability list inside the line, if there is one. */
static bool find_list(struct span line, struct span *list)
{
	struct reply r = split(line);
	bool is_untagged = span_is(r.tag, "*");
	if (is_untagged && span_is_nocase(r.word, "CAPABILITY")) {
		*list = r.text;
		return true;
	}
	bool can_have_code =
		is_status(r.word) || (is_untagged && span_is_nocase(r.word, "PREAUTH"));
	if (!can_have_code || !has_code(&r, "[CAPABILITY")) {
		return false;
	}
	struct span text = r.text;
	bool taken = span_take_nocase(&text, "[CAPABILITY");
	assert(taken);
	(void)taken;
	span_take(&text, ' ');
	*list = span_take_until(&text, "]");
	return true;
}

bool tracker_rewrite(struct tracker *t, struct span line, struct buf *out)
{
	struct span list;
	if (!find_list(line, &list) || list.n == 0) {
		return false;
	}
	tracker_learn_capabilities(t, list);
	size_t begin = (size_t)(list.p - line.p);
	bool added = buf_add(out, span_slice(line, 0, begin)) &&
		     buf_add(out, listing_told(t->listing)) &&
		     buf_add(out, span_slice(line, begin + list.n, line.n));
	/* The caller's buf takes a line of the longest kind and a list of the longest kind. */
	assert(added);
	(void)added;
	return true;
}

static void forget_mailbox(struct tracker *t)
{
	free(t->mailbox);
	t->mailbox = NULL;
}

/* What a command that changes the selection has done (the table of POOLING.md section 1). */
static void on_selection(struct tracker *t, const struct in_flight_entry *entry, struct span status)
{
	assert(entry->kind != IN_FLIGHT_OTHER);
	assert(is_status(status));
	bool is_ok = span_is_nocase(status, "OK");
	/* A command whose literal was refused may not have got as far as to close the old mailbox. */
	bool is_unsure = t->is_overlapping || entry->is_open;
	if (t->in_flight.selecting == 0) {
		t->is_overlapping = false;
	}
	if (is_unsure) {
		forget_mailbox(t);
		t->selected = TRACKER_SELECTED_UNKNOWN;
		return;
	}
	if (entry->kind == IN_FLIGHT_SELECT) {
		forget_mailbox(t);
		if (is_ok) {
			t->mailbox = t->next_mailbox;
			t->next_mailbox = NULL;
		}
		/* After BAD Dovecot has left the old mailbox and Cyrus has not. */
		t->selected = is_ok                          ? TRACKER_SELECTED_YES
			      : span_is_nocase(status, "NO") ? TRACKER_SELECTED_NO
							     : TRACKER_SELECTED_UNKNOWN;
	} else if (is_ok) {
		forget_mailbox(t);
		t->selected = TRACKER_SELECTED_NO;
	}
}

/* The tagged reply came while the client was still sending, or idling. */
static enum fail on_open_command_ended(struct tracker *t)
{
	switch (t->client) {
	case CLIENT_HELD:
		if (t->is_nonsync) {
			/* The client has sent the octets, or is about to: they are not commands. */
			return tracker_swallow(t, t->client_left);
		}
		tracker_expect_command(t);
		return FAIL_NONE;
	case CLIENT_IDLE_ASKED:
	case CLIENT_IDLE:
		tracker_expect_command(t);
		return FAIL_NONE;
	default:
		/* The server said "+" and must read on, but nothing will account for it. */
		tracker_dirty(t, "early-reply");
		return FAIL_NONE;
	}
}

static enum fail on_tagged(struct tracker *t, const struct reply *r)
{
	struct in_flight_entry entry;
	if (!is_status(r->word)) {
		tracker_dirty(t, "odd-response");
		return FAIL_NONE;
	}
	if (!in_flight_take(&t->in_flight, r->tag, &entry)) {
		tracker_dirty(t, "unknown-tag");
		return FAIL_NONE;
	}
	if (entry.has_line_end && !span_is_nocase(r->word, "OK")) {
		tracker_dirty(t, "line-end");
	}
	if (entry.kind == IN_FLIGHT_SELECT || entry.kind == IN_FLIGHT_DESELECT) {
		on_selection(t, &entry, r->word);
	}
	return entry.is_open ? on_open_command_ended(t) : FAIL_NONE;
}

enum fail tracker_on_reply(struct tracker *t, struct span line)
{
	struct reply r = split(line);
	if (!span_is(r.tag, "*")) {
		return on_tagged(t, &r);
	}
	if (span_is_nocase(r.word, "BYE")) {
		tracker_dirty(t, "bye");
		t->has_bye = true;
	} else if (span_is_nocase(r.word, "ENABLED")) {
		tracker_on_enabled(t, r.text);
	} else if (span_is_nocase(r.word, "OK") && has_code(&r, "[CLOSED")) {
		forget_mailbox(t);
		t->selected = t->is_overlapping ? TRACKER_SELECTED_UNKNOWN : TRACKER_SELECTED_NO;
	}
	return FAIL_NONE;
}

void tracker_on_go_ahead(struct tracker *t, const struct tracker_sink *sink)
{
	if (t->client == CLIENT_HELD) {
		t->client = t->client_left > 0 ? CLIENT_LITERAL : CLIENT_LINE;
	} else if (t->client == CLIENT_IDLE_ASKED) {
		t->client = CLIENT_IDLE;
		if (t->is_gone) {
			tracker_end_idle(t, sink);
		}
	}
}
