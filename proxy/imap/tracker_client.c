#include <assert.h>

#include "line_end_priv.h"
#include "tracker_priv.h"

/*
 * A command's line is looked at when it is whole, and nothing of it goes out before: a line that lies
 * whole in the input is not copied. Octets of literals go out as they come. What cannot be decided
 * before the server has spoken stays in the caller's hands (BLOCKED).
 */

bool tracker_can_read(const struct tracker *t)
{
	switch (t->client) {
	case CLIENT_HELD:
	case CLIENT_IDLE_ASKED:
		return false;
	case CLIENT_LINE:
		/* There stays room for a command that has begun: only a whole line takes some. */
		return t->verb != NULL || (t->in_flight.count < TRACKER_MAX_IN_FLIGHT &&
						  tracker_has_room_for_answer(t));
	case CLIENT_LITERAL:
	case CLIENT_IDLE:
	case CLIENT_IDLE_HERE:
	case CLIENT_SWALLOW_LITERAL:
	case CLIENT_SWALLOW_LINE:
	case CLIENT_LOGOUT:
	case CLIENT_ENDED:
	case CLIENT_FAILED:
		break;
	}
	return true;
}

void tracker_expect_command(struct tracker *t)
{
	t->client = CLIENT_LINE;
	t->verb = NULL;
	t->text_used = 0;
	t->drained = 0;
	t->client_left = 0;
}

enum fail tracker_swallow(struct tracker *t, uint64_t octets)
{
	if (__builtin_add_overflow(t->drained, octets, &t->drained) ||
		t->drained > TRACKER_MAX_DRAIN) {
		return FAIL_CLIENT_PROTOCOL;
	}
	t->client = octets > 0 ? CLIENT_SWALLOW_LITERAL : CLIENT_SWALLOW_LINE;
	t->client_left = octets;
	t->verb = NULL;
	t->text_used = 0;
	tail_clear(&t->swallowed);
	return FAIL_NONE;
}

static struct span take(struct span *in, size_t n)
{
	struct span taken = {0};
	bool is_there = span_take_bytes(in, n, &taken);
	assert(is_there);
	(void)is_there;
	return taken;
}

/* The line is too long: what is there of it is looked at for its tag, then it is swallowed. */
static enum tracker_verdict begin_long_line(
	struct tracker *t, struct span *in, size_t room, const struct tracker_sink *sink)
{
	assert(room <= in->n);
	bool added = buf_add(&t->line, take(in, room));
	assert(added);
	(void)added;
	enum tracker_verdict verdict = tracker_on_long_line(t, buf_peek(&t->line), sink);
	if (verdict == TRACKER_MORE) {
		tracker_expect_command(t);
		t->client = CLIENT_SWALLOW_LINE;
		tail_clear(&t->swallowed);
		tail_add(&t->swallowed, buf_peek(&t->line));
	}
	buf_clear(&t->line);
	return verdict;
}

static enum tracker_verdict on_whole_line(
	struct tracker *t, struct span line, const struct tracker_sink *sink)
{
	struct span text = span_chomp(line);
	return tracker_on_line(t, text, line.n - text.n == 2, sink);
}

/* The first n bytes of the input end the line that was gathered. */
static enum tracker_verdict end_gathered_line(
	struct tracker *t, struct span *in, size_t n, const struct tracker_sink *sink)
{
	struct span before = *in;
	size_t gathered = buf_len(&t->line);
	struct buf line;
	buf_init(&line, t->max_line);
	buf_move(&line, &t->line);
	bool added = buf_add(&line, take(in, n));
	assert(added);
	enum tracker_verdict verdict = on_whole_line(t, buf_peek(&line), sink);
	if (verdict == TRACKER_ATTACH) {
		/* It will be read again. */
		*in = before;
		added = buf_add(&t->line, span_slice(buf_peek(&line), 0, gathered));
		assert(added);
	}
	(void)added;
	buf_finish(&line);
	return verdict;
}

static enum tracker_verdict read_line(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	size_t end = span_find(*in, '\n');
	bool is_whole = end < in->n;
	size_t n = is_whole ? end + 1 : end;
	assert(t->text_used <= t->max_line);
	size_t used = t->text_used + buf_len(&t->line);
	size_t room = used < t->max_line ? t->max_line - used : 0;
	if (n > room) {
		return begin_long_line(t, in, room, sink);
	}
	if (!is_whole) {
		bool added = buf_add(&t->line, take(in, n));
		assert(added);
		(void)added;
		return TRACKER_MORE;
	}
	if (buf_len(&t->line) > 0) {
		return end_gathered_line(t, in, n, sink);
	}
	struct span before = *in;
	enum tracker_verdict verdict = on_whole_line(t, take(in, n), sink);
	if (verdict == TRACKER_ATTACH) {
		*in = before;
	}
	return verdict;
}

