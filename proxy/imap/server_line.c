#include "server_line_priv.h"

#include <assert.h>

/* The longest word that matters: CAPABILITY. */
enum { WORD_MAX = 10 };

struct span server_line_word(struct span head)
{
	assert(head.n >= 2);
	struct span rest = span_slice(head, 2, head.n < 3 + WORD_MAX ? head.n : 3 + WORD_MAX);
	return span_take_until(&rest, " \r\n");
}

static bool is_line_word(struct span word)
{
	static const char *const words[] = {
		"OK", "NO", "BAD", "BYE", "PREAUTH", "CAPABILITY", "ENABLED"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (span_is_nocase(word, words[i])) {
			return true;
		}
	}
	return false;
}

static enum server_line untagged_kind(struct span head)
{
	if (head.n > 2 && head.p[2] >= '0' && head.p[2] <= '9') {
		return SERVER_LINE_NUMBER;
	}
	struct span word = server_line_word(head);
	if (word.n > WORD_MAX) {
		return SERVER_LINE_DATA;
	}
	if (word.n + 2 == head.n) {
		return SERVER_LINE_CUT;
	}
	return is_line_word(word) ? SERVER_LINE_STATUS : SERVER_LINE_DATA;
}

enum server_line server_line_kind(struct span head)
{
	assert(head.n > 0);
	switch (head.p[0]) {
	case '+':
		return SERVER_LINE_PLUS;
	case '\n':
		return SERVER_LINE_EMPTY;
	case '\r':
		if (head.n < 2) {
			return SERVER_LINE_CUT;
		}
		return head.p[1] == '\n' ? SERVER_LINE_EMPTY : SERVER_LINE_STATUS;
	case '*':
		if (head.n < 2) {
			return SERVER_LINE_CUT;
		}
		return head.p[1] == ' ' ? untagged_kind(head) : SERVER_LINE_STATUS;
	default:
		return SERVER_LINE_STATUS;
	}
}

static const char modseq[] = "MODSEQ (";
enum { MODSEQ_LEN = sizeof(modseq) - 1 };

/* Looked for by its last byte, which is rare. */
static bool has_modseq(struct span text)
{
	size_t end = 0;
	for (;;) {
		end += span_find(span_slice(text, end, text.n), '(');
		if (end == text.n) {
			return false;
		}
		end++;
		if (end >= MODSEQ_LEN &&
			span_is_nocase(span_slice(text, end - MODSEQ_LEN, end), modseq)) {
			return true;
		}
	}
}

bool server_line_has_modseq(const struct tail *before, struct span text)
{
	if (has_modseq(text)) {
		return true;
	}
	/* Over the seam between two reads. */
	struct tail seam = *before;
	tail_add(&seam, span_slice(text, 0, text.n < MODSEQ_LEN ? text.n : MODSEQ_LEN - 1));
	return before->n > 0 && has_modseq(tail_span(&seam));
}

void tail_clear(struct tail *t)
{
	t->n = 0;
}

void tail_add(struct tail *t, struct span s)
{
	if (s.n >= TAIL_MAX) {
		memcpy(t->bytes, s.p + s.n - TAIL_MAX, TAIL_MAX);
		t->n = TAIL_MAX;
		return;
	}
	size_t keep = t->n + s.n > TAIL_MAX ? TAIL_MAX - s.n : t->n;
	memmove(t->bytes, t->bytes + t->n - keep, keep);
	if (s.n > 0) {
		memcpy(t->bytes + keep, s.p, s.n);
	}
	t->n = (uint8_t)(keep + s.n);
	assert(t->n <= TAIL_MAX);
}

struct span tail_span(const struct tail *t)
{
	return span_of(t->bytes, t->n);
}
