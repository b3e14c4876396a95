/*
 * The log: whatever strangers send, a line stays one line, within its bound, and reads back as what was
 * meant. Lines are taken from where they really go, the standard error output, and read by a strict
 * little reader of each form.
 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Catching. */

static int caught_fd;
static int real_stderr;
static char caught[8 * LOG_LINE_MAX];
static size_t caught_len;

static void catch_begin(void)
{
	caught_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(caught_fd >= 0);
	real_stderr = dup(STDERR_FILENO);
	dup2(caught_fd, STDERR_FILENO);
}

static void catch_end(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	ssize_t n = pread(caught_fd, caught, sizeof caught - 1, 0);
	assert_true(n >= 0);
	caught[n] = '\0';
	caught_len = (size_t)n;
	close(caught_fd);
}

/* Reading back. */

enum { PAIRS_MAX = 16 };

struct pair {
	char key[64];
	uint8_t value[LOG_LINE_MAX];
	size_t len;
	bool is_quoted;
};

static struct pair pairs[PAIRS_MAX];
static size_t pair_count;

static uint8_t read_hex(const char *p)
{
	char digits[5] = {p[0], p[1], p[2], p[3]};
	assert_int_equal(strspn(digits, "0123456789abcdef"), 4);
	unsigned long value = strtoul(digits, NULL, 16);
	assert_true(value < 0x20 || value >= 0x7f);
	assert_true(value <= 0xff);
	return (uint8_t)value;
}

/* From behind the opening quote; returns behind the closing one. */
static const char *read_quoted(const char *p, struct pair *out)
{
	out->is_quoted = true;
	for (; *p != '"'; p++) {
		assert_true(*p >= ' ' && *p <= '~');
		if (*p != '\\') {
			out->value[out->len++] = (uint8_t)*p;
		} else if (p[1] == 'u') {
			out->value[out->len++] = read_hex(p + 2);
			p += 5;
		} else {
			assert_true(p[1] == '"' || p[1] == '\\');
			out->value[out->len++] = (uint8_t) * ++p;
		}
	}
	return p + 1;
}

static const char *read_key(const char *p, const char *end, struct pair *out)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	assert_true(n > 0 && n < sizeof out->key);
	memset(out, 0, sizeof *out);
	memcpy(out->key, p, n);
	assert_memory_equal(p + n, end, strlen(end));
	return p + n + strlen(end);
}

static const char *read_bare(const char *p, const char *stop, struct pair *out)
{
	for (; strchr(stop, *p) == NULL; p++) {
		assert_true(*p > ' ' && *p <= '~' && *p != '"' && *p != '\\' && *p != '=');
		out->value[out->len++] = (uint8_t)*p;
	}
	assert_true(out->len > 0);
	return p;
}

static void read_json(const char *p)
{
	pair_count = 0;
	assert_int_equal(*p++, '{');
	while (true) {
		assert_true(pair_count < PAIRS_MAX);
		struct pair *out = &pairs[pair_count++];
		assert_int_equal(*p++, '"');
		p = read_key(p, "\":", out);
		if (*p == '"') {
			p = read_quoted(p + 1, out);
		} else {
			p = read_bare(p, ",}", out);
			char *end;
			strtoll((char *)out->value, &end, 10);
			assert_int_equal(*end, '\0'); /* a JSON number, and no other bare word */
		}
		if (*p == '}') {
			break;
		}
		assert_int_equal(*p++, ',');
	}
	assert_string_equal(p, "}\n");
}

static void read_logfmt(const char *p)
{
	pair_count = 0;
	while (true) {
		assert_true(pair_count < PAIRS_MAX);
		struct pair *out = &pairs[pair_count++];
		p = read_key(p, "=", out);
		p = *p == '"' ? read_quoted(p + 1, out) : read_bare(p, " \n", out);
		if (*p == '\n') {
			break;
		}
		assert_int_equal(*p++, ' ');
	}
	assert_string_equal(p, "\n");
}

static void read_line(enum log_format format)
{
	assert_true(caught_len > 0 && caught_len <= LOG_LINE_MAX);
	assert_ptr_equal(memchr(caught, '\n', caught_len), caught + caught_len - 1);
	assert_int_equal(strlen(caught), caught_len);
	if (format == LOG_JSON) {
		read_json(caught);
	} else {
		read_logfmt(caught);
	}
	assert_true(pair_count >= 3);
	assert_string_equal(pairs[0].key, "time");
	assert_string_equal(pairs[1].key, "level");
	assert_string_equal(pairs[2].key, "msg");
	/* 2024-01-31T23:59:59.000Z */
	assert_int_equal(pairs[0].len, 24);
	assert_int_equal(pairs[0].value[10], 'T');
	assert_int_equal(pairs[0].value[19], '.');
	assert_int_equal(pairs[0].value[23], 'Z');
}

