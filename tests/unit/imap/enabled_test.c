#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "imap/enabled.h"

static void expect(const struct buf *set, const char *wanted)
{
	struct span got = buf_peek(set);
	if (!span_is(got, wanted)) {
		fail_msg("\"%.*s\", not \"%s\"", SPAN_ARG(got), wanted);
	}
}

static void check(const char *words, const char *wanted)
{
	struct buf set;
	enabled_init(&set);
	assert_true(enabled_add(&set, span_str(words)));
	expect(&set, wanted);
	/* The canonical text is its own. */
	assert_true(enabled_add(&set, buf_peek(&set)));
	expect(&set, wanted);
	buf_finish(&set);
}

static void one_text_for_a_set(void **state)
{
	(void)state;
	check("", "");
	check("   ", "");
	check("CONDSTORE", "CONDSTORE");
	check("condstore CondStore", "CONDSTORE");
	check("UTF8=ACCEPT CONDSTORE", "CONDSTORE UTF8=ACCEPT");
	check(" utf8=accept  condstore ", "CONDSTORE UTF8=ACCEPT");
	check("B A C", "A B C");
	check("AB A ABC", "A AB ABC");
	check("METADATA METADATA-SERVER", "METADATA METADATA-SERVER");
}

static void qresync_brings_condstore(void **state)
{
	(void)state;
	check("qresync", "CONDSTORE QRESYNC");
	check("QRESYNC CONDSTORE", "CONDSTORE QRESYNC");
	check("X-Z QRESYNC A", "A CONDSTORE QRESYNC X-Z");
}

static void all_orders_are_equal(void **state)
{
	(void)state;
	static const char *const words[] = {"IMAP4rev2", "qresync", "UTF8=ACCEPT", "UIDONLY"};
	for (int i = 0; i < 256; i++) {
		char list[128];
		snprintf(list, sizeof list, "%s %s %s %s IMAP4REV2 QRESYNC UIDONLY UTF8=accept",
			words[i & 3], words[i >> 2 & 3], words[i >> 4 & 3], words[i >> 6]);
		check(list, "CONDSTORE IMAP4REV2 QRESYNC UIDONLY UTF8=ACCEPT");
	}
}

static void grows_word_by_word(void **state)
{
	(void)state;
	struct buf set;
	enabled_init(&set);
	assert_true(enabled_add(&set, span_str("UTF8=ACCEPT")));
	assert_true(enabled_add(&set, span_str("qresync")));
	assert_true(enabled_add(&set, span_str("condstore")));
	expect(&set, "CONDSTORE QRESYNC UTF8=ACCEPT");
	buf_finish(&set);
}

static void refused_words(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"A\r", "A B\tC", "A {5+}", "\"A\"", "A]", "\x80", "(A)", "A*", "A\nB", "A %"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buf set;
		enabled_init(&set);
		assert_true(enabled_add(&set, span_str("X")));
		assert_false(enabled_add(&set, span_str(bad[i])));
		expect(&set, "X");
		buf_finish(&set);
	}
	struct buf set;
	enabled_init(&set);
	assert_false(enabled_add(&set, span_of("A\0B", 3)));
	assert_int_equal(buf_len(&set), 0);
	buf_finish(&set);
}

static void bounded(void **state)
{
	(void)state;
	char word[ENABLED_MAX + 2];
	memset(word, 'a', sizeof word);
	struct buf set;
	enabled_init(&set);
	assert_true(enabled_add(&set, span_of(word, ENABLED_MAX - 2)));
	assert_true(enabled_add(&set, span_str("B"))); /* fills it */
	assert_int_equal(buf_len(&set), ENABLED_MAX);
	assert_false(enabled_add(&set, span_str("C")));
	assert_true(enabled_add(&set, span_str("b")));
	assert_int_equal(buf_len(&set), ENABLED_MAX);
	buf_finish(&set);
	assert_false(enabled_add(&set, span_of(word, ENABLED_MAX + 1)));
	/* The word that comes along counts too. */
	assert_true(enabled_add(&set, span_of(word, ENABLED_MAX - 10)));
	assert_false(enabled_add(&set, span_str("QRESYNC")));
	assert_int_equal(buf_len(&set), ENABLED_MAX - 10);
	buf_finish(&set);
}

static void asked_and_enabled(void **state)
{
	(void)state;
	struct span class = span_str("CONDSTORE QRESYNC UTF8=ACCEPT");
	assert_true(enabled_has(class, "qresync"));
	assert_false(enabled_has(class, "UTF8"));
	assert_true(enabled_covers(class, span_str("")));
	assert_true(enabled_covers(class, span_str("utf8=accept  condstore")));
	assert_false(enabled_covers(class, span_str("CONDSTORE X")));
	assert_false(enabled_covers(span_str(""), span_str("X")));
	assert_false(enabled_covers(class, span_str("QRESYN")));
	assert_false(enabled_covers(class, span_str("QRESYNCX")));
}

static void check_common(const char *class, const char *words, const char *wanted)
{
	struct buf out;
	buf_init(&out, 512);
	assert_true(enabled_write_common(&out, span_str(class), span_str(words)));
	expect(&out, wanted);
	buf_finish(&out);
}

static void what_the_reply_names(void **state)
{
	(void)state;
	check_common("CONDSTORE QRESYNC", "qresync x-none", " CONDSTORE QRESYNC");
	check_common("CONDSTORE UTF8=ACCEPT", "utf8=accept", " UTF8=ACCEPT");
	check_common("CONDSTORE", "X", "");
	check_common("", "X", "");
	check_common("A B", "b a b", " A B");
	struct buf out;
	buf_init(&out, 1);
	assert_false(enabled_write_common(&out, span_str("A"), span_str("A")));
	assert_int_equal(buf_len(&out), 0);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_text_for_a_set),
		cmocka_unit_test(qresync_brings_condstore),
		cmocka_unit_test(all_orders_are_equal),
		cmocka_unit_test(grows_word_by_word),
		cmocka_unit_test(refused_words),
		cmocka_unit_test(bounded),
		cmocka_unit_test(asked_and_enabled),
		cmocka_unit_test(what_the_reply_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
