/*
 * Password files: any bytes, in pieces of any size, give the same table and the same errors; what was
 * taken can be used.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/passfile.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct passtable *read_pieces(
	const uint8_t *data, size_t size, size_t piece, struct config_errors *errors)
{
	struct passtable *t = passtable_create();
	struct passfile *f = passfile_create("users.pw", t, errors);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = piece < size - at ? piece : size - at;
		passfile_feed(f, span_of(data + at, n));
	}
	bool is_good = passfile_end(f);
	assert(is_good == (errors->count == 0));
	passfile_destroy(&f);
	return t;
}

/* What stands before each colon is looked up in both tables. */
static void compare(const struct passtable *a, const struct passtable *b, struct span input)
{
	assert(passtable_count(a) == passtable_count(b));
	while (input.n > 0) {
		struct span word = span_take_until(&input, ":\n");
		unsigned schemes = passtable_schemes(a, word);
		assert(schemes == passtable_schemes(b, word));
		for (enum scheme scheme = 0; scheme < SCHEME_COUNT; scheme++) {
			struct passtable_entry in_a, in_b;
			bool has = (schemes & SCHEME_BIT(scheme)) != 0;
			assert(passtable_find(a, word, scheme, &in_a) == has);
			assert(passtable_find(b, word, scheme, &in_b) == has);
			assert(!has || (span_equal(in_a.value, in_b.value) && in_a.value.n > 0));
			assert(!has || span_equal_nocase(in_a.user, word));
		}
		if (input.n > 0) {
			input = span_slice(input, 1, input.n);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) {
		return 0;
	}
	log_setup(LOG_ERROR, LOG_LOGFMT);
	struct config_errors whole_errors = {0}, piece_errors = {0};
	struct passtable *whole = read_pieces(data + 1, size - 1, size, &whole_errors);
	struct passtable *pieces = read_pieces(data + 1, size - 1, 1 + data[0], &piece_errors);
	assert(whole_errors.count == piece_errors.count);
	for (size_t i = 0; i < whole_errors.count; i++) {
		assert(strcmp(whole_errors.lines[i], piece_errors.lines[i]) == 0);
	}
	compare(whole, pieces, span_of(data + 1, size - 1));
	passtable_destroy(&whole);
	passtable_destroy(&pieces);
	config_errors_finish(&whole_errors);
	config_errors_finish(&piece_errors);
	return 0;
}
