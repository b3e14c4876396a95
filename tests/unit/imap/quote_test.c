#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "imap/lexer.h"
#include "imap/quote.h"

static void quoted(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", "a X \"\"\r\n"},
		{"NIL", "a X \"NIL\"\r\n"},
		{"p w", "a X \"p w\"\r\n"},
		{"p\"w\\", "a X \"p\\\"w\\\\\"\r\n"},
		{"{5}", "a X \"{5}\"\r\n"},
		{"%n%s", "a X \"%n%s\"\r\n"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct quote q;
		struct buf out;
		buf_init(&out, 4096);
		quote_begin(&q, "a X");
		assert_true(quote_astring(&q, span_str(rows[i][0])));
		quote_end(&q);
		assert_false(quote_is_sent(&q));
		assert_true(quote_send(&q, &out));
		assert_true(quote_is_sent(&q));
		assert_true(span_is(buf_peek(&out), rows[i][1]));
		buf_finish(&out);
		quote_finish(&q);
	}
}

static void literals_wait(void **state)
{
	(void)state;
	struct quote q;
	struct buf out;
	buf_init(&out, 4096);
	quote_begin(&q, "a LOGIN");
	assert_true(quote_astring(&q, span_str("u\r\nb NOOP")));
	assert_true(quote_astring(&q, span_str("\xc3\xa4")));
	quote_end(&q);
	assert_true(quote_send(&q, &out));
	assert_true(span_is(buf_peek(&out), "a LOGIN {9}\r\n"));
	assert_false(quote_is_sent(&q));
	assert_true(quote_send(&q, &out));
	assert_true(span_is(buf_peek(&out), "a LOGIN {9}\r\nu\r\nb NOOP {2}\r\n"));
	assert_false(quote_is_sent(&q));
	assert_true(quote_send(&q, &out));
	assert_true(span_is(buf_peek(&out), "a LOGIN {9}\r\nu\r\nb NOOP {2}\r\n\xc3\xa4\r\n"));
	assert_true(quote_is_sent(&q));
	buf_finish(&out);
	quote_finish(&q);
}

static void what_may_stand_in_quotes(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		assert_int_equal(quote_is_quotable(span_of(&byte, 1)), c >= ' ' && c < 0x7f);
	}
	static uint8_t text[QUOTE_QUOTED_MAX + 1];
	memset(text, 'x', sizeof(text));
	assert_true(quote_is_quotable(span_of(text, QUOTE_QUOTED_MAX)));
	assert_false(quote_is_quotable(span_of(text, QUOTE_QUOTED_MAX + 1)));
	assert_true(quote_is_quotable(span_of(text, 0)));
}

static void lines_wait(void **state)
{
	(void)state;
	struct quote q;
	struct buf out;
	buf_init(&out, 4096);
	quote_begin(&q, "a AUTHENTICATE PLAIN");
	quote_wait(&q);
	assert_true(buf_add_str(&q.text, "AHUAcA=="));
	quote_end(&q);
	assert_true(quote_send(&q, &out));
	assert_true(span_is(buf_peek(&out), "a AUTHENTICATE PLAIN\r\n"));
	assert_false(quote_is_sent(&q));
	buf_clear(&out);
	assert_true(quote_send(&q, &out));
	assert_true(span_is(buf_peek(&out), "AHUAcA==\r\n"));
	assert_true(quote_is_sent(&q));
	buf_finish(&out);
	quote_finish(&q);
}

static void refused(void **state)
{
	(void)state;
	struct quote q;
	quote_begin(&q, "a X");
	assert_false(quote_astring(&q, span_of("a\0b", 3)));
	assert_false(quote_astring(&q, span_of("\0", 1)));
	quote_finish(&q);

	char *big = xmalloc(QUOTE_COMMAND_MAX);
	memset(big, 'x', QUOTE_COMMAND_MAX);
	size_t taken = 0;
	for (size_t n = QUOTE_COMMAND_MAX - 40; n <= QUOTE_COMMAND_MAX; n++) {
		quote_begin(&q, "a X");
		if (quote_astring(&q, span_of(big, n))) {
			taken++;
			quote_end(&q);
		}
		quote_finish(&q);
	}
	assert_in_range(taken, 1, 40);
	free(big);

	quote_begin(&q, "a X");
	for (int i = 0; i < QUOTE_STOPS_MAX; i++) {
		assert_true(quote_astring(&q, span_str("\n")));
	}
	assert_false(quote_astring(&q, span_str("\n")));
	quote_finish(&q);
	quote_finish(&q);

	struct buf small;
	buf_init(&small, 5);
	quote_begin(&q, "a NOOP");
	quote_end(&q);
	assert_false(quote_send(&q, &small));
	assert_int_equal(buf_len(&small), 0);
	quote_finish(&q);
}

static uint32_t dice = 1;

static uint32_t roll(uint32_t sides)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % sides;
}

/* Any byte string without NUL comes back as exactly one argument; with NUL it is refused. */
static void one_argument(void **state)
{
	(void)state;
	static const char spice[] = "\r\n{}+\"\\ ()%*~5";
	for (int i = 0; i < 20000; i++) {
		uint8_t value[2][40];
		size_t n[2];
		struct quote q;
		quote_begin(&q, "a LOGIN");
		bool is_good = true;
		for (int k = 0; k < 2; k++) {
			n[k] = roll(sizeof(value[k]));
			bool has_nul = false;
			for (size_t j = 0; j < n[k]; j++) {
				value[k][j] = roll(2) > 0 ? (uint8_t)spice[roll(sizeof(spice) - 1)]
							  : (uint8_t)roll(256);
				has_nul |= value[k][j] == 0;
			}
			assert_int_equal(quote_astring(&q, span_of(value[k], n[k])), !has_nul);
			is_good &= !has_nul;
		}
		struct buf out;
		buf_init(&out, 4096);
		if (is_good) {
			quote_end(&q);
			while (!quote_is_sent(&q)) {
				assert_true(quote_send(&q, &out));
			}
			struct span rest = buf_peek(&out);
			struct secret back = {0};
			assert_true(span_take_nocase(&rest, "a LOGIN"));
			for (int k = 0; k < 2; k++) {
				assert_true(span_take(&rest, ' '));
				assert_true(lexer_take_astring(&rest, &back));
				assert_true(
					span_equal(secret_span(&back), span_of(value[k], n[k])));
			}
			assert_true(span_is(rest, "\r\n"));
			secret_drop(&back);
		}
		buf_finish(&out);
		quote_finish(&q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted),
		cmocka_unit_test(literals_wait),
		cmocka_unit_test(what_may_stand_in_quotes),
		cmocka_unit_test(lines_wait),
		cmocka_unit_test(refused),
		cmocka_unit_test(one_argument),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
