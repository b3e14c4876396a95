#include "imap/enable.h"

#include <assert.h>
#include <stdio.h>

void enable_begin(struct enable *e, const char *tag_prefix, struct span words, struct buf *out)
{
	assert(words.n > 0);
	*e = (struct enable){0};
	response_reader_init(&e->reader, ENABLE_MAX_INPUT);
	enabled_init(&e->enabled);
	int n = snprintf(e->tag, sizeof(e->tag), "%sE", tag_prefix);
	assert(n > 0 && (size_t)n < sizeof(e->tag));
	(void)n;
	bool has_room = buf_addf(out, "%s ENABLE %.*s\r\n", e->tag, SPAN_ARG(words));
	assert(has_room);
	(void)has_room;
}

static bool is_data_of(const struct response *r, const char *word)
{
	return r->status == RESPONSE_DATA && span_is_nocase(r->word, word);
}

/* What cannot be said to somebody who has selected nothing, as in scrub.c. */
static bool is_alarming(const struct response *r)
{
	if (r->status == RESPONSE_BYE || r->status == RESPONSE_BAD ||
		r->status == RESPONSE_PREAUTH) {
		return true;
	}
	bool is_number = r->word.n > 0 && r->word.p[0] >= '0' && r->word.p[0] <= '9';
	return r->word.n == 0 || is_number || is_data_of(r, "VANISHED") ||
	       is_data_of(r, "STATUS") || is_data_of(r, "FLAGS");
}

static enum enable_verdict on_untagged(struct enable *e, const struct response *r)
{
	if (is_alarming(r)) {
		return ENABLE_FAILED;
	}
	/* A class that we cannot write down is one that nobody may get. */
	bool is_taken = !is_data_of(r, "ENABLED") || enabled_add(&e->enabled, r->text);
	return is_taken ? ENABLE_MORE : ENABLE_FAILED;
}

static enum enable_verdict on_line(struct enable *e, struct span line)
{
	struct response r = response_parse(line);
	switch (r.kind) {
	case RESPONSE_EMPTY:
		return ENABLE_MORE; /* Cyrus, before a BAD */
	case RESPONSE_UNTAGGED:
		return on_untagged(e, &r);
	case RESPONSE_CONTINUE:
		return ENABLE_FAILED;
	case RESPONSE_TAGGED:
		break;
	}
	bool is_status =
		r.status == RESPONSE_OK || r.status == RESPONSE_NO || r.status == RESPONSE_BAD;
	return is_status && response_is_tagged(&r, e->tag) ? ENABLE_DONE : ENABLE_FAILED;
}

enum enable_verdict enable_feed(struct enable *e, struct span *in)
{
	if (__builtin_add_overflow(e->seen, in->n, &e->seen) || e->seen > ENABLE_MAX_INPUT) {
		return ENABLE_FAILED;
	}
	while (in->n > 0) {
		struct span line;
		switch (response_reader_feed(&e->reader, in, &line)) {
		case RESPONSE_READ_MORE:
			return ENABLE_MORE;
		case RESPONSE_READ_TOO_LONG:
			return ENABLE_FAILED;
		case RESPONSE_READ_LINE:
			break;
		}
		enum enable_verdict verdict = on_line(e, line);
		if (verdict == ENABLE_DONE) {
			return in->n == 0 ? ENABLE_DONE : ENABLE_FAILED;
		}
		if (verdict == ENABLE_FAILED) {
			return ENABLE_FAILED;
		}
	}
	return ENABLE_MORE;
}

struct span enable_result(const struct enable *e)
{
	return buf_peek(&e->enabled);
}

void enable_finish(struct enable *e)
{
	response_reader_finish(&e->reader);
	buf_finish(&e->enabled);
}
