#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "imap/enable.h"

/* Feeds in two parts, split at every byte, and byte by byte (SIZE_MAX). */
static enum enable_verdict feed(struct enable *e, const char *said, size_t split)
{
	struct span all = span_str(said);
	enum enable_verdict verdict = ENABLE_MORE;
	size_t at = 0;
	while (at < all.n && verdict == ENABLE_MORE) {
		size_t end = split == SIZE_MAX ? at + 1 : at < split ? split : all.n;
		struct span part = span_slice(all, at, end);
		verdict = enable_feed(e, &part);
		at = end;
	}
	/* A byte behind the end counts, however late it comes. */
	return verdict == ENABLE_DONE && at < all.n ? ENABLE_FAILED : verdict;
}

static void check(const char *said, enum enable_verdict wanted, const char *class)
{
	for (size_t split = 0; split <= strlen(said) + 1; split++) {
		struct enable e;
		struct buf out;
		buf_init(&out, 4096);
		enable_begin(&e, "P1.", span_str("CONDSTORE QRESYNC"), &out);
		assert_true(span_is(buf_peek(&out), "P1.E ENABLE CONDSTORE QRESYNC\r\n"));
		enum enable_verdict got = feed(&e, said, split > strlen(said) ? SIZE_MAX : split);
		if (got != wanted) {
			fail_msg("%d, not %d, of: %s", (int)got, (int)wanted, said);
		}
		if (class != NULL && !span_is(enable_result(&e), class)) {
			fail_msg("\"%.*s\" of: %s", SPAN_ARG(enable_result(&e)), said);
		}
		enable_finish(&e);
		buf_finish(&out);
	}
}

static void what_servers_answer(void **state)
{
	(void)state;
	check("* ENABLED QRESYNC CONDSTORE\r\nP1.E OK done\r\n", ENABLE_DONE, "CONDSTORE QRESYNC");
	check("* enabled qresync\r\np1.e OK done\r\n", ENABLE_FAILED, NULL);
	check("* ENABLED QRESYNC\r\nP1.E OK\r\n", ENABLE_DONE, "CONDSTORE QRESYNC");
	check("* ENABLED CONDSTORE\r\nP1.E OK [X] done\r\n", ENABLE_DONE, "CONDSTORE");
	check("* ENABLED CONDSTORE\r\n* ENABLED UTF8=ACCEPT\r\nP1.E OK\r\n", ENABLE_DONE,
		"CONDSTORE UTF8=ACCEPT");
	check("* ENABLED\r\nP1.E OK done\r\n", ENABLE_DONE, "");
	check("P1.E OK done\r\n", ENABLE_DONE, "");
	check("P1.E NO not you\r\n", ENABLE_DONE, "");
	check("\r\nP1.E BAD Unrecognized command {9}\r\n", ENABLE_DONE, "");
	check("* OK still here\r\n* NO quota\r\n* CAPABILITY A B\r\n* ENABLED A\r\nP1.E OK\r\n",
		ENABLE_DONE, "A");
	check("* LIST () \"/\" {5}\r\nP1.E \r\n* ENABLED A\r\nP1.E OK\r\n", ENABLE_DONE, "A");
}

static void what_cannot_be(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"* BYE\r\nP1.E OK\r\n",
		"* BAD Invalid tag\r\nP1.E OK\r\n",
		"* PREAUTH x\r\nP1.E OK\r\n",
		"* 3 EXISTS\r\nP1.E OK\r\n",
		"* VANISHED 2\r\nP1.E OK\r\n",
		"* STATUS x (MESSAGES 1)\r\nP1.E OK\r\n",
		"* FLAGS ()\r\nP1.E OK\r\n",
		"* \r\nP1.E OK\r\n",
		"+ go on\r\nP1.E OK\r\n",
		"P1.F OK\r\n",
		"a OK\r\nP1.E OK\r\n",
		"P1.E MAYBE\r\n",
		"P1.E BYE\r\n",
		"P1.E OK\r\na",
		"P1.E OK\r\n* 1 EXISTS\r\n",
		"* ENABLED A]B\r\nP1.E OK\r\n",
		"* ENABLED {3}\r\nabc\r\nP1.E OK\r\n",
	};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		check(odd[i], ENABLE_FAILED, NULL);
	}
	check("* ENABLED A\r\nP1.E O", ENABLE_MORE, NULL);
}

static void bounded(void **state)
{
	(void)state;
	struct enable e;
	struct buf out;
	buf_init(&out, 4096);
	enable_begin(&e, "P1.", span_str("A"), &out);
	struct span noise = span_str("* OK x\r\n");
	size_t seen = 0;
	enum enable_verdict verdict = ENABLE_MORE;
	while (verdict == ENABLE_MORE) {
		struct span in = noise;
		verdict = enable_feed(&e, &in);
		seen += noise.n;
	}
	assert_int_equal(verdict, ENABLE_FAILED);
	assert_true(seen <= ENABLE_MAX_INPUT + noise.n);
	enable_finish(&e);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_servers_answer),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
