/*
 * A server of any bytes before a command of the proxy's own: the same verdict however the bytes are cut, never OK
 * without our tagged OK at the very end, and a class that is canonical. Input: is a mailbox selected, the
 * server's bytes.
 */
#include <stdlib.h>

#include "imap/errand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX "Px1."

static void must(bool held)
{
	if (!held) {
		abort();
	}
}

static void check_class(struct span class)
{
	struct buf again;
	enabled_init(&again);
	must(enabled_add(&again, class));
	must(span_equal(buf_peek(&again), class));
	must(enabled_covers(class, class));
	buf_finish(&again);
}

static enum errand_verdict play(bool is_selected, struct span in, size_t size)
{
	struct errand e;
	struct buf out;
	buf_init(&out, 4096);
	errand_begin(&e, PREFIX, span_str("ENABLE A"), is_selected, &out);
	enum errand_verdict verdict = ERRAND_MORE;
	while (in.n > 0 && verdict == ERRAND_MORE) {
		struct span piece;
		must(span_take_bytes(&in, in.n < size ? in.n : size, &piece));
		verdict = errand_feed(&e, &piece);
		must(verdict == ERRAND_FAILED || piece.n == 0);
	}
	/* Whoever has the connection then takes one more byte for the end of it. */
	if ((verdict == ERRAND_OK || verdict == ERRAND_REFUSED) && in.n > 0) {
		verdict = ERRAND_FAILED;
	}
	check_class(errand_enabled(&e));
	errand_finish(&e);
	buf_finish(&out);
	return verdict;
}

static bool ends_in_our_tag(struct span in)
{
	in = span_chomp(in);
	size_t begin = in.n;
	while (begin > 0 && in.p[begin - 1] != '\n') {
		begin--;
	}
	struct span last = span_slice(in, begin, in.n);
	size_t tag = strlen(PREFIX "E ");
	return last.n > tag && span_equal(span_of(last.p, tag), span_str(PREFIX "E "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) {
		return 0;
	}
	struct span in = span_of(data + 1, size - 1);
	enum errand_verdict whole = play(data[0] & 1, in, SIZE_MAX);
	must(play(data[0] & 1, in, 1) == whole);
	must(play(data[0] & 1, in, 7) == whole);
	if (whole == ERRAND_OK || whole == ERRAND_REFUSED) {
		must(ends_in_our_tag(in));
	}
	return 0;
}