static void assert_pair(size_t i, const char *key, struct span value)
{
	assert_true(i < pair_count);
	assert_string_equal(pairs[i].key, key);
	assert_true(span_equal(span_of(pairs[i].value, pairs[i].len), value));
}

/* Whole, or its beginning and "...". */
static bool assert_pair_or_beginning(size_t i, const char *key, struct span value)
{
	struct span got = span_of(pairs[i].value, pairs[i].len);
	assert_string_equal(pairs[i].key, key);
	if (span_equal(got, value)) {
		return true;
	}
	assert_true(got.n >= 3);
	assert_true(span_is(span_slice(got, got.n - 3, got.n), "..."));
	assert_true(got.n - 3 < value.n);
	assert_true(span_equal(span_slice(got, 0, got.n - 3), span_slice(value, 0, got.n - 3)));
	return false;
}

/* The tests; state is the form. */

static const enum log_format forms[] = {LOG_LOGFMT, LOG_JSON};

static void test_plain_line(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	struct log_line line;
	log_setup(LOG_INFO, form);
	catch_begin();
	log_begin(&line, LOG_WARN, "sign-in failed");
	log_str(&line, "user", "alice@example.org");
	log_str(&line, "empty", "");
	log_span(&line, "none", span_of(NULL, 0));
	log_number(&line, "ms", -12);
	log_number(&line, "most", INT64_MAX);
	log_number(&line, "least", INT64_MIN);
	log_end(&line);
	catch_end();
	read_line(form);
	assert_int_equal(pair_count, 9);
	assert_pair(1, "level", span_str("warn"));
	assert_pair(2, "msg", span_str("sign-in failed"));
	assert_pair(3, "user", span_str("alice@example.org"));
	assert_pair(4, "empty", span_str(""));
	assert_pair(5, "none", span_str(""));
	assert_pair(6, "ms", span_str("-12"));
	assert_pair(7, "most", span_str("9223372036854775807"));
	assert_pair(8, "least", span_str("-9223372036854775808"));
	assert_int_equal(pairs[3].is_quoted, form == LOG_JSON);
	assert_false(pairs[6].is_quoted);
	assert_true(pairs[4].is_quoted);
}

/* Each byte alone and between others; a second line, a second key, an end of a quote must not come. */
static void test_each_byte(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	log_setup(LOG_INFO, form);
	for (int c = 0; c < 256; c++) {
		uint8_t text[] = {'a', (uint8_t)c, 'b'};
		struct log_line line;
		catch_begin();
		log_begin(&line, LOG_INFO, "x");
		log_span(&line, "one", span_of(text + 1, 1));
		log_span(&line, "three", span_of(text, 3));
		log_end(&line);
		catch_end();
		read_line(form);
		assert_int_equal(pair_count, 5);
		assert_pair(3, "one", span_of(text + 1, 1));
		assert_pair(4, "three", span_of(text, 3));
	}
}

static void test_hostile_values(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	static const char *const values[] = {
		"u1\r\ntime=2024 level=info msg=forged",
		"x\" user=root \"",
		"x\\",
		"\\\"",
		"\\u0041",
		"\x1b[2J\x1b]0;title\x07",
		"%s%n%x",
		"a=b",
		"\",\"user\":\"root",
		"\xe2\x80\xae\xc2\x9b",
		" ",
		"...",
	};
	log_setup(LOG_INFO, form);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct log_line line;
		catch_begin();
		log_begin(&line, LOG_INFO, "x");
		log_str(&line, "value", values[i]);
		log_end(&line);
		catch_end();
		read_line(form);
		assert_int_equal(pair_count, 4);
		assert_pair(3, "value", span_str(values[i]));
	}
}

static void log_three(struct span first, struct span second)
{
	struct log_line line;
	catch_begin();
	log_begin(&line, LOG_INFO, "x");
	log_span(&line, "first", first);
	log_number(&line, "number", INT64_MIN);
	log_span(&line, "second", second);
	log_end(&line);
	catch_end();
}

