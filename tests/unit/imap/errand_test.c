#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "imap/errand.h"

/* Feeds in two parts, split at every byte, and byte by byte (SIZE_MAX). */
static enum errand_verdict feed(struct errand *e, const char *said, size_t split)
{
	struct span all = span_str(said);
	enum errand_verdict verdict = ERRAND_MORE;
	size_t at = 0;
	while (at < all.n && verdict == ERRAND_MORE) {
		size_t end = split == SIZE_MAX ? at + 1 : at < split ? split : all.n;
		struct span part = span_slice(all, at, end);
		verdict = errand_feed(e, &part);
		at = end;
	}
	/* A byte behind the end counts, however late it comes. */
	return (verdict == ERRAND_OK || verdict == ERRAND_REFUSED) && at < all.n ? ERRAND_FAILED
										 : verdict;
}

static void check(const char *said, enum errand_verdict wanted, const char *class)
{
	for (size_t split = 0; split <= strlen(said) + 1; split++) {
		struct errand e;
		struct buf out;
		buf_init(&out, 4096);
		errand_begin(&e, "P1.", span_str("ENABLE CONDSTORE QRESYNC"), false, &out);
		assert_true(span_is(buf_peek(&out), "P1.E ENABLE CONDSTORE QRESYNC\r\n"));
		enum errand_verdict got = feed(&e, said, split > strlen(said) ? SIZE_MAX : split);
		if (got != wanted) {
			fail_msg("%d, not %d, of: %s", (int)got, (int)wanted, said);
		}
		if (class != NULL && !span_is(errand_enabled(&e), class)) {
			fail_msg("\"%.*s\" of: %s", SPAN_ARG(errand_enabled(&e)), said);
		}
		errand_finish(&e);
		buf_finish(&out);
	}
}

static void what_servers_answer(void **state)
{
	(void)state;
	check("* ENABLED QRESYNC CONDSTORE\r\nP1.E OK done\r\n", ERRAND_OK, "CONDSTORE QRESYNC");
	check("* enabled qresync\r\np1.e OK done\r\n", ERRAND_FAILED, NULL);
	check("* ENABLED QRESYNC\r\nP1.E OK\r\n", ERRAND_OK, "CONDSTORE QRESYNC");
	check("* ENABLED CONDSTORE\r\nP1.E OK [X] done\r\n", ERRAND_OK, "CONDSTORE");
	check("* ENABLED CONDSTORE\r\n* ENABLED UTF8=ACCEPT\r\nP1.E OK\r\n", ERRAND_OK,
		"CONDSTORE UTF8=ACCEPT");
	check("* ENABLED\r\nP1.E OK done\r\n", ERRAND_OK, "");
	check("P1.E OK done\r\n", ERRAND_OK, "");
	check("P1.E NO not you\r\n", ERRAND_REFUSED, "");
	check("\r\nP1.E BAD Unrecognized command {9}\r\n", ERRAND_REFUSED, "");
	check("* OK still here\r\n* NO quota\r\n* CAPABILITY A B\r\n* ENABLED A\r\nP1.E OK\r\n",
		ERRAND_OK, "A");
	check("* LIST () \"/\" {5}\r\nP1.E \r\n* ENABLED A\r\nP1.E OK\r\n", ERRAND_OK, "A");
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
		"P1.E NO\r\na",
		"P1.E OK\r\n* 1 EXISTS\r\n",
		"* ENABLED A]B\r\nP1.E OK\r\n",
		"* ENABLED {3}\r\nabc\r\nP1.E OK\r\n",
	};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		check(odd[i], ERRAND_FAILED, NULL);
	}
	check("* ENABLED A\r\nP1.E O", ERRAND_MORE, NULL);
}

static void bounded(void **state)
{
	(void)state;
	struct errand e;
	struct buf out;
	buf_init(&out, 4096);
	errand_begin(&e, "P1.", span_str("ENABLE A"), false, &out);
	struct span noise = span_str("* OK x\r\n");
	size_t seen = 0;
	enum errand_verdict verdict = ERRAND_MORE;
	while (verdict == ERRAND_MORE) {
		struct span in = noise;
		verdict = errand_feed(&e, &in);
		seen += noise.n;
	}
	assert_int_equal(verdict, ERRAND_FAILED);
	assert_true(seen <= ERRAND_MAX_INPUT + noise.n);
	errand_finish(&e);
	buf_finish(&out);
}

/* UNAUTHENTICATE with a mailbox open. */
static void check_leaving(const char *said, enum errand_verdict wanted, const char *capabilities)
{
	for (size_t split = 0; split <= strlen(said) + 1; split++) {
		struct errand e;
		struct buf out;
		buf_init(&out, 4096);
		errand_begin(&e, "P1.", span_str("UNAUTHENTICATE"), true, &out);
		assert_true(span_is(buf_peek(&out), "P1.E UNAUTHENTICATE\r\n"));
		assert_int_equal(feed(&e, said, split > strlen(said) ? SIZE_MAX : split), wanted);
		assert_true(span_is(errand_capabilities(&e), capabilities));
		errand_finish(&e);
		buf_finish(&out);
	}
}

static void with_a_mailbox_open(void **state)
{
	(void)state;
	check_leaving("P1.E OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Completed\r\n", ERRAND_OK,
		"IMAP4rev1 AUTH=PLAIN");
	check_leaving("* 3 EXISTS\r\n* 2 FETCH (X {3}\r\nP1.)\r\n* VANISHED 1\r\n"
		      "* FLAGS ()\r\n* CAPABILITY A\r\nP1.E OK [CAPABILITY B C] x\r\n",
		ERRAND_OK, "B C");
	check_leaving("* CAPABILITY A\r\n* OK [CAPABILITY D] x\r\nP1.E OK x\r\n", ERRAND_OK, "D");
	check_leaving("P1.E OK Completed\r\n", ERRAND_OK, "");
	check_leaving("P1.E BAD Unrecognized command\r\n", ERRAND_REFUSED, "");
	check_leaving("* BYE x\r\nP1.E OK [CAPABILITY A] x\r\n", ERRAND_FAILED, "");
	check_leaving("P1.E OK [CAPABILITY A] x\r\nb OK smuggled\r\n", ERRAND_FAILED, "A");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_servers_answer),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(with_a_mailbox_open),
		cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