/* A message is not repeated, but a name or URL beside it is, by a refusal. */
static void look_for_line_end(struct tracker *t, struct span octets)
{
	if (!line_end_may_be_in(octets)) {
		return;
	}
	if (t->verb->takes_messages) {
		in_flight_note_line_end(&t->in_flight);
	} else {
		tracker_dirty(t, "line-end");
	}
}

static enum tracker_verdict pass_literal(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	assert(t->client_left > 0 && t->verb != NULL);
	size_t n = t->client_left < in->n ? (size_t)t->client_left : in->n;
	struct span octets = take(in, n);
	look_for_line_end(t, octets);
	sink->to_server(sink->owner, octets);
	t->client_left -= n;
	if (t->client_left == 0) {
		t->client = CLIENT_LINE;
	}
	return TRACKER_MORE;
}

static enum tracker_verdict swallow_literal(struct tracker *t, struct span *in)
{
	assert(t->client_left > 0);
	size_t n = t->client_left < in->n ? (size_t)t->client_left : in->n;
	take(in, n);
	t->client_left -= n;
	if (t->client_left == 0) {
		t->client = CLIENT_SWALLOW_LINE;
		tail_clear(&t->swallowed);
	}
	return TRACKER_MORE;
}

/* Of a swallowed line only the end is known, so quotes are not: " {n+}" is believed. Malformed: more
 * digits than a header may have, so that nobody knows how many octets follow. */
static enum literal_form swallowed_header(struct span line, struct literal *out)
{
	if (line.n < 2 || memcmp(line.p + line.n - 2, "+}", 2) != 0) {
		return LITERAL_NONE;
	}
	size_t brace = line.n - 2;
	while (brace > 0 && line.p[brace - 1] >= '0' && line.p[brace - 1] <= '9') {
		brace--;
	}
	if (line.n - 2 - brace > LITERAL_DIGITS_MAX) {
		return LITERAL_MALFORMED;
	}
	size_t begin = brace > 1 ? brace - 2 : 0;
	begin -= begin > 0 && line.p[begin] == '~' ? 1 : 0;
	return literal_header(span_slice(line, begin, line.n), out) == LITERAL_NONSYNC
		       ? LITERAL_NONSYNC
		       : LITERAL_NONE;
}

static enum tracker_verdict swallow_line(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	size_t end = span_find(*in, '\n');
	bool is_whole = end < in->n;
	struct span part = take(in, is_whole ? end + 1 : end);
	t->drained += part.n;
	if (t->drained > TRACKER_MAX_DRAIN) {
		return tracker_fail(t, sink, FAIL_LINE_TOO_LONG);
	}
	tail_add(&t->swallowed, part);
	if (!is_whole) {
		return TRACKER_MORE;
	}
	struct literal literal;
	enum fail why = FAIL_CLIENT_PROTOCOL;
	switch (swallowed_header(span_chomp(tail_span(&t->swallowed)), &literal)) {
	case LITERAL_NONSYNC:
		why = tracker_swallow(t, literal.size);
		break;
	case LITERAL_MALFORMED:
		break;
	default:
		tracker_expect_command(t);
		return TRACKER_MORE;
	}
	return why == FAIL_NONE ? TRACKER_MORE : tracker_fail(t, sink, why);
}

static enum tracker_verdict step(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	if (t->link == LINK_WANTED) {
		return TRACKER_ATTACH;
	}
	if (!tracker_can_read(t)) {
		return TRACKER_BLOCKED;
	}
	switch (t->client) {
	case CLIENT_LINE:
	case CLIENT_IDLE:
	case CLIENT_IDLE_HERE:
		return read_line(t, in, sink);
	case CLIENT_LITERAL:
		return pass_literal(t, in, sink);
	case CLIENT_SWALLOW_LITERAL:
		return swallow_literal(t, in);
	case CLIENT_SWALLOW_LINE:
		return swallow_line(t, in, sink);
	case CLIENT_LOGOUT:
		take(in, in->n);
		return TRACKER_MORE;
	case CLIENT_HELD:
	case CLIENT_IDLE_ASKED:
	case CLIENT_ENDED:
	case CLIENT_FAILED:
		break;
	}
	return TRACKER_FAILED;
}

enum tracker_verdict tracker_client(
	struct tracker *t, struct span *in, const struct tracker_sink *sink)
{
	assert(!t->is_gone);
	enum tracker_verdict verdict = TRACKER_MORE;
	while (in->n > 0 && verdict == TRACKER_MORE && t->client != CLIENT_ENDED) {
		verdict = step(t, in, sink);
	}
	t->is_blocked = verdict == TRACKER_BLOCKED;
	if (t->client == CLIENT_ENDED) {
		take(in, in->n);
		return TRACKER_LOGOUT;
	}
	return t->client == CLIENT_FAILED ? TRACKER_FAILED : verdict;
}
