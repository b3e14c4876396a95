#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/scrub.h"

#define PREFIX "Px0123456789abcdef."

struct story {
	const char *name;
	enum tracker_selected selected;
	const char *mailbox;
	bool has_unselect;
	const char *
		in; /* all that the server says; a "|" stands where the second command must be out */
	const char *sent; /* all that was sent */
	enum scrub_verdict verdict;
};

static const struct story stories[] = {
	{"nothing selected", TRACKER_SELECTED_NO, "", true, PREFIX "1 OK NOOP completed.\r\n",
		PREFIX "1 NOOP\r\n", SCRUB_CLEAN},
	{"OK without text", TRACKER_SELECTED_NO, "", true, PREFIX "1 OK\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_CLEAN},
	{"bare LF", TRACKER_SELECTED_NO, "", true, PREFIX "1 ok done\n", PREFIX "1 NOOP\r\n",
		SCRUB_CLEAN},
	{"UNSELECT", TRACKER_SELECTED_YES, "INBOX", true,
		"* 3 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n" PREFIX "2 OK Unselected\r\n",
		PREFIX "2 UNSELECT\r\n", SCRUB_CLEAN},
	{"UNSELECT when it is not sure", TRACKER_SELECTED_UNKNOWN, "", true,
		PREFIX "2 BAD No mailbox selected\r\n", PREFIX "2 UNSELECT\r\n", SCRUB_FAILED},
	{"Courier answers UNSELECT with NO", TRACKER_SELECTED_YES, "INBOX", true,
		PREFIX "2 NO Error in IMAP command\r\n", PREFIX "2 UNSELECT\r\n", SCRUB_FAILED},
	{"EXAMINE and CLOSE", TRACKER_SELECTED_YES, "\"a \\\"b\"", false,
		"* FLAGS (\\Draft)\r\n* 5 EXISTS\r\n* OK [UIDVALIDITY 1] Ok {4}\r\n" PREFIX
		"3 OK [READ-ONLY] Ok\r\n|* 1 EXPUNGE\r\n" PREFIX "4 OK mailbox closed\r\n",
		PREFIX "3 EXAMINE \"a \\\"b\"\r\n" PREFIX "4 CLOSE\r\n", SCRUB_CLEAN},
	{"EXAMINE that opens for writing is not closed", TRACKER_SELECTED_YES, "INBOX", false,
		PREFIX "3 OK [READ-WRITE] Ok\r\n", PREFIX "3 EXAMINE INBOX\r\n", SCRUB_FAILED},
	{"EXAMINE that does not say", TRACKER_SELECTED_YES, "INBOX", false, PREFIX "3 OK done\r\n",
		PREFIX "3 EXAMINE INBOX\r\n", SCRUB_FAILED},
	{"EXAMINE refused", TRACKER_SELECTED_YES, "INBOX", false, PREFIX "3 NO gone\r\n",
		PREFIX "3 EXAMINE INBOX\r\n", SCRUB_FAILED},
	{"reply for the second step comes early", TRACKER_SELECTED_YES, "INBOX", false,
		PREFIX "4 OK closed\r\n", PREFIX "3 EXAMINE INBOX\r\n", SCRUB_FAILED},
	{"a smuggled command's reply", TRACKER_SELECTED_NO, "", true,
		"b OK ENABLE completed\r\n" PREFIX "1 OK NOOP completed.\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"a byte behind", TRACKER_SELECTED_NO, "", true, PREFIX "1 OK NOOP completed.\r\n*",
		PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"a longer tag", TRACKER_SELECTED_NO, "", true, PREFIX "11 OK\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"a tag in other case", TRACKER_SELECTED_NO, "", true, "px0123456789abcdef.1 OK\r\n",
		PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"OKAY", TRACKER_SELECTED_NO, "", true, PREFIX "1 OKAY\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"only a tag", TRACKER_SELECTED_NO, "", true, PREFIX "1\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"continuation", TRACKER_SELECTED_NO, "", true, "+ go on\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"BYE", TRACKER_SELECTED_NO, "", true, "* BYE shutting down\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"untagged BAD", TRACKER_SELECTED_NO, "", true, "* BAD Invalid tag\r\n",
		PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"ENABLED", TRACKER_SELECTED_NO, "", true, "* ENABLED QRESYNC\r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"empty line", TRACKER_SELECTED_NO, "", true, "\r\n", PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"star alone", TRACKER_SELECTED_NO, "", true, "*\r\n", PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"nothing behind the star", TRACKER_SELECTED_NO, "", true, "* \r\n", PREFIX "1 NOOP\r\n",
		SCRUB_FAILED},
	{"messages without a mailbox", TRACKER_SELECTED_NO, "", true, "* 3 EXISTS\r\n",
		PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"NOTIFY is on", TRACKER_SELECTED_NO, "", true, "* STATUS b (MESSAGES 1)\r\n",
		PREFIX "1 NOOP\r\n", SCRUB_FAILED},
	{"status text that ends like a literal", TRACKER_SELECTED_YES, "INBOX", true,
		"* OK still {20}\r\n* NO quota {9}\r\n" PREFIX "2 OK {3}\r\n",
		PREFIX "2 UNSELECT\r\n", SCRUB_CLEAN},
	{"our tag inside a literal is not our reply", TRACKER_SELECTED_YES, "INBOX", true,
		"* 1 FETCH (BODY[1] {28}\r\n" PREFIX "2 OK x\r\n\r BODY[2] ~{0}\r\n)\r\n" PREFIX
		"2 OK\r\n",
		PREFIX "2 UNSELECT\r\n", SCRUB_CLEAN},
	{"a literal of 2^64 octets", TRACKER_SELECTED_YES, "INBOX", true,
		"* 1 FETCH (BODY[] {18446744073709551616}\r\n", PREFIX "2 UNSELECT\r\n",
		SCRUB_FAILED},
	{"a literal of 2^64-1 octets swallows all", TRACKER_SELECTED_YES, "INBOX", true,
		"* 1 FETCH (BODY[] {18446744073709551615}\r\n" PREFIX "2 OK\r\n",
		PREFIX "2 UNSELECT\r\n", SCRUB_MORE},
};

/* CONDSTORE is on by use: it is enabled in truth, last of all. */
static const struct story enabling[] = {
	{"nothing selected", TRACKER_SELECTED_NO, "", true,
		"* ENABLED CONDSTORE\r\n" PREFIX "5 OK Enabled.\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_CLEAN},
	{"a silent server", TRACKER_SELECTED_NO, "", true, PREFIX "5 OK Completed\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_CLEAN},
	{"an empty answer", TRACKER_SELECTED_NO, "", true, "* ENABLED\r\n" PREFIX "5 OK\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_CLEAN},
	{"a server without it", TRACKER_SELECTED_NO, "", true, PREFIX "5 BAD Unknown\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
	{"a server that will not", TRACKER_SELECTED_NO, "", true, PREFIX "5 NO\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
	{"more than was asked for", TRACKER_SELECTED_NO, "", true,
		"* ENABLED CONDSTORE QRESYNC\r\n" PREFIX "5 OK\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
	{"messages without a mailbox", TRACKER_SELECTED_NO, "", true, "* 3 EXISTS\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
	{"behind UNSELECT", TRACKER_SELECTED_YES, "INBOX", true,
		"* 3 EXISTS\r\n" PREFIX "2 OK Unselected\r\n|* enabled condstore\r\n" PREFIX
		"5 OK\r\n",
		PREFIX "2 UNSELECT\r\n" PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_CLEAN},
	{"the answer comes early", TRACKER_SELECTED_YES, "INBOX", true,
		"* ENABLED CONDSTORE\r\n" PREFIX "2 OK Unselected\r\n", PREFIX "2 UNSELECT\r\n",
		SCRUB_FAILED},
	{"behind EXAMINE, CLOSE", TRACKER_SELECTED_YES, "INBOX", false,
		PREFIX "3 OK [READ-ONLY] Ok\r\n|" PREFIX "4 OK closed\r\n|" PREFIX "5 OK\r\n",
		PREFIX "3 EXAMINE INBOX\r\n" PREFIX "4 CLOSE\r\n" PREFIX "5 ENABLE CONDSTORE\r\n",
		SCRUB_CLEAN},
	{"a byte behind", TRACKER_SELECTED_NO, "", true, PREFIX "5 OK\r\n*",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
	{"a smuggled command's reply", TRACKER_SELECTED_NO, "", true, "b OK\r\n" PREFIX "5 OK\r\n",
		PREFIX "5 ENABLE CONDSTORE\r\n", SCRUB_FAILED},
};

/* Feeds the story in pieces of the given sizes (first, then step) and checks all that came out. */
static void play(const struct story *story, bool must_enable, size_t first, size_t step)
{
	struct scrub s;
	struct buf out;
	buf_init(&out, 1024);
	assert_true(scrub_begin(&s, PREFIX, story->selected, span_str(story->mailbox),
		story->has_unselect, must_enable, &out));
	enum scrub_verdict verdict = SCRUB_MORE;
	size_t size = first;
	for (const char *part = story->in; *part != '\0' && verdict == SCRUB_MORE;) {
		/* The server speaks on only when it was asked. */
		size_t n = strcspn(part, "|");
		if (n == 0) {
			part++;
			continue;
		}
		n = n < size ? n : size;
		size = step;
		struct span in = span_of(part, n);
		part += n;
		verdict = scrub_feed(&s, &in, &out);
		if (verdict == SCRUB_CLEAN && *part != '\0') {
			verdict = SCRUB_FAILED; /* what the owner of a parked connection does */
		}
	}
	if (verdict != story->verdict) {
		print_message("in \"%s\", split %zu %zu\n", story->name, first, step);
	}
	assert_int_equal(verdict, story->verdict);
	assert_true(span_is(buf_peek(&out), story->sent));
	buf_finish(&out);
	scrub_finish(&s);
}

static void play_all_ways(const struct story *story, bool must_enable)
{
	play(story, must_enable, SIZE_MAX, SIZE_MAX);
	play(story, must_enable, 1, 1);
	for (size_t at = 1; at < strlen(story->in); at++) {
		play(story, must_enable, at, SIZE_MAX);
	}
}

static void stories_at_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		play_all_ways(&stories[i], false);
	}
	for (size_t i = 0; i < sizeof(enabling) / sizeof(enabling[0]); i++) {
		play_all_ways(&enabling[i], true);
	}
}

static void no_safe_way(void **state)
{
	(void)state;
	static const char *const names[] = {"", "a b", "a{3}", "\"open", "\"a\" b\"", "\"a\\\"",
		"a\r\nb LOGOUT", "\"a\nb\"", "a\x01", "\xc3\xa4", "a(", "a\"b", "a\\b", "*"};
	struct scrub s;
	struct buf out;
	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(scrub_begin(
			&s, PREFIX, TRACKER_SELECTED_YES, span_str(names[i]), false, false, &out));
	}
	assert_false(scrub_begin(
		&s, PREFIX, TRACKER_SELECTED_UNKNOWN, span_str("INBOX"), false, false, &out));
	assert_int_equal(buf_len(&out), 0);
	assert_true(scrub_begin(
		&s, PREFIX, TRACKER_SELECTED_YES, span_str("\"\xc3\xa4 b\""), false, false, &out));
	scrub_finish(&s);
	buf_finish(&out);
	buf_init(&out, 10);
	assert_false(scrub_begin(&s, PREFIX, TRACKER_SELECTED_NO, span_str(""), true, false, &out));
}

static void check_is_a_noop(void **state)
{
	(void)state;
	struct scrub s;
	struct buf out;
	buf_init(&out, 1024);
	scrub_begin_check(&s, PREFIX, &out);
	assert_true(span_is(buf_peek(&out), PREFIX "1 NOOP\r\n"));
	struct span in = span_str("* OK hello\r\n" PREFIX "1 OK\r\n");
	assert_int_equal(scrub_feed(&s, &in, &out), SCRUB_CLEAN);
	assert_int_equal(in.n, 0);
	scrub_finish(&s);
	buf_finish(&out);
}

static void too_much_input(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 1024);
	static char many[SCRUB_MAX_INPUT];
	memset(many, 'x', sizeof(many));
	memcpy(many, "* 1 X ", 6);
	for (size_t piece = 1; piece < sizeof(many); piece = piece * 7 + 1) {
		struct scrub s;
		bool begun = scrub_begin(
			&s, PREFIX, TRACKER_SELECTED_YES, span_str("INBOX"), true, false, &out);
		assert_true(begun);
		for (size_t at = 0; at < sizeof(many); at += piece) {
			size_t left = sizeof(many) - at;
			struct span in = span_of(many + at, left < piece ? left : piece);
			assert_int_equal(scrub_feed(&s, &in, &out), SCRUB_MORE);
		}
		struct span in = span_str("\n");
		assert_int_equal(scrub_feed(&s, &in, &out), SCRUB_FAILED);
		scrub_finish(&s);
	}
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories_at_every_split),
		cmocka_unit_test(no_safe_way),
		cmocka_unit_test(check_is_a_noop),
		cmocka_unit_test(too_much_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
