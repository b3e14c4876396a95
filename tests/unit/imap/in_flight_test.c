#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../../proxy/imap/in_flight_priv.h"

static struct span tag_number(char *text, int i, size_t length)
{
	memset(text, 'x', length);
	int n = snprintf(text, 8, "%d.", i);
	text[n] = 'x';
	return span_of(text, length);
}

/* As many as there may be, as long as they may be, taken out in another order. */
static void full_of_long_tags(void **state)
{
	(void)state;
	struct in_flight f = {0};
	char text[COMMAND_TAG_MAX + 8];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < TRACKER_MAX_IN_FLIGHT; i++) {
			struct span tag = tag_number(text, i, COMMAND_TAG_MAX);
			assert_false(in_flight_has(&f, tag));
			in_flight_add(&f, tag, i % 3);
			assert_true(in_flight_has_open(&f));
			in_flight_complete(&f);
			assert_false(in_flight_has_open(&f));
			assert_int_equal(f.count, i + 1);
		}
		assert_int_equal(f.selecting, 42);
		for (int i = 0; i < TRACKER_MAX_IN_FLIGHT; i++) {
			int which = i * 37 % TRACKER_MAX_IN_FLIGHT;
			struct in_flight_entry entry;
			struct span tag = tag_number(text, which, COMMAND_TAG_MAX);
			assert_true(in_flight_take(&f, tag, &entry));
			assert_int_equal(entry.kind, which % 3);
			assert_false(entry.is_open);
			assert_false(in_flight_take(&f, tag, &entry));
		}
		assert_int_equal(f.count, 0);
		assert_int_equal(f.selecting, 0);
		/* What a burst needed is given back. */
		assert_null(f.data);
	}
	in_flight_finish(&f);
}

static void one_tag_is_part_of_another(void **state)
{
	(void)state;
	struct in_flight f = {0};
	struct in_flight_entry entry;
	in_flight_add(&f, span_str("a1"), IN_FLIGHT_OTHER);
	in_flight_complete(&f);
	assert_false(in_flight_has(&f, span_str("a")));
	assert_false(in_flight_has(&f, span_str("a11")));
	assert_false(in_flight_has(&f, span_str("A1")));
	assert_false(in_flight_take(&f, span_str(""), &entry));
	in_flight_add(&f, span_str("a"), IN_FLIGHT_SELECT);
	assert_true(in_flight_take(&f, span_str("a"), &entry));
	assert_int_equal(entry.kind, IN_FLIGHT_SELECT);
	assert_true(entry.is_open);
	assert_true(in_flight_has(&f, span_str("a1")));
	in_flight_finish(&f);
}

static void a_line_end_is_of_the_open_command(void **state)
{
	(void)state;
	struct in_flight f = {0};
	struct in_flight_entry entry;
	in_flight_note_line_end(&f);
	in_flight_add(&f, span_str("a"), IN_FLIGHT_ENABLE);
	in_flight_complete(&f);
	in_flight_add(&f, span_str("b"), IN_FLIGHT_ENABLE);
	in_flight_note_line_end(&f);
	assert_true(in_flight_has_open(&f));
	in_flight_complete(&f);
	in_flight_note_line_end(&f);
	assert_true(in_flight_take(&f, span_str("a"), &entry));
	assert_false(entry.has_line_end);
	assert_true(in_flight_take(&f, span_str("b"), &entry));
	assert_true(entry.has_line_end);
	assert_false(entry.is_open);
	assert_int_equal(entry.kind, IN_FLIGHT_ENABLE);
	assert_int_equal(f.enabling, 0);
	in_flight_finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_of_long_tags),
		cmocka_unit_test(one_tag_is_part_of_another),
		cmocka_unit_test(a_line_end_is_of_the_open_command),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