/* Every length around the bound, with bytes that take one, two and six places. */
static void test_overlong_values(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	static const uint8_t kinds[] = {'a', '"', 0, ' '};
	static uint8_t text[2 * LOG_LINE_MAX];
	bool was_cut = false;
	bool was_whole = false;
	log_setup(LOG_INFO, form);
	for (size_t k = 0; k < sizeof kinds; k++) {
		memset(text, kinds[k], sizeof text);
		size_t each = kinds[k] == 0 ? 6 : kinds[k] == '"' ? 2 : 1;
		for (size_t n = 1800 / each; n < 2100 / each; n++) {
			log_three(span_of(text, n), span_str("tail"));
			read_line(form);
			assert_true(pair_count >= 4 && pair_count <= 6);
			if (assert_pair_or_beginning(3, "first", span_of(text, n))) {
				was_whole = true;
			} else {
				was_cut = true;
				assert_int_equal(pair_count, 4);
			}
		}
		log_three(span_of(text, sizeof text), span_of(text, sizeof text));
		read_line(form);
		/* The line is used up to a few bytes before its bound. */
		assert_true(caught_len > LOG_LINE_MAX - 20);
	}
	assert_true(was_cut);
	assert_true(was_whole);
}

/* A pair comes whole or with its "...", or not at all; what is left out does not harm what follows. */
static void test_many_pairs(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	static uint8_t text[LOG_LINE_MAX];
	log_setup(LOG_INFO, form);
	srand(5);
	for (int round = 0; round < 1500; round++) {
		struct span values[8];
		struct log_line line;
		for (size_t i = 0; i < sizeof text; i++) {
			text[i] = (uint8_t)(rand() % 4 != 0 ? 'a' + rand() % 26 : rand() % 256);
		}
		catch_begin();
		log_begin(&line, LOG_INFO, "x");
		for (int i = 0; i < 8; i++) {
			size_t n = (size_t)rand() % (rand() % 3 == 0 ? 1200 : 100);
			values[i] = span_of(text + rand() % (int)(sizeof text - n), n);
			char key[8] = {'k', (char)('a' + i)};
			log_span(&line, key, values[i]);
		}
		log_end(&line);
		catch_end();
		read_line(form);
		for (size_t i = 3; i < pair_count; i++) {
			int which = pairs[i].key[1] - 'a';
			assert_true(which >= 0 && which < 8);
			assert_pair_or_beginning(i, pairs[i].key, values[which]);
		}
	}
}

static void test_say(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	char text[2 * LOG_LINE_MAX];
	log_setup(LOG_INFO, form);
	catch_begin();
	log_say(LOG_ERROR, "it failed", "%s: %d", "a \"b\"", 7);
	catch_end();
	read_line(form);
	assert_int_equal(pair_count, 4);
	assert_pair(1, "level", span_str("error"));
	assert_pair(2, "msg", span_str("it failed"));
	assert_pair(3, "detail", span_str("a \"b\": 7"));
	/* Whatever is left out is seen to be. */
	for (size_t n = 900; n < sizeof text; n += 37) {
		memset(text, 'x', n);
		text[n] = '\0';
		catch_begin();
		log_say(LOG_ERROR, "long", "%s", text);
		catch_end();
		read_line(form);
		assert_int_equal(pair_count, 4);
		assert_pair_or_beginning(3, "detail", span_str(text));
	}
}

static void test_levels(void **state)
{
	enum log_format form = *(const enum log_format *)*state;
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		log_setup((enum log_level)level, form);
		for (int at = LOG_ERROR; at <= LOG_DEBUG; at++) {
			struct log_line line;
			catch_begin();
			log_begin(&line, (enum log_level)at, "x");
			log_str(&line, "key", "value");
			log_number(&line, "number", 1);
			log_end(&line);
			log_end(&line); /* a line is written once */
			log_say((enum log_level)at, "x", "%d", 1);
			catch_end();
			bool is_wanted = at <= level;
			assert_int_equal(log_wants((enum log_level)at), is_wanted);
			assert_int_equal(caught_len > 0, is_wanted);
			size_t lines = 0;
			for (size_t i = 0; i < caught_len; i++) {
				lines += caught[i] == '\n';
			}
			assert_int_equal(lines, is_wanted ? 2 : 0);
		}
	}
	log_setup(LOG_INFO, LOG_LOGFMT);
}

#define TEST(test, form)                                                                           \
	{                                                                                          \
#test " " #form, test, NULL, NULL, (void *)(uintptr_t)&forms[form]                 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain_line, LOG_LOGFMT),
		TEST(test_plain_line, LOG_JSON),
		TEST(test_each_byte, LOG_LOGFMT),
		TEST(test_each_byte, LOG_JSON),
		TEST(test_hostile_values, LOG_LOGFMT),
		TEST(test_hostile_values, LOG_JSON),
		TEST(test_overlong_values, LOG_LOGFMT),
		TEST(test_overlong_values, LOG_JSON),
		TEST(test_many_pairs, LOG_LOGFMT),
		TEST(test_many_pairs, LOG_JSON),
		TEST(test_say, LOG_LOGFMT),
		TEST(test_say, LOG_JSON),
		TEST(test_levels, LOG_LOGFMT),
		TEST(test_levels, LOG_JSON),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
