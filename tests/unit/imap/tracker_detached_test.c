/* A session without a server connection: what is answered here, what asks for one, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>

#include "lib/tracker_rig.h"
#include "lib/tracker_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TOLD "* CAPABILITY IMAP4rev1 IDLE UNSELECT LITERAL+ SASL-IR ID\r\n"

static void answers(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"nothing happens", {"C:", "d"}, .to_server = "", .to_client = "",
			.is_detached = true},
		{"CAPABILITY, NOOP", {"C:1 capability\r\n2 NOOP\r\n\r\n3 noop\r\n"},
			.to_server = "",
			.to_client = TOLD "1 OK Capability completed.\r\n2 OK NOOP completed.\r\n"
					  "3 OK NOOP completed.\r\n",
			.is_detached = true},
		{"ID", {"C:1 ID NIL\r\n2 ID (\"name\" \"x\")\r\n3 ID ({4+}\r\nname NIL)\r\n"},
			.to_server = "",
			.to_client = "* ID " RIG_SERVER_ID "\r\n1 OK ID completed.\r\n"
				     "* ID " RIG_SERVER_ID "\r\n2 OK ID completed.\r\n"
				     "* ID " RIG_SERVER_ID "\r\n3 OK ID completed.\r\n",
			.is_detached = true},
		{"LOGOUT behind others", {"C:1 NOOP\r\n2 LOGOUT\r\n3 STATUS x (MESSAGES)\r\n"},
			.to_server = "",
			.to_client = "1 OK NOOP completed.\r\n* BYE Logging out\r\n"
				     "2 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT, .is_detached = true},
		{"commands that have their place elsewhere",
			{"C:1 LOGIN a {3+}\r\nb C\r\n2 COMPRESS DEFLATE\r\n3 UNAUTHENTICATE\r\n"},
			.to_server = "",
			.to_client = "1 BAD Not possible in a session\r\n"
				     "2 NO Compression is not available\r\n"
				     "3 BAD Not possible in a session\r\n",
			.is_detached = true},
		{"what cannot be read",
			{"C:* NOOP\r\n1 NO\x1eOP\r\n2 2\r\n3 STATUS \"x\r\n4 LIST {9}x\r\n"},
			.to_server = "",
			.to_client = "* BAD Invalid tag\r\n1 BAD Malformed line\r\n"
				     "2 BAD Invalid command\r\n3 BAD Malformed line\r\n"
				     "4 BAD Malformed line\r\n",
			.is_detached = true},
		{"a line that is too long",
			{"C:1 STATUS 789012345678901234567890 {5+}\r\nabcde \r\n2 NOOP\r\n"},
			.to_server = "",
			.to_client = "1 BAD Command line too long\r\n2 OK NOOP completed.\r\n",
			.max_line = 20, .is_detached = true},
		{"half a line", {"C:1 NOO"}, .to_server = "", .to_client = "", .is_open = true,
			.is_detached = true},
		{"IDLE", {"C:1 IDLE\r\n", "C:done\r\n2 NOOP\r\n"}, .to_server = "",
			.to_client = "+ idling\r\n1 OK Idle completed.\r\n2 OK NOOP completed.\r\n",
			.is_detached = true},
		{"IDLE goes on", {"C:1 IDLE\r\n", "d"}, .to_server = "",
			.to_client = "+ idling\r\n", .is_open = true, .is_detached = true},
		{"IDLE ended by something else",
			{"C:1 IDLE\r\n2 NOOP\r\n3 IDLE\r\n\r\n4 IDLE\r\nx {7+}\r\n5 NOOP y\r\n"
			 "6 NOOP\r\n"},
			.to_server = "",
			.to_client = "+ idling\r\n1 BAD Expected DONE\r\n"
				     "+ idling\r\n3 BAD Expected DONE\r\n"
				     "+ idling\r\n4 BAD Expected DONE\r\n6 OK NOOP completed.\r\n",
			.is_detached = true},
		{"IDLE and a line that is too long", {"C:1 IDLE\r\n", "C:2 345678901234567890\r\n"},
			.to_server = "", .to_client = "+ idling\r\n* BYE Command line too long\r\n",
			.max_line = 20, .ended = TRACKER_FAILED, .failure = FAIL_LINE_TOO_LONG,
			.is_open = true, .is_detached = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void needs_a_mailbox(void **state)
{
	(void)state;
	static const char *const commands[] = {"CHECK", "CLOSE", "unselect", "EXPUNGE", "FETCH 1 x",
		"STORE 1 x y", "COPY 1 x", "MOVE 1 x", "SEARCH ALL", "SORT x", "THREAD x",
		"UID FETCH 1 (MODSEQ)", "uid store 1 x", "UID COPY 1 x", "UID MOVE 1 x",
		"UID SEARCH ALL", "UID SORT x", "UID THREAD x", "UID EXPUNGE 1"};
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct tracker_rig rig;
		tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
		char line[128];
		int n = snprintf(line, sizeof(line), "a %s\r\n", commands[i]);
		tracker_rig_client(&rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
		assert_true(span_is(buf_peek(&rig.to_client), "a BAD No mailbox selected\r\n"));
		assert_true(tracker_is_quiet(rig.t));
		assert_int_equal(tracker_enabled(rig.t).n, 0);
		tracker_rig_finish(&rig);
	}
}

static void needs_a_connection(void **state)
{
	(void)state;
	static const char *const commands[] = {"STATUS x (HIGHESTMODSEQ)", "LIST \"\" *",
		"NAMESPACE", "SELECT x", "EXAMINE x", "APPEND x {5}", "APPEND x {5+}",
		"FETCH 1 {5+}", "NOOP {5+}", "NOOP x", "CAPABILITY x", "IDLE x", "IDLE {1+}",
		"CREATE x", "X", "UID", "UID LOGOUT", "NOTIFY NONE", "ESEARCH x", "REPLACE 1 x",
		"UID REPLACE 1 x", "ENABLE", "ENABLE {5}", "ENABLE ]", "GETQUOTA x"};
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct tracker_rig rig;
		tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
		char line[128];
		int n = snprintf(line, sizeof(line), "a %s\r\n", commands[i]);
		tracker_rig_client(&rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
		assert_true(rig.is_wanting);
		assert_int_equal(buf_len(&rig.waiting), n);
		assert_int_equal(buf_len(&rig.to_client), 0);
		assert_int_equal(tracker_enabled(rig.t).n, 0);
		assert_true(tracker_can_interject(rig.t));
		assert_false(tracker_is_idling(rig.t));
		tracker_rig_finish(&rig);
	}
}

static void attach(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"order is kept",
			{"C:1 NOOP\r\n2 STATUS x (MESSAGES)\r\n3 NOOP\r\n4 LOGOUT\r\n",
				"W:", "A:", "S:* STATUS x (MESSAGES 1)\r\n2 OK\r\n3 OK\r\n"},
			.to_server = "2 STATUS x (MESSAGES)\r\n3 NOOP\r\n",
			.to_client = "1 OK NOOP completed.\r\n* STATUS x (MESSAGES 1)\r\n2 OK\r\n"
				     "3 OK\r\n* BYE Logging out\r\n4 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT, .is_detached = true},
		{"what comes while it waits stays", {"C:1 LIST \"\" *\r\n", "C:2 NOOP\r\n", "W:"},
			.to_server = "", .to_client = "", .is_open = true, .is_detached = true},
		{"a literal",
			{"C:1 APPEND x {5+}\r\nhello\r\n2 NOOP\r\n", "W:", "A:", "S:+\r\n",
				"S:1 OK\r\n2 OK\r\n"},
			.to_server = "1 APPEND x {5}\r\nhello\r\n2 NOOP\r\n",
			.to_client = "1 OK\r\n2 OK\r\n", .is_detached = true},
		{"a synchronising literal",
			{"C:1 APPEND x {5}\r\n", "W:", "A:", "S:+\r\n", "C:hello\r\n",
				"S:1 OK\r\n"},
			.to_server = "1 APPEND x {5}\r\nhello\r\n", .to_client = "+\r\n1 OK\r\n",
			.is_detached = true},
		{"a tag that only the proxy may use",
			{"C:" RIG_PROXY_TAG "1 LIST \"\" *\r\n2 NOOP\r\n",
				"W:", "A:", "S:2 OK\r\n"},
			.to_server = "2 NOOP\r\n", .to_client = "* BAD Tag is in use\r\n2 OK\r\n",
			.is_detached = true},
		{"refused", {"C:1 LIST \"\" *\r\n2 NOOP\r\n", "W:", "R:[UNAVAILABLE] Not now\r\nx"},
			.to_server = "",
			.to_client = "1 NO [UNAVAILABLE] Not now\r\n2 OK NOOP completed.\r\n",
			.is_detached = true},
		{"refused, the octets are no commands",
			{"C:1 APPEND x {8+}\r\n2 LOGOUT {2+}\r\nab\r\n3 LIST {3}\r\n",
				"W:", "R:[LIMIT] Later", "W:", "R:", "C:4 NOOP\r\n"},
			.to_server = "",
			.to_client = "1 NO [LIMIT] Later\r\n3 NO \r\n4 OK NOOP completed.\r\n",
			.is_detached = true},
		{"refused, and the next one gets one",
			{"C:1 LIST \"\" *\r\n2 LIST \"\" *\r\n", "W:", "R:No",
				"W:", "A:", "S:2 OK\r\n"},
			.to_server = "2 LIST \"\" *\r\n", .to_client = "1 NO No\r\n2 OK\r\n",
			.is_detached = true},
		{"an ENABLE refused",
			{"C:1 ENABLE METADATA\r\n2 NOOP\r\n3 LIST \"\" *\r\n", "W:METADATA", "R:No",
				"W:"},
			.to_server = "", .to_client = "1 NO No\r\n2 OK NOOP completed.\r\n",
			.is_open = true, .is_detached = true},
		{"ENABLE is answered from the connection's class",
			{"C:1 enable qresync\r\n2 ENABLE CONDSTORE\r\n3 LIST \"\" *\r\n",
				"W:CONDSTORE QRESYNC", "A:CONDSTORE QRESYNC", "S:3 OK\r\n"},
			.to_server = "3 LIST \"\" *\r\n",
			.to_client = "* ENABLED CONDSTORE QRESYNC\r\n1 OK ENABLE completed.\r\n"
				     "* ENABLED CONDSTORE\r\n2 OK ENABLE completed.\r\n3 OK\r\n",
			.enabled = "CONDSTORE QRESYNC", .is_detached = true},
		{"which may have less",
			{"C:1 ENABLE X METADATA\r\n2 ENABLE X\r\n", "W:METADATA X", "A:METADATA",
				"S:* ENABLED\r\n2 OK\r\n"},
			.to_server = "2 ENABLE X\r\n",
			.to_client = "* ENABLED METADATA\r\n1 OK ENABLE completed.\r\n"
				     "* ENABLED\r\n2 OK\r\n",
			.enabled = "METADATA", .is_detached = true},
		{"or nothing", {"C:1 ENABLE X\r\n", "W:X", "A:"}, .to_server = "",
			.to_client = "* ENABLED\r\n1 OK ENABLE completed.\r\n",
			.is_detached = true},
		{"BYE", {"C:1 LIST \"\" *\r\n", "A:", "S:* BYE x\r\n", "d"},
			.to_server = "1 LIST \"\" *\r\n", .to_client = "* BYE x\r\n", .dirt = "bye",
			.byes = 1, .is_open = true, .is_detached = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void detach(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"again and again",
			{"C:1 LIST \"\" *\r\n", "d", "S:1 OK\r\n", "D", "C:2 NOOP\r\n", "d",
				"C:3 LIST \"\" *\r\n", "W:", "A:", "S:3 OK\r\n", "D",
				"C:1 CHECK\r\n"},
			.to_server = "1 LIST \"\" *\r\n3 LIST \"\" *\r\n",
			.to_client = "1 OK\r\n2 OK NOOP completed.\r\n3 OK\r\n"
				     "1 BAD No mailbox selected\r\n"},
		{"what is enabled stays, and is wanted again",
			{"C:1 ENABLE UTF8=ACCEPT\r\n", "S:* ENABLED UTF8=ACCEPT\r\n1 OK\r\n", "D",
				"C:2 ENABLE utf8=accept\r\n3 NOOP\r\n4 LIST \"\" *\r\n",
				"W:UTF8=ACCEPT", "A:UTF8=ACCEPT", "S:4 OK\r\n", "D",
				"C:5 ENABLE QRESYNC\r\n", "W:CONDSTORE QRESYNC UTF8=ACCEPT",
				"A:CONDSTORE UTF8=ACCEPT"},
			.to_server = "1 ENABLE UTF8=ACCEPT\r\n4 LIST \"\" *\r\n",
			.to_client = "* ENABLED UTF8=ACCEPT\r\n1 OK\r\n* ENABLED UTF8=ACCEPT\r\n"
				     "2 OK ENABLE completed.\r\n3 OK NOOP completed.\r\n4 OK\r\n"
				     "* ENABLED\r\n5 OK ENABLE completed.\r\n",
			.enabled = "CONDSTORE UTF8=ACCEPT"},
		{"CONDSTORE by use is enabled in truth on the next one",
			{"C:1 STATUS x (HIGHESTMODSEQ)\r\n", "S:1 OK\r\n", "D",
				"C:2 ENABLE CONDSTORE\r\n3 LIST \"\" *\r\n", "W:CONDSTORE",
				"A:CONDSTORE", "C:4 ENABLE CONDSTORE\r\n", "S:3 OK\r\n"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n3 LIST \"\" *\r\n",
			.to_client = "1 OK\r\n* ENABLED CONDSTORE\r\n2 OK ENABLE completed.\r\n"
				     "* ENABLED CONDSTORE\r\n4 OK ENABLE completed.\r\n3 OK\r\n",
			.enabled = "CONDSTORE"},
		{"a server without it can go on",
			{"C:1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE METADATA\r\n",
				"S:* ENABLED METADATA\r\n1 OK\r\n2 OK\r\n", "D",
				"C:3 NAMESPACE\r\n", "W:CONDSTORE METADATA", "A:METADATA"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n2 ENABLE METADATA\r\n"
				     "3 NAMESPACE\r\n",
			.to_client = "* ENABLED METADATA\r\n1 OK\r\n2 OK\r\n",
			.enabled = "METADATA", .is_open = true},
		{"until then it is not", {"C:1 STATUS x (HIGHESTMODSEQ)\r\n", "S:1 OK\r\n", "D"},
			.to_server = "1 STATUS x (HIGHESTMODSEQ)\r\n", .to_client = "1 OK\r\n",
			.enabled = "CONDSTORE", .is_implicit = true},
		{"not while a mailbox is selected",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "d", "C:2 UNSELECT\r\n", "d",
				"S:2 OK\r\n", "D"},
			.to_server = "1 SELECT x\r\n2 UNSELECT\r\n",
			.to_client = "1 OK\r\n2 OK\r\n"},
		{"or may be", {"C:1 SELECT x\r\n", "S:1 BAD\r\n", "d"},
			.to_server = "1 SELECT x\r\n", .to_client = "1 BAD\r\n",
			.selected = TRACKER_SELECTED_UNKNOWN},
		{"not with dirt", {"C:1 NOTIFY NONE\r\n", "S:1 OK\r\n", "d"},
			.to_server = "1 NOTIFY NONE\r\n", .to_client = "1 OK\r\n",
			.dirt = "notify"},
		{"not in half a line", {"C:1 NOO", "d", "C:P\r\n", "S:1 OK\r\n", "D"},
			.to_server = "1 NOOP\r\n", .to_client = "1 OK\r\n"},
		{"not in half a response", {"S:* ", "d", "S:1 EXI", "d", "S:STS\r\n", "D"},
			.to_server = "", .to_client = "* 1 EXISTS\r\n"},
		{"not in a refused literal",
			{"C:1 LOGIN {3+}\r\na", "d", "C:bc\r", "d", "C:\n", "D"}, .to_server = "",
			.to_client = "1 BAD Not possible in a session\r\n"},
		{"not in IDLE",
			{"C:1 IDLE\r\n", "d", "S:+ \r\n", "d", "C:DONE\r\n", "d", "S:1 OK\r\n", "D",
				"C:2 IDLE\r\n", "C:DONE\r\n"},
			.to_server = "1 IDLE\r\nDONE\r\n",
			.to_client = "+ \r\n1 OK\r\n+ idling\r\n2 OK Idle completed.\r\n"},
		{"not behind LOGOUT", {"C:1 LOGOUT\r\n", "d"}, .to_server = "",
			.to_client = "* BYE Logging out\r\n1 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT},
		{"the newest list is told",
			{"C:1 CAPABILITY\r\n", "S:* CAPABILITY IMAP4rev1 X XHIDDEN AUTH=PLAIN\r\n",
				"S:1 OK\r\n", "D", "C:2 CAPABILITY\r\n"},
			.to_server = "1 CAPABILITY\r\n",
			.to_client = "* CAPABILITY IMAP4rev1 X LITERAL+ SASL-IR ID\r\n1 OK\r\n"
				     "* CAPABILITY IMAP4rev1 X LITERAL+ SASL-IR ID\r\n"
				     "2 OK Capability completed.\r\n"},
		{"a list comes with the connection",
			{"C:1 CAPABILITY\r\n", "W:", "A:", "S:1 OK\r\n", "D", "C:2 CAPABILITY\r\n"},
			.to_server = "1 CAPABILITY\r\n",
			.to_client = "1 OK\r\n" TOLD "2 OK Capability completed.\r\n",
			.capabilities = "", .is_detached = true},
		{"no list was ever told", {"C:1 CAPABILITY\r\n", "W:"}, .to_server = "",
			.to_client = "", .capabilities = "", .is_open = true, .is_detached = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void client_gone(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"quiet", {"C:1 NOOP\r\n", "G"}, .to_server = "",
			.to_client = "1 OK NOOP completed.\r\n", .is_detached = true},
		{"in half a line", {"C:1 NO", "G"}, .to_server = "", .to_client = "",
			.is_detached = true},
		{"in IDLE", {"C:1 IDLE\r\nDO", "G"}, .to_server = "", .to_client = "+ idling\r\n",
			.is_detached = true},
		{"while a command waits", {"C:1 LIST \"\" *\r\n2 NOOP\r\n", "G"}, .to_server = "",
			.to_client = "", .is_detached = true},
		{"while an ENABLE waits", {"C:1 ENABLE X\r\n", "G"}, .to_server = "",
			.to_client = "", .is_detached = true},
		{"in a refused literal", {"C:1 APPEND x {5+}\r\na", "R:No", "G"}, .to_server = "",
			.to_client = "1 NO No\r\n", .is_detached = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void questions(void **state)
{
	(void)state;
	struct tracker_rig rig;
	tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
	assert_true(tracker_is_quiet(rig.t));
	assert_true(tracker_can_interject(rig.t));
	assert_false(tracker_is_idling(rig.t));
	assert_null(tracker_dirt(rig.t));
	assert_int_equal(tracker_selected(rig.t), TRACKER_SELECTED_NO);
	tracker_rig_client(&rig, span_str("a IDLE\r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_is_idling(rig.t));
	assert_false(tracker_is_quiet(rig.t));
	assert_true(tracker_can_interject(rig.t));
	tracker_rig_client(&rig, span_str("D"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	tracker_rig_client(&rig, span_str("ONE\r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_is_quiet(rig.t));
	tracker_rig_client(&rig, span_str("b LIST \"\" *\r\n"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_quiet(rig.t));
	tracker_rig_attach(&rig, span_str(""), RIG_CAPABILITIES);
	assert_false(tracker_is_quiet(rig.t));
	tracker_rig_finish(&rig);
}

/* Only a connection that has all the client was told of, and nothing that it did not ask for. */
static void which_connection(void **state)
{
	(void)state;
	struct tracker_rig rig;
	tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
	assert_true(tracker_can_attach(rig.t, span_str("")));
	assert_false(tracker_can_attach(rig.t, span_str("METADATA")));
	tracker_rig_client(&rig, span_str("a ENABLE METADATA UIDONLY\r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_can_attach(rig.t, span_str("")));
	assert_true(tracker_can_attach(rig.t, span_str("UIDONLY")));
	assert_true(tracker_can_attach(rig.t, span_str("METADATA UIDONLY")));
	assert_false(tracker_can_attach(rig.t, span_str("METADATA UIDONLY UTF8=ACCEPT")));
	/* The span may be the tracker's own. */
	tracker_rig_attach(&rig, tracker_enabled(rig.t), RIG_CAPABILITIES);
	assert_true(span_is(tracker_enabled(rig.t), "METADATA UIDONLY"));
	assert_true(tracker_can_detach(rig.t));
	struct span before = tracker_enabled(rig.t);
	tracker_detach(rig.t);
	assert_ptr_equal(tracker_enabled(rig.t).p, before.p);
	assert_true(tracker_can_attach(rig.t, span_str("METADATA UIDONLY")));
	assert_false(tracker_can_attach(rig.t, span_str("METADATA")));
	assert_false(tracker_can_attach(rig.t, span_str("")));
	tracker_rig_finish(&rig);
}

static void odd_server_ids(void **state)
{
	(void)state;
	static const struct {
		const char *id, *told;
	} rows[] = {{NULL, "NIL"}, {"", "NIL"}, {"NIL", "NIL"}, {"(\"a\" \"b\r\n* BYE\")", "NIL"},
		{"(\"a\" {3})", "NIL"}, {"(\"a\" \"b)", "NIL"}, {"(\"a\" NIL) {5}", "NIL"},
		{"(\"a\" NIL)", "(\"a\" NIL)"}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tracker_rig rig;
		tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
		tracker_destroy(&rig.t);
		rig.t = tracker_create(
			&(struct tracker_options){.server_id = rows[i].id, .max_line = 100});
		tracker_rig_client(&rig, span_str("a ID NIL\r\n"), SIZE_MAX, SIZE_MAX);
		char told[100];
		snprintf(told, sizeof(told), "* ID %s\r\na OK ID completed.\r\n", rows[i].told);
		assert_true(span_is(buf_peek(&rig.to_client), told));
		tracker_rig_finish(&rig);
	}
}

static void long_refusal(void **state)
{
	(void)state;
	char text[TRACKER_MAX_REFUSAL + 10];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	struct tracker_rig rig;
	tracker_rig_init_detached(&rig, 65536, RIG_CAPABILITIES);
	tracker_rig_client(&rig, span_str("a LIST \"\" *\r\n"), SIZE_MAX, SIZE_MAX);
	tracker_rig_refuse(&rig, text);
	assert_int_equal(buf_len(&rig.to_client), strlen("a NO \r\n") + TRACKER_MAX_REFUSAL);
	tracker_rig_finish(&rig);
}

static void nowhere(void *owner, struct span bytes)
{
	(void)owner;
	(void)bytes;
}

static void idle_session_is_small(void **state)
{
	(void)state;
	struct tracker_sink sink = {.to_client = nowhere, .to_server = nowhere};
	struct tracker_options options = {
		.max_line = 65536, .server_capabilities = span_str(RIG_CAPABILITIES)};
	size_t before = mallinfo2().uordblks;
	struct tracker *t = tracker_create(&options);
	struct span in = span_str("a NOOP\r\nb ENABLE QRESYNC\r\nc LIST \"\" *\r\n");
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_ATTACH);
	tracker_attach(t, tracker_enabled(t), span_str(RIG_CAPABILITIES), RIG_PROXY_TAG);
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_MORE);
	in = span_str("* LIST () \".\" x\r\nc OK\r\n");
	assert_int_equal(tracker_server(t, &in, &sink), TRACKER_MORE);
	tracker_detach(t);
	in = span_str("d IDLE\r\n");
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_MORE);
	size_t after = mallinfo2().uordblks;
	/* Sanitizers have an allocator of their own, which does not count here. */
	if (after > before) {
		assert_in_range(after - before, 1, 900);
	}
	tracker_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(needs_a_mailbox),
		cmocka_unit_test(needs_a_connection),
		cmocka_unit_test(attach),
		cmocka_unit_test(detach),
		cmocka_unit_test(client_gone),
		cmocka_unit_test(questions),
		cmocka_unit_test(which_connection),
		cmocka_unit_test(odd_server_ids),
		cmocka_unit_test(long_refusal),
		cmocka_unit_test(idle_session_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
