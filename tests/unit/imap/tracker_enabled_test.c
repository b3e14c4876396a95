/* What is enabled on a connection: said by the server, answered here, switched on by use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/tracker_rig.h"
#include "lib/tracker_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void enable(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"the set is what the server says",
			{"C:1 ENABLE qresync UTF8=ACCEPT X\r\n",
				"S:* ENABLED UTF8=ACCEPT QRESYNC\r\n1 OK done\r\n"},
			.to_server = "1 ENABLE qresync UTF8=ACCEPT X\r\n",
			.to_client = "* ENABLED UTF8=ACCEPT QRESYNC\r\n1 OK done\r\n",
			.enabled = "CONDSTORE QRESYNC UTF8=ACCEPT"},
		{"which may be nothing", {"C:1 ENABLE X\r\n", "S:* ENABLED\r\n1 OK\r\n"},
			.to_server = "1 ENABLE X\r\n", .to_client = "* ENABLED\r\n1 OK\r\n"},
		{"or silence", {"C:1 ENABLE UTF8=ACCEPT\r\n", "S:1 OK\r\n"},
			.to_server = "1 ENABLE UTF8=ACCEPT\r\n", .to_client = "1 OK\r\n"},
		{"or no", {"C:1 ENABLE UTF8=ACCEPT\r\n", "S:\r\n1 BAD\r\n"},
			.to_server = "1 ENABLE UTF8=ACCEPT\r\n", .to_client = "\r\n1 BAD\r\n"},
		{"more in two commands",
			{"C:1 ENABLE UIDONLY\r\n2 ENABLE IMAP4rev2\r\n",
				"S:* ENABLED UIDONLY\r\n1 OK\r\n* ENABLED IMAP4rev2\r\n2 OK\r\n"},
			.to_server = "1 ENABLE UIDONLY\r\n2 ENABLE IMAP4rev2\r\n",
			.to_client = "* ENABLED UIDONLY\r\n1 OK\r\n* ENABLED IMAP4rev2\r\n2 OK\r\n",
			.enabled = "IMAP4REV2 UIDONLY"},
		{"what is enabled is answered here: Cyrus, Dovecot 2.4 would be silent",
			{"C:1 ENABLE QRESYNC METADATA\r\n",
				"S:* ENABLED QRESYNC METADATA\r\n1 OK\r\n",
				"C:2 enable metadata\r\n3 ENABLE CONDSTORE\r\n"
				"4 ENABLE  METADATA CONDSTORE METADATA \r\n"},
			.to_server = "1 ENABLE QRESYNC METADATA\r\n",
			.to_client = "* ENABLED QRESYNC METADATA\r\n1 OK\r\n"
				     "* ENABLED METADATA\r\n2 OK ENABLE completed.\r\n"
				     "* ENABLED CONDSTORE\r\n3 OK ENABLE completed.\r\n"
				     "* ENABLED CONDSTORE METADATA\r\n4 OK ENABLE completed.\r\n",
			.enabled = "CONDSTORE METADATA QRESYNC"},
		{"not behind one that is in flight",
			{"C:1 ENABLE METADATA\r\n2 ENABLE METADATA\r\n",
				"S:* ENABLED METADATA\r\n1 OK\r\n2 OK\r\n"},
			.to_server = "1 ENABLE METADATA\r\n2 ENABLE METADATA\r\n",
			.to_client = "* ENABLED METADATA\r\n1 OK\r\n2 OK\r\n",
			.enabled = "METADATA"},
		{"one new word goes to the server with the old ones",
			{"C:1 ENABLE METADATA\r\n", "S:* ENABLED METADATA\r\n1 OK\r\n",
				"C:2 ENABLE METADATA UIDONLY\r\n",
				"S:* ENABLED UIDONLY\r\n2 OK\r\n"},
			.to_server = "1 ENABLE METADATA\r\n2 ENABLE METADATA UIDONLY\r\n",
			.to_client = "* ENABLED METADATA\r\n1 OK\r\n* ENABLED UIDONLY\r\n2 OK\r\n",
			.enabled = "METADATA UIDONLY"},
		{"inside a response it waits",
			{"C:1 ENABLE METADATA\r\n", "S:* ENABLED METADATA\r\n1 OK\r\n* 1 EXI",
				"C:2 ENABLE METADATA\r\n", "S:STS\r\n"},
			.to_server = "1 ENABLE METADATA\r\n",
			.to_client = "* ENABLED METADATA\r\n1 OK\r\n* 1 EXISTS\r\n"
				     "* ENABLED METADATA\r\n2 OK ENABLE completed.\r\n",
			.enabled = "METADATA"},
		{"a literal is for the server to judge", {"C:1 ENABLE {8}\r\n", "S:1 BAD\r\n"},
			.to_server = "1 ENABLE {8}\r\n", .to_client = "1 BAD\r\n",
			.dirt = "enable"},
		{"no words", {"C:1 ENABLE  \r\n", "S:1 BAD\r\n"}, .to_server = "1 ENABLE  \r\n",
			.to_client = "1 BAD\r\n", .dirt = "enable"},
		{"ENABLED that is no list", {"C:1 ENABLE X\r\n", "S:* ENABLED {5}\r\n1 OK\r\n"},
			.to_server = "1 ENABLE X\r\n", .to_client = "* ENABLED {5}\r\n1 OK\r\n",
			.dirt = "odd-response"},
		{"ENABLED behind its OK", {"C:1 ENABLE X\r\n", "S:1 OK\r\n* ENABLED X\r\n"},
			.to_server = "1 ENABLE X\r\n", .to_client = "1 OK\r\n* ENABLED X\r\n",
			.dirt = "enable", .enabled = "X"},
		{"ENABLEDX is another word", {"C:1 ENABLE X\r\n", "S:* ENABLEDX Y\r\n1 OK\r\n"},
			.to_server = "1 ENABLE X\r\n", .to_client = "* ENABLEDX Y\r\n1 OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void use(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"what uses CONDSTORE", {"C:1 STATUS x (HIGHESTMODSEQ)\r\n", "S:1 OK\r\n"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n", .to_client = "1 OK\r\n",
			.enabled = "CONDSTORE", .is_implicit = true},
		{"ENABLE behind it goes to the server",
			{"C:1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE CONDSTORE\r\n",
				"S:1 OK\r\n* ENABLED CONDSTORE\r\n2 OK\r\n"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE CONDSTORE\r\n",
			.to_client = "1 OK\r\n* ENABLED CONDSTORE\r\n2 OK\r\n",
			.enabled = "CONDSTORE"},
		{"and when it is silent there is still a doubt",
			{"C:1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE CONDSTORE\r\n",
				"S:1 OK\r\n2 OK\r\n"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE CONDSTORE\r\n",
			.to_client = "1 OK\r\n2 OK\r\n", .enabled = "CONDSTORE",
			.is_implicit = true},
		{"CONDSTORE with other words",
			{"C:1 FETCH 1 (MODSEQ)\r\n2 ENABLE METADATA\r\n",
				"S:* 1 FETCH (MODSEQ (1))\r\n1 OK\r\n* ENABLED METADATA\r\n2 "
				"OK\r\n",
				"C:3 ENABLE METADATA\r\n"},
			.to_server = "1 FETCH 1 (MODSEQ)\r\n2 ENABLE METADATA\r\n",
			.to_client =
				"* 1 FETCH (MODSEQ (1))\r\n1 OK\r\n* ENABLED METADATA\r\n2 OK\r\n"
				"* ENABLED METADATA\r\n3 OK ENABLE completed.\r\n",
			.enabled = "CONDSTORE METADATA", .is_implicit = true},
		{"ENABLE QRESYNC and SELECT with it in one go",
			{"C:1 ENABLE QRESYNC\r\n2 SELECT x (QRESYNC (1 2))\r\n",
				"S:* ENABLED QRESYNC\r\n1 OK\r\n* VANISHED (EARLIER) 3\r\n2 "
				"OK\r\n"},
			.to_server = "1 ENABLE QRESYNC\r\n2 SELECT x (QRESYNC (1 2))\r\n",
			.to_client = "* ENABLED QRESYNC\r\n1 OK\r\n* VANISHED (EARLIER) 3\r\n"
				     "2 OK\r\n",
			.enabled = "CONDSTORE QRESYNC", .selected = TRACKER_SELECTED_YES,
			.mailbox = "x"},
		{"QRESYNC without ENABLE", {"C:1 SELECT x (QRESYNC (1 2))\r\n", "S:1 BAD\r\n"},
			.to_server = "1 SELECT x (QRESYNC (1 2))\r\n", .to_client = "1 BAD\r\n",
			.enabled = "CONDSTORE", .is_implicit = true, .dirt = "qresync",
			.selected = TRACKER_SELECTED_UNKNOWN},
		{"VANISHED needs QRESYNC or UIDONLY",
			{"C:1 ENABLE UIDONLY\r\n",
				"S:* ENABLED UIDONLY\r\n1 OK\r\n* VANISHED 3\r\n"},
			.to_server = "1 ENABLE UIDONLY\r\n",
			.to_client = "* ENABLED UIDONLY\r\n1 OK\r\n* VANISHED 3\r\n",
			.enabled = "UIDONLY"},
		{"not CONDSTORE alone",
			{"C:1 ENABLE CONDSTORE\r\n",
				"S:* ENABLED CONDSTORE\r\n1 OK\r\n* VANISHED 3\r\n"},
			.to_server = "1 ENABLE CONDSTORE\r\n",
			.to_client = "* ENABLED CONDSTORE\r\n1 OK\r\n* VANISHED 3\r\n",
			.enabled = "CONDSTORE", .dirt = "vanished"},
		{"NOTIFY stays dirt",
			{"C:1 ENABLE CONDSTORE\r\n2 NOTIFY NONE\r\n",
				"S:* ENABLED CONDSTORE\r\n1 OK\r\n2 OK\r\n"},
			.to_server = "1 ENABLE CONDSTORE\r\n2 NOTIFY NONE\r\n",
			.to_client = "* ENABLED CONDSTORE\r\n1 OK\r\n2 OK\r\n",
			.enabled = "CONDSTORE", .dirt = "notify"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

/* A class of one word of the longest kind, enabled by the server. */
static void enable_longest(struct tracker_rig *rig, const char *word)
{
	struct buf line;
	buf_init(&line, 2000);
	assert_true(buf_addf(&line, "a ENABLE %s\r\n", word));
	tracker_rig_client(rig, buf_peek(&line), SIZE_MAX, SIZE_MAX);
	buf_clear(&line);
	assert_true(buf_addf(&line, "* ENABLED %s\r\na OK\r\n", word));
	tracker_rig_server(rig, buf_peek(&line), 7, 7);
	assert_true(span_is(tracker_enabled(rig->t), word));
	assert_null(tracker_dirt(rig->t));
	buf_finish(&line);
}

