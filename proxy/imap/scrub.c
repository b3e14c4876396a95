#include "imap/scrub.h"

#include <assert.h>
#include <stdio.h>

#include "imap/enabled.h"
#include "imap/lexer.h"

/*
 *	NOOP ------------------------> DONE      nothing is selected
 *	UNSELECT --------------------> DONE      something is, or may be
 *	EXAMINE --> CLOSE -----------> DONE      the same without UNSELECT (Courier)
 *	      ... --> ENABLE --------> DONE      any of them, and CONDSTORE is to be enabled
 *
 * Any step fails on: another tag, NO, BAD, "+", BYE, a response that cannot come in this state, an
 * empty line, more than SCRUB_MAX_INPUT bytes, or a byte behind the last OK.
 */
enum scrub_step { STEP_NOOP, STEP_UNSELECT, STEP_EXAMINE, STEP_CLOSE, STEP_ENABLE, STEP_DONE };

static void set_tag(struct scrub *s, const char *prefix, enum scrub_step step)
{
	/* The number tells the steps apart: a late reply to one cannot pass for another's. */
	int n = snprintf(s->tag, sizeof(s->tag), "%s%d", prefix, (int)step + 1);
	assert(n > 0);
	assert((size_t)n < sizeof(s->tag));
	s->step = (int)step;
}

static void begin(struct scrub *s, const char *tag_prefix, enum scrub_step step)
{
	*s = (struct scrub){0};
	buf_init(&s->line, SCRUB_MAX_INPUT);
	set_tag(s, tag_prefix, step);
}

/* An astring that can be sent again in one line, and that all servers read alike. */
static bool is_astring(struct span name)
{
	bool is_quoted = name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"';
	struct span inside = is_quoted ? span_slice(name, 1, name.n - 1) : name;
	if (!is_quoted && name.n == 0) {
		return false;
	}
	for (size_t i = 0; i < inside.n; i++) {
		uint8_t c = inside.p[i];
		if (c < ' ' || c == 0x7f) {
			return false;
		}
		if (!is_quoted && (c > 0x7f || strchr(" (){%*\"\\", c) != NULL)) {
			return false;
		}
		if (is_quoted && c == '"') {
			return false;
		}
		if (is_quoted && c == '\\' && ++i >= inside.n) {
			return false;
		}
	}
	return true;
}

/* The first command, or why there is none. */
static bool first_step(enum tracker_selected selected, struct span mailbox, bool has_unselect,
	bool must_enable, enum scrub_step *out)
{
	if (selected == TRACKER_SELECTED_NO) {
		*out = must_enable ? STEP_ENABLE : STEP_NOOP;
	} else if (has_unselect) {
		*out = STEP_UNSELECT;
	} else if (selected == TRACKER_SELECTED_YES && is_astring(mailbox)) {
		*out = STEP_EXAMINE;
	} else {
		/* Unknown: if nothing is selected after all, EXAMINE would do no harm, but it would
		 * also prove nothing about the name. */
		return false;
	}
	return true;
}

static bool write_command(const struct scrub *s, struct span mailbox, struct buf *out)
{
	switch ((enum scrub_step)s->step) {
	case STEP_NOOP:
		return buf_addf(out, "%s NOOP\r\n", s->tag);
	case STEP_UNSELECT:
		return buf_addf(out, "%s UNSELECT\r\n", s->tag);
	case STEP_EXAMINE:
		return buf_addf(out, "%s EXAMINE %.*s\r\n", s->tag, SPAN_ARG(mailbox));
	case STEP_CLOSE:
		return buf_addf(out, "%s CLOSE\r\n", s->tag);
	case STEP_ENABLE:
		return buf_addf(out, "%s ENABLE CONDSTORE\r\n", s->tag);
	case STEP_DONE:
		break;
	}
	return false;
}

bool scrub_begin(struct scrub *s, const char *tag_prefix, enum tracker_selected selected,
	struct span mailbox, bool has_unselect, bool must_enable_condstore, struct buf *out)
{
	enum scrub_step step;
	if (!first_step(selected, mailbox, has_unselect, must_enable_condstore, &step)) {
		return false;
	}
	begin(s, tag_prefix, step);
	s->must_enable = must_enable_condstore;
	return write_command(s, mailbox, out);
}

void scrub_begin_check(struct scrub *s, const char *tag_prefix, struct buf *out)
{
	begin(s, tag_prefix, STEP_NOOP);
	bool has_room = buf_addf(out, "%s NOOP\r\n", s->tag);
	assert(has_room);
	(void)has_room;
}

void scrub_finish(struct scrub *s)
{
	buf_finish(&s->line);
}

static enum scrub_verdict go_on(struct scrub *s, enum scrub_step step, struct buf *out)
{
	char prefix[SCRUB_TAG_MAX];
	size_t n = strlen(s->tag) - 1;
	memcpy(prefix, s->tag, n);
	prefix[n] = '\0';
	set_tag(s, prefix, step);
	return write_command(s, (struct span){0}, out) ? SCRUB_MORE : SCRUB_FAILED;
}

