/*
 * Map files: any bytes, in pieces of any size, give the same table and the same errors; what is found is
 * what stands in a line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "route/login.h"
#include "route/table.h"
#include "route/userfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find_target(const void *owner, const char *name, unsigned *number)
{
	(void)owner;
	*number = (unsigned)strlen(name);
	return name[0] == 'm';
}

static const char *near_miss(const void *owner, const char *name)
{
	(void)owner;
	return name[0] == 'n' ? "mail1" : NULL;
}

static struct usertable *read_pieces(
	const uint8_t *data, size_t size, size_t piece, struct config_errors *errors)
{
	struct userfile_targets targets = {find_target, near_miss, NULL};
	struct usertable *t = usertable_create();
	struct userfile *f = userfile_create("users.map", targets, t, errors);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = piece < size - at ? piece : size - at;
		userfile_feed(f, span_of(data + at, n));
	}
	bool is_good = userfile_end(f);
	assert(is_good == (errors->count == 0));
	userfile_destroy(&f);
	return t;
}

/* Every word of the input is looked up in both tables. */
static void compare(const struct usertable *a, const struct usertable *b, struct span input)
{
	assert(usertable_count(a) == usertable_count(b));
	while (input.n > 0) {
		struct span word = span_take_until(&input, " \t\n");
		struct usertable_entry in_a, in_b;
		bool is_in_a = usertable_find(a, word, &in_a);
		assert(is_in_a == usertable_find(b, word, &in_b));
		if (is_in_a) {
			const char *why;
			assert(span_equal_nocase(in_a.user, word) && word.n <= ROUTE_USER_MAX);
			assert(span_equal(in_a.login, in_b.login) && in_a.line == in_b.line);
			assert(login_check(in_a.login, 0, &why));
			free(login_expand(in_a.login, word, NULL));
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
	struct usertable *whole = read_pieces(data + 1, size - 1, size, &whole_errors);
	struct usertable *pieces = read_pieces(data + 1, size - 1, 1 + data[0], &piece_errors);
	assert(whole_errors.count == piece_errors.count);
	for (size_t i = 0; i < whole_errors.count; i++) {
		assert(strcmp(whole_errors.lines[i], piece_errors.lines[i]) == 0);
	}
	compare(whole, pieces, span_of(data + 1, size - 1));
	usertable_destroy(&whole);
	usertable_destroy(&pieces);
	config_errors_finish(&whole_errors);
	config_errors_finish(&piece_errors);
	return 0;
}