static void longest_set(void **state)
{
	(void)state;
	static const struct {
		const char *command, *dirt;
	} rows[] = {{"c ENABLE Y\r\n", "enable"}, {"c FETCH 1 MODSEQ\r\n", "condstore"}};
	char word[ENABLED_MAX + 1];
	memset(word, 'X', ENABLED_MAX);
	word[ENABLED_MAX] = '\0';
	struct buf line;
	buf_init(&line, 2000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tracker_rig rig;
		tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
		enable_longest(&rig, word);
		buf_clear(&rig.to_client);
		assert_true(buf_addf(&line, "b ENABLE %s\r\n", word));
		tracker_rig_client(&rig, buf_peek(&line), SIZE_MAX, SIZE_MAX);
		buf_clear(&line);
		assert_true(buf_addf(&line, "* ENABLED %s\r\nb OK ENABLE completed.\r\n", word));
		assert_true(span_equal(buf_peek(&rig.to_client), buf_peek(&line)));
		buf_clear(&line);
		tracker_rig_client(&rig, span_str(rows[i].command), SIZE_MAX, SIZE_MAX);
		assert_string_equal(tracker_dirt(rig.t), rows[i].dirt);
		assert_true(span_is(tracker_enabled(rig.t), word));
		tracker_rig_finish(&rig);
	}
	buf_finish(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enable),
		cmocka_unit_test(use),
		cmocka_unit_test(longest_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
