#include <assert.h>

#include "tracker_link_priv.h"

/*
 * Bytes pass in runs as long as possible: a run ends only where something is left out or put in. Of a
 * response's text only the line ends are looked for, and MODSEQ; of literals nothing. Status lines are
 * looked at whole; what of a line is not yet there is gathered in `reply`.
 */
struct feed {
	struct tracker *t;
	const struct tracker_sink *sink;
	struct span in;     /* not yet looked at */
	const uint8_t *run; /* from here up to in.p: looked at, to be passed on */
};

/* A line of the longest kind with a list of the longest kind in it. */
enum { REWRITTEN_MAX = TRACKER_MAX_SERVER_LINE + 2 * CAPABILITY_LIST_MAX };

static void flush(struct feed *f)
{
	tracker_to_client(f->t, f->sink, span_of(f->run, (size_t)(f->in.p - f->run)));
	f->run = f->in.p;
}

/* Looked at: part of the run. */
static struct span pass(struct feed *f, size_t n)
{
	struct span passed = {0};
	bool is_there = span_take_bytes(&f->in, n, &passed);
	assert(is_there);
	(void)is_there;
	return passed;
}

/* Left out of what the client gets. */
static struct span leave_out(struct feed *f, size_t n)
{
	flush(f);
	struct span taken = pass(f, n);
	f->run = f->in.p;
	return taken;
}

/* Bytes up to and with the line end, or all. */
static size_t line_length(struct span in, bool *is_whole)
{
	size_t end = span_find(in, '\n');
	*is_whole = end < in.n;
	return *is_whole ? end + 1 : end;
}

static void end_response(struct feed *f)
{
	struct tracker *t = f->t;
	assert(buf_len(&t->reply) == 0);
	t->server = SERVER_START;
	if (buf_len(&t->answers) > 0 || t->client == CLIENT_LOGOUT) {
		flush(f);
		tracker_flush_answers(t, f->sink);
		tracker_try_logout(t, f->sink);
	}
}

/* A line that was looked at whole, at the place where the next one begins. */
static void on_reply(struct feed *f, struct span line)
{
	enum fail why = tracker_on_reply(f->t, line);
	if (why != FAIL_NONE) {
		flush(f);
		tracker_fail(f->t, f->sink, why);
	}
}

/* As much of the end as `passed` would hold, whether the line came in one piece or in many. */
static struct span end_of_line(struct tracker *t, struct span text)
{
	if (text.n >= TAIL_MAX) {
		return span_slice(text, text.n - TAIL_MAX, text.n);
	}
	if (t->passed.n == 0) {
		return text;
	}
	tail_add(&t->passed, text);
	return tail_span(&t->passed);
}

/* Text of a data response has been passed on. */
static void on_data_text(struct feed *f, struct span text, bool is_line_end)
{
	struct tracker *t = f->t;
	bool is_known = t->dirt != NULL || enabled_has(buf_peek(&t->enabled), "CONDSTORE");
	if (!is_known && server_line_has_modseq(&t->passed, text)) {
		tracker_on_condstore(t);
	}
	if (!is_line_end) {
		tail_add(&t->passed, text);
		return;
	}
	struct literal literal;
	enum literal_form form = literal_header_server(span_chomp(end_of_line(t, text)), &literal);
	tail_clear(&t->passed);
	if (form == LITERAL_SYNC) {
		t->server_left = literal.size;
		t->server = literal.size > 0 ? SERVER_LITERAL : SERVER_DATA;
		return;
	}
	if (form == LITERAL_MALFORMED) {
		tracker_dirty(t, "odd-response");
	}
	end_response(f);
}

static void begin_data(struct tracker *t)
{
	tail_clear(&t->passed);
	t->server = SERVER_DATA;
}

/* Responses that show what the connection has become, whoever asked for it. */
static void look_at_word(struct tracker *t, struct span word)
{
	struct span class = buf_peek(&t->enabled);
	if (span_is_nocase(word, "VANISHED") && !enabled_has(class, "QRESYNC") &&
		!enabled_has(class, "UIDONLY")) {
		tracker_dirty(t, "vanished");
	} else if (span_is_nocase(word, "FLAGS") && t->selected == TRACKER_SELECTED_NO &&
		   t->in_flight.selecting == 0) {
		/* Every mailbox that is selected tells them. Cyrus takes the end of a line that it has
		 * refused for a command, whose reply can pass for that to another one. */
		tracker_dirty(t, "unselected");
	} else if (word.n == 0) {
		tracker_dirty(t, "odd-response");
	}
}

/* Who waits for a "+" is settled at its first byte: a command sent later cannot be meant. */
static void begin_plus(struct tracker *t)
{
	t->is_awaited = t->client == CLIENT_HELD || t->client == CLIENT_IDLE_ASKED;
	bool is_hidden = t->client == CLIENT_HELD && t->is_nonsync;
	t->server = is_hidden ? SERVER_SWALLOW : SERVER_TEXT;
	if (!t->is_awaited) {
		tracker_dirty(t, "stray-continuation");
	}
}

/* True when the response's kind is known and its state entered. */
static bool begin_response(struct tracker *t, struct span head)
{
	switch (server_line_kind(head)) {
	case SERVER_LINE_DATA:
		look_at_word(t, server_line_word(head));
		begin_data(t);
		return true;
	case SERVER_LINE_NUMBER:
		begin_data(t);
		return true;
	case SERVER_LINE_PLUS:
		begin_plus(t);
		return true;
	case SERVER_LINE_EMPTY:
		t->is_awaited = false;
		t->server = SERVER_TEXT;
		return true;
	case SERVER_LINE_CUT:
	case SERVER_LINE_STATUS:
		break;
	}
	return false;
}

