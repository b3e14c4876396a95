/* Request lines: what they say, what is refused, and that each name survives being written and read. */
#include "control/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In memory of exactly its size, so that a byte too far is seen. */
static bool parse_bytes(const void *line, size_t n, struct request *r, const char **why)
{
	uint8_t *copy = malloc(n + 1);
	memcpy(copy, line, n);
	copy = realloc(copy, n > 0 ? n : 1);
	bool is_good = request_parse(span_of(copy, n), r, why);
	free(copy);
	return is_good;
}

static void expect(const char *line, enum request_kind kind, const char *server, const char *who)
{
	struct request r;
	const char *why = NULL;
	assert_true(parse_bytes(line, strlen(line), &r, &why));
	assert_int_equal(r.kind, kind);
	assert_string_equal(r.server, server);
	assert_string_equal(r.who, who);
	request_finish(&r);
}

static void refuse(const char *line, const char *word)
{
	struct request r;
	const char *why = NULL;
	assert_false(parse_bytes(line, strlen(line), &r, &why));
	assert_non_null(strstr(why, word));
}

static void test_show(void **state)
{
	(void)state;
	for (int kind = 0; kind < REQUEST_KIND_COUNT; kind++) {
		char line[64];
		const char *name = request_show_name((enum request_kind)kind);
		if (name == NULL) {
			assert_true(kind >= REQUEST_KICK);
			continue;
		}
		snprintf(line, sizeof line, "show %s", name);
		expect(line, (enum request_kind)kind, "", "");
		snprintf(line, sizeof line, "\t SHOW   \"%s\" ", name);
		expect(line, (enum request_kind)kind, "", "");
	}
	refuse("show", "pools");
	refuse("show pool", "pools");
	refuse("show pools now", "pools");
}

static void test_kick(void **state)
{
	(void)state;
	expect("kick alice", REQUEST_KICK, "", "alice");
	expect("kick \"with space\"", REQUEST_KICK, "", "with space");
	expect("kick \"quo\\\"te\\\\\"", REQUEST_KICK, "", "quo\"te\\");
	expect("kick -", REQUEST_KICK, "", "-");
	expect("kick j\xc3\xbcrgen", REQUEST_KICK, "", "j\xc3\xbcrgen");
	expect("kick \xff\xfe", REQUEST_KICK, "", "\xff\xfe");
	expect("kick o'neill", REQUEST_KICK, "", "o'neill");
	expect("kick a\"b", REQUEST_KICK, "", "a\"b");
	refuse("kick", "needs");
	refuse("kick \"\"", "needs"); /* would be everybody */
	refuse("kick a b", "nothing else");
}

static void test_flush(void **state)
{
	(void)state;
	expect("flush", REQUEST_FLUSH, "", "");
	expect("flush mail1", REQUEST_FLUSH, "mail1", "");
	expect("flush mail1 alice", REQUEST_FLUSH, "mail1", "alice");
	expect("flush - alice", REQUEST_FLUSH, "", "alice");
	expect("flush - -", REQUEST_FLUSH, "", "");
	refuse("flush \"\"", "empty"); /* would be everybody */
	refuse("flush mail1 \"\"", "empty");
	refuse("flush a b c", "too many");
}

static void test_nonsense(void **state)
{
	(void)state;
	refuse("", "empty");
	refuse(" \t ", "empty");
	refuse("shutdown", "no such command");
	refuse("showpools", "no such command");
	refuse("kick \"alice", "not closed");
	refuse("kick \"alice\\", "not closed");
	refuse("kick \"alice\"bob", "blank");
	refuse("kick a\x01"
	       "b",
		"control");
	refuse("kick a\rb", "control");
	refuse("kick a\x7f", "control");
	struct request r;
	const char *why = NULL;
	assert_false(parse_bytes("kick a\0b", 8, &r, &why));
	assert_non_null(strstr(why, "control"));
}

static void test_length(void **state)
{
	(void)state;
	static char line[REQUEST_LINE_MAX + 2];
	struct request r;
	const char *why = NULL;
	memset(line, 'x', sizeof line);
	memcpy(line, "kick ", 5);
	assert_true(parse_bytes(line, REQUEST_LINE_MAX, &r, &why));
	assert_int_equal(strlen(r.who), REQUEST_LINE_MAX - 5);
	request_finish(&r);
	assert_false(parse_bytes(line, REQUEST_LINE_MAX + 1, &r, &why));
	assert_non_null(strstr(why, "too long"));
}

/* Every byte alone and beside others; what cannot be written is refused by the writer. */
static void test_what_is_written_is_read(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char name[] = {'"', (char)c, ' ', '\\', (char)c, '\0'};
		const char *const words[] = {"flush", "mail1", name};
		struct buf line;
		struct request r;
		const char *why;
		buf_init(&line, REQUEST_LINE_MAX);
		bool is_control = c < ' ' || c == 0x7f;
		assert_int_equal(request_write(&line, words, 3), !is_control);
		if (!is_control) {
			struct span text = span_chomp(buf_peek(&line));
			assert_int_equal(text.n + 1, buf_len(&line));
			assert_true(request_parse(text, &r, &why));
			assert_string_equal(r.who, name);
			assert_string_equal(r.server, "mail1");
			request_finish(&r);
		}
		buf_finish(&line);
	}
}

static void test_too_long_to_write(void **state)
{
	(void)state;
	static char name[REQUEST_LINE_MAX + 1];
	memset(name, 'x', sizeof name - 1);
	const char *const words[] = {"kick", name};
	struct buf line;
	buf_init(&line, 4 * REQUEST_LINE_MAX);
	assert_false(request_write(&line, words, 2));
	buf_finish(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_kick),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_too_long_to_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
