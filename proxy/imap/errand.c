#include "imap/errand.h"

#include <assert.h>
#include <stdio.h>

void errand_begin(struct errand *e, const char *tag_prefix, struct span command, bool is_selected,
	struct buf *out)
{
	assert(command.n > 0);
	*e = (struct errand){.is_selected = is_selected};
	response_reader_init(&e->reader, ERRAND_MAX_LINE);
	enabled_init(&e->enabled);
	buf_init(&e->capabilities, ERRAND_MAX_LINE);
	int n = snprintf(e->tag, sizeof(e->tag), "%sE", tag_prefix);
	assert(n > 0 && (size_t)n < sizeof(e->tag));
	(void)n;
	bool has_room = buf_addf(out, "%s %.*s\r\n", e->tag, SPAN_ARG(command));
	assert(has_room);
	(void)has_room;
}

static bool is_data_of(const struct response *r, const char *word)
{
	return r->status == RESPONSE_DATA && span_is_nocase(r->word, word);
}

/* Responses that show a session other than the one we think of, as in scrub.c. */
static bool is_alarming(const struct errand *e, const struct response *r)
{
	if (r->word.n == 0 || r->status == RESPONSE_BYE || r->status == RESPONSE_BAD ||
		r->status == RESPONSE_PREAUTH) {
		return true;
	}
	if (e->is_selected) {
		return false;
	}
	/* With nothing selected nobody counts messages; an unasked STATUS comes from NOTIFY. */
	bool is_number = r->word.p[0] >= '0' && r->word.p[0] <= '9';
	return is_number || is_data_of(r, "VANISHED") || is_data_of(r, "STATUS") ||
	       is_data_of(r, "FLAGS");
}

static void take_capabilities(struct errand *e, const struct response *r)
{
	bool is_code = r->status == RESPONSE_OK && span_is_nocase(r->code, "CAPABILITY");
	if (!is_code && !is_data_of(r, "CAPABILITY")) {
		return;
	}
	buf_clear(&e->capabilities);
	bool is_added = buf_add(&e->capabilities, is_code ? r->code_args : r->text);
	assert(is_added); /* no line is longer */
	(void)is_added;
}

static enum errand_verdict on_untagged(struct errand *e, const struct response *r)
{
	if (is_alarming(e, r)) {
		return ERRAND_FAILED;
	}
	take_capabilities(e, r);
	/* A class that we cannot write down is one that nobody may get. */
	bool is_taken = !is_data_of(r, "ENABLED") || enabled_add(&e->enabled, r->text);
	return is_taken ? ERRAND_MORE : ERRAND_FAILED;
}

static enum errand_verdict on_tagged(struct errand *e, const struct response *r)
{
	if (!response_is_tagged(r, e->tag)) {
		return ERRAND_FAILED;
	}
	switch (r->status) {
	case RESPONSE_OK:
		take_capabilities(e, r);
		return ERRAND_OK;
	case RESPONSE_NO:
	case RESPONSE_BAD:
		return ERRAND_REFUSED;
	default:
		return ERRAND_FAILED;
	}
}

static enum errand_verdict on_line(struct errand *e, struct span line)
{
	struct response r = response_parse(line);
	switch (r.kind) {
	case RESPONSE_EMPTY:
		return ERRAND_MORE; /* Cyrus, before a BAD */
	case RESPONSE_UNTAGGED:
		return on_untagged(e, &r);
	case RESPONSE_CONTINUE:
		break;
	case RESPONSE_TAGGED:
		return on_tagged(e, &r);
	}
	return ERRAND_FAILED;
}

enum errand_verdict errand_feed(struct errand *e, struct span *in)
{
	if (__builtin_add_overflow(e->seen, in->n, &e->seen) || e->seen > ERRAND_MAX_INPUT) {
		return ERRAND_FAILED;
	}
	while (in->n > 0) {
		struct span line;
		switch (response_reader_feed(&e->reader, in, &line)) {
		case RESPONSE_READ_MORE:
			return ERRAND_MORE;
		case RESPONSE_READ_TOO_LONG:
			return ERRAND_FAILED;
		case RESPONSE_READ_LINE:
			break;
		}
		enum errand_verdict verdict = on_line(e, line);
		if (verdict == ERRAND_OK || verdict == ERRAND_REFUSED) {
			return in->n == 0 ? verdict : ERRAND_FAILED;
		}
		if (verdict == ERRAND_FAILED) {
			return ERRAND_FAILED;
		}
	}
	return ERRAND_MORE;
}

struct span errand_enabled(const struct errand *e)
{
	return buf_peek(&e->enabled);
}

struct span errand_capabilities(const struct errand *e)
{
	return buf_peek(&e->capabilities);
}

void errand_finish(struct errand *e)
{
	response_reader_finish(&e->reader);
	buf_finish(&e->enabled);
	buf_finish(&e->capabilities);
}