/* What was gathered turned out to be no line to look at: it goes on its way. */
static void release_gathered(struct feed *f, bool is_line_end)
{
	struct tracker *t = f->t;
	struct buf gathered;
	buf_init(&gathered, TRACKER_MAX_SERVER_LINE);
	buf_move(&gathered, &t->reply);
	struct span text = buf_peek(&gathered);
	tracker_to_client(t, f->sink, text);
	if (t->server == SERVER_DATA) {
		on_data_text(f, text, is_line_end);
	} else if (is_line_end) {
		end_response(f);
	}
	buf_finish(&gathered);
}

/* A line too long to be looked at whole: its beginning has to do. */
static void on_long_line(struct feed *f)
{
	struct tracker *t = f->t;
	struct buf head;
	buf_init(&head, TRACKER_MAX_SERVER_LINE);
	buf_move(&head, &t->reply);
	tracker_dirty(t, "long-line");
	tracker_to_client(t, f->sink, buf_peek(&head));
	t->is_awaited = false;
	t->server = SERVER_TEXT;
	on_reply(f, buf_peek(&head));
	buf_finish(&head);
}

static void on_gathered_line(struct feed *f)
{
	struct tracker *t = f->t;
	struct buf line;
	buf_init(&line, TRACKER_MAX_SERVER_LINE);
	buf_move(&line, &t->reply);
	struct buf out;
	buf_init(&out, REWRITTEN_MAX);
	bool is_rewritten = tracker_rewrite(t, buf_peek(&line), &out);
	tracker_to_client(t, f->sink, buf_peek(is_rewritten ? &out : &line));
	on_reply(f, buf_peek(&line));
	buf_finish(&out);
	buf_finish(&line);
	end_response(f);
}

/* The first n bytes of the input are a line to look at. */
static void on_whole_line(struct feed *f, size_t n)
{
	struct span line = span_slice(f->in, 0, n);
	struct buf out;
	buf_init(&out, REWRITTEN_MAX);
	if (tracker_rewrite(f->t, line, &out)) {
		leave_out(f, n);
		tracker_to_client(f->t, f->sink, buf_peek(&out));
		buf_finish(&out);
	} else {
		pass(f, n);
	}
	on_reply(f, line);
	end_response(f);
}

static void gather(struct feed *f)
{
	struct tracker *t = f->t;
	bool is_whole;
	size_t n = line_length(f->in, &is_whole);
	size_t room = buf_free_space(&t->reply);
	bool is_long = n > room;
	bool added = buf_add(&t->reply, leave_out(f, is_long ? room : n));
	assert(added);
	(void)added;
	if (begin_response(t, buf_peek(&t->reply))) {
		release_gathered(f, is_whole && !is_long);
	} else if (is_long) {
		on_long_line(f);
	} else if (is_whole) {
		on_gathered_line(f);
	}
}

static void on_start(struct feed *f)
{
	struct tracker *t = f->t;
	if (buf_len(&t->reply) > 0) {
		gather(f);
		return;
	}
	if (begin_response(t, f->in)) {
		return;
	}
	bool is_whole;
	size_t n = line_length(f->in, &is_whole);
	if (!is_whole || n > TRACKER_MAX_SERVER_LINE) {
		gather(f);
		return;
	}
	on_whole_line(f, n);
}

static void on_data(struct feed *f)
{
	bool is_whole;
	size_t n = line_length(f->in, &is_whole);
	on_data_text(f, pass(f, n), is_whole);
}

static void on_literal(struct feed *f)
{
	struct tracker *t = f->t;
	assert(t->server_left > 0);
	size_t n = t->server_left < f->in.n ? (size_t)t->server_left : f->in.n;
	pass(f, n);
	t->server_left -= n;
	if (t->server_left == 0) {
		t->server = SERVER_DATA;
	}
}

static void on_text(struct feed *f)
{
	struct tracker *t = f->t;
	bool is_whole;
	size_t n = line_length(f->in, &is_whole);
	if (t->server == SERVER_SWALLOW) {
		leave_out(f, n);
	} else {
		pass(f, n);
	}
	if (!is_whole) {
		return;
	}
	if (t->is_awaited) {
		tracker_on_go_ahead(t, f->sink);
	}
	end_response(f);
}

static void step(struct feed *f)
{
	switch (f->t->server) {
	case SERVER_START:
		on_start(f);
		break;
	case SERVER_DATA:
		on_data(f);
		break;
	case SERVER_LITERAL:
		on_literal(f);
		break;
	case SERVER_TEXT:
	case SERVER_SWALLOW:
		on_text(f);
		break;
	}
}

static enum tracker_verdict verdict_of(struct tracker *t)
{
	if (t->client == CLIENT_FAILED) {
		return TRACKER_FAILED;
	}
	if (t->client == CLIENT_ENDED) {
		return TRACKER_LOGOUT;
	}
	if (t->has_bye) {
		t->has_bye = false;
		return TRACKER_SERVER_BYE;
	}
	if (t->is_blocked && !t->is_gone && tracker_can_read(t)) {
		t->is_blocked = false;
		return TRACKER_UNBLOCKED;
	}
	return TRACKER_MORE;
}

enum tracker_verdict tracker_server(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	assert(t->link == LINK_ATTACHED);
	struct feed f = {.t = t, .sink = sink, .in = *in, .run = in->p};
	while (f.in.n > 0 && t->client != CLIENT_ENDED && t->client != CLIENT_FAILED) {
		step(&f);
	}
	flush(&f);
	*in = f.in;
	return verdict_of(t);
}
