#include "imap/enabled.h"

#include <assert.h>

#include "imap/capability.h"

/* A class while it is being put together. */
struct text {
	uint8_t bytes[ENABLED_MAX];
	size_t n;
};

static bool next_word(struct span *list, struct span *word)
{
	while (span_take(list, ' ')) {
		continue;
	}
	*word = span_take_until(list, " ");
	return word->n > 0;
}

/* Capabilities are atoms without "]" (RFC 9051 section 9). */
static bool is_word(struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		uint8_t c = word.p[i];
		if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL) {
			return false;
		}
	}
	return true;
}

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

/* Below, equal to or above zero, in the order of the text. */
static int compare(struct span in_text, struct span word)
{
	for (size_t i = 0; i < in_text.n && i < word.n; i++) {
		int difference = (int)in_text.p[i] - (int)upper(word.p[i]);
		if (difference != 0) {
			return difference;
		}
	}
	return (in_text.n > word.n) - (in_text.n < word.n);
}

/* Puts the word and its space before the byte at `at`, or behind a space at the end. */
static bool insert(struct text *t, size_t at, struct span word)
{
	bool is_first = t->n == 0;
	size_t more = word.n + (is_first ? 0 : 1);
	if (more > sizeof t->bytes - t->n) {
		return false;
	}
	bool is_last = at == t->n;
	memmove(t->bytes + at + more, t->bytes + at, t->n - at);
	uint8_t *p = t->bytes + at;
	if (is_last && !is_first) {
		*p++ = ' ';
	}
	for (size_t i = 0; i < word.n; i++) {
		*p++ = upper(word.p[i]);
	}
	if (!is_last) {
		*p = ' ';
	}
	t->n += more;
	return true;
}

static bool add_word(struct text *t, struct span word)
{
	struct span rest = span_of(t->bytes, t->n);
	struct span there;
	while (next_word(&rest, &there)) {
		int order = compare(there, word);
		if (order == 0) {
			return true;
		}
		if (order > 0) {
			return insert(t, (size_t)(there.p - t->bytes), word);
		}
	}
	return insert(t, t->n, word);
}

static bool add_words(struct text *t, struct span words)
{
	struct span word;
	while (next_word(&words, &word)) {
		if (!is_word(word) || !add_word(t, word)) {
			return false;
		}
		if (span_is_nocase(word, "QRESYNC") && !add_word(t, span_str("CONDSTORE"))) {
			return false;
		}
	}
	return true;
}

void enabled_init(struct buf *set)
{
	buf_init(set, ENABLED_MAX);
}

bool enabled_add(struct buf *set, struct span words)
{
	struct text t = {0};
	struct span old = buf_peek(set);
	assert(old.n <= sizeof t.bytes);
	if (old.n > 0) {
		memcpy(t.bytes, old.p, old.n);
		t.n = old.n;
	}
	if (!add_words(&t, words)) {
		return false;
	}
	if (t.n == old.n) {
		return true; /* words are only ever added */
	}
	buf_clear(set);
	return buf_add(set, span_of(t.bytes, t.n));
}

bool enabled_has(struct span class, const char *word)
{
	return capability_has(class, word);
}

static bool has(struct span class, struct span word)
{
	struct span there;
	while (next_word(&class, &there)) {
		if (compare(there, word) == 0) {
			return true;
		}
	}
	return false;
}

bool enabled_covers(struct span class, struct span words)
{
	struct span word;
	while (next_word(&words, &word)) {
		if (!has(class, word)) {
			return false;
		}
	}
	return true;
}

bool enabled_write_common(struct buf *out, struct span class, struct span words)
{
	struct text common = {0};
	struct span word;
	while (next_word(&words, &word)) {
		if (has(class, word) && !add_words(&common, word)) {
			return false;
		}
	}
	if (common.n == 0) {
		return true;
	}
	bool has_room = buf_free_space(out) > common.n;
	return has_room && buf_add_str(out, " ") && buf_add(out, span_of(common.bytes, common.n));
}
