/* A server of any bytes before a scrub. Input: the way of the scrub, the server's bytes. */
#include <stdlib.h>

#include "imap/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX "Px1."

static void must(bool held)
{
	if (!held) {
		abort();
	}
}

/* The verdict, and what was sent. The server's bytes come in pieces of the size. */
static enum scrub_verdict play(uint8_t way, struct span in, size_t size, struct buf *out)
{
	struct scrub s;
	if (way % 4 == 0) {
		scrub_begin_check(&s, PREFIX, out);
	} else {
		enum tracker_selected selected =
			way % 4 == 1 ? TRACKER_SELECTED_NO : TRACKER_SELECTED_YES;
		must(scrub_begin(
			&s, PREFIX, selected, span_str("\"a b\""), way % 4 == 2, way >= 8, out));
	}
	enum scrub_verdict verdict = SCRUB_MORE;
	while (in.n > 0 && verdict == SCRUB_MORE) {
		struct span piece;
		must(span_take_bytes(&in, in.n < size ? in.n : size, &piece));
		verdict = scrub_feed(&s, &piece, out);
		must(verdict == SCRUB_FAILED || piece.n == 0);
	}
	/* Whoever has a clean connection takes one more byte for the end of it. */
	if (verdict == SCRUB_CLEAN && in.n > 0) {
		verdict = SCRUB_FAILED;
	}
	scrub_finish(&s);
	return verdict;
}

static bool ends_in_our_ok(uint8_t way, struct span in)
{
	static const char *const tags[] = {
		PREFIX "1 ok", PREFIX "1 ok", PREFIX "2 ok", PREFIX "4 ok", PREFIX "5 ok"};
	size_t which = way >= 8 && way % 4 != 0 ? 4 : way % 4;
	in = span_chomp(in);
	size_t begin = in.n;
	while (begin > 0 && in.p[begin - 1] != '\n') {
		begin--;
	}
	/* Of the tag the case counts. */
	struct span last = span_slice(in, begin, in.n);
	size_t tag = strlen(PREFIX "1");
	return last.n > tag && span_equal(span_of(last.p, tag), span_of(tags[which], tag)) &&
	       span_starts_nocase(last, tags[which]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct span way;
	if (!span_take_bytes(&in, 1, &way)) {
		return -1;
	}
	struct buf one, other;
	buf_init(&one, 1000);
	buf_init(&other, 1000);
	enum scrub_verdict verdict = play(way.p[0], in, SIZE_MAX, &one);
	must(play(way.p[0], in, 1, &other) == verdict);
	/* A server that fails sees at most the first command of one who reads faster. */
	must(verdict == SCRUB_FAILED || span_equal(buf_peek(&one), buf_peek(&other)));
	must(verdict != SCRUB_CLEAN || ends_in_our_ok(way.p[0], in));
	buf_finish(&one);
	buf_finish(&other);
	return 0;
}