static enum scrub_verdict next_step(struct scrub *s, struct span reply, struct buf *out)
{
	if (s->step == STEP_EXAMINE) {
		/* CLOSE of a mailbox that is open for writing would expunge: the server must have said
		 * that it is not (RFC 9051 section 6.3.3 demands it). */
		return span_starts_nocase(reply, "[READ-ONLY]") ? go_on(s, STEP_CLOSE, out)
								: SCRUB_FAILED;
	}
	if (s->must_enable && s->step != STEP_ENABLE) {
		return go_on(s, STEP_ENABLE, out);
	}
	s->step = STEP_DONE;
	return SCRUB_CLEAN;
}

static enum scrub_verdict on_tagged(struct scrub *s, struct span line, struct buf *out)
{
	struct span tag = span_take_until(&line, " ");
	if (!span_is(tag, s->tag) || !span_take(&line, ' ')) {
		return SCRUB_FAILED;
	}
	if (!span_is_nocase(span_take_until(&line, " "), "OK")) {
		return SCRUB_FAILED;
	}
	span_take(&line, ' ');
	return next_step(s, line, out);
}

static bool is_status(struct span word)
{
	return span_is_nocase(word, "OK") || span_is_nocase(word, "NO");
}

/* Responses that show a session other than the one we think of. */
static bool is_alarming(const struct scrub *s, struct span word, struct span rest)
{
	if (span_is_nocase(word, "BYE") || span_is_nocase(word, "BAD") ||
		span_is_nocase(word, "PREAUTH")) {
		return true;
	}
	if (span_is_nocase(word, "ENABLED")) {
		return s->step != STEP_ENABLE || !enabled_covers(span_str("CONDSTORE"), rest);
	}
	/* With nothing selected nobody counts messages; an unasked STATUS comes from NOTIFY. */
	bool is_number = word.n > 0 && word.p[0] >= '0' && word.p[0] <= '9';
	return (s->step == STEP_NOOP || s->step == STEP_ENABLE) &&
	       (is_number || span_is_nocase(word, "VANISHED") || span_is_nocase(word, "STATUS") ||
		       span_is_nocase(word, "FLAGS"));
}

/* The end of a line of a data response: does a literal follow? */
static enum scrub_verdict on_data_end(struct scrub *s, struct span line)
{
	struct literal literal;
	enum literal_form form = literal_header_server(line, &literal);
	s->is_inside = form == LITERAL_SYNC;
	if (form == LITERAL_SYNC) {
		s->literal_left = literal.size;
	}
	return form == LITERAL_MALFORMED ? SCRUB_FAILED : SCRUB_MORE;
}

static enum scrub_verdict on_line(struct scrub *s, struct span line, struct buf *out)
{
	if (s->is_inside) {
		return on_data_end(s, line);
	}
	struct span rest = line;
	if (!span_take_nocase(&rest, "* ")) {
		return on_tagged(s, line, out);
	}
	struct span word = span_take_until(&rest, " ");
	if (word.n == 0 || is_alarming(s, word, rest)) {
		return SCRUB_FAILED;
	}
	return is_status(word) ? SCRUB_MORE : on_data_end(s, line);
}

static void skip_literal(struct scrub *s, struct span *in)
{
	struct span skipped;
	size_t n = s->literal_left < in->n ? (size_t)s->literal_left : in->n;
	bool taken = span_take_bytes(in, n, &skipped);
	assert(taken);
	(void)taken;
	s->literal_left -= n;
}

/* Takes bytes up to a line end; true when a line is whole in s->line. */
static bool take_line(struct scrub *s, struct span *in)
{
	size_t end = span_find(*in, '\n');
	struct span part;
	bool is_whole = end < in->n;
	bool taken = span_take_bytes(in, is_whole ? end + 1 : end, &part);
	assert(taken);
	(void)taken;
	/* Cannot fail: seen bounds all input, and the cap is the same. */
	bool added = buf_add(&s->line, part);
	assert(added);
	(void)added;
	return is_whole;
}

enum scrub_verdict scrub_feed(struct scrub *s, struct span *in, struct buf *out)
{
	assert(s->step != STEP_DONE);
	if (__builtin_add_overflow(s->seen, in->n, &s->seen) || s->seen > SCRUB_MAX_INPUT) {
		return SCRUB_FAILED;
	}
	while (in->n > 0) {
		if (s->literal_left > 0) {
			skip_literal(s, in);
			continue;
		}
		if (!take_line(s, in)) {
			break;
		}
		enum scrub_verdict verdict = on_line(s, span_chomp(buf_peek(&s->line)), out);
		buf_clear(&s->line);
		if (verdict == SCRUB_CLEAN) {
			return in->n == 0 ? SCRUB_CLEAN : SCRUB_FAILED;
		}
		if (verdict == SCRUB_FAILED) {
			return SCRUB_FAILED;
		}
	}
	return SCRUB_MORE;
}
