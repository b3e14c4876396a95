/* What passes, what is answered here, and what the tracker says about the connection afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/tracker_rig.h"
#include "lib/tracker_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sessions(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"nothing happens", {"C:", "S:"}, .to_server = "", .to_client = ""},
		{"a webmail page",
			{"C:1 SELECT INBOX\r\n", "S:* 3 EXISTS\r\n1 OK [READ-WRITE] done\r\n",
				"C:2 UID FETCH 1:3 (FLAGS BODY[])\r\n",
				"S:* 1 FETCH (FLAGS () UID 1 BODY[] {5}\r\n2 OK )\r\n2 OK "
				"fetched\r\n",
				"C:3 LOGOUT\r\n"},
			.to_server = "1 SELECT INBOX\r\n2 UID FETCH 1:3 (FLAGS BODY[])\r\n",
			.to_client =
				"* 3 EXISTS\r\n1 OK [READ-WRITE] done\r\n"
				"* 1 FETCH (FLAGS () UID 1 BODY[] {5}\r\n2 OK )\r\n2 OK fetched\r\n"
				"* BYE Logging out\r\n3 OK Logout completed.\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "INBOX",
			.ended = TRACKER_LOGOUT},
		{"APPEND with LITERAL+",
			{"C:1 APPEND \"Sent\" (\\Seen) {5+}\r\nhello\r\n2 NOOP\r\n", "S:+ OK\r\n",
				"S:1 OK appended\r\n2 OK\r\n"},
			.to_server = "1 APPEND \"Sent\" (\\Seen) {5}\r\nhello\r\n2 NOOP\r\n",
			.to_client = "1 OK appended\r\n2 OK\r\n"},
		{"APPEND with a synchronising literal",
			{"C:1 APPEND Sent {5}\r\n", "S:+ OK\r\n", "C:he", "C:llo\r\n",
				"S:1 OK appended\r\n"},
			.to_server = "1 APPEND Sent {5}\r\nhello\r\n",
			.to_client = "+ OK\r\n1 OK appended\r\n"},
		{"several messages in one APPEND, one of them empty",
			{"C:1 APPEND Sent {2+}\r\nab {0+}\r\n (\\Seen) {1}\r\n", "S:+ 1\r\n",
				"S:+ 2\r\n", "S:+ 3\r\n", "C:c\r\n", "S:1 OK\r\n"},
			.to_server = "1 APPEND Sent {2}\r\nab {0}\r\n (\\Seen) {1}\r\nc\r\n",
			.to_client = "+ 3\r\n1 OK\r\n"},
		{"commands end out of order",
			{"C:1 FETCH 1 BODY[]\r\n2 NOOP\r\n3 FETCH 2 BODY[]\r\n",
				"S:1 OK\r\n3 OK\r\n2 OK\r\n"},
			.to_server = "1 FETCH 1 BODY[]\r\n2 NOOP\r\n3 FETCH 2 BODY[]\r\n",
			.to_client = "1 OK\r\n3 OK\r\n2 OK\r\n"},
		{"other commands go on while a literal waits for its plus",
			{"C:1 FETCH 1 BODY[]\r\n2 LIST \"\" {1+}\r\nx\r\n",
				"S:* 1 FETCH (BODY[] {3}\r\n+ \r)\r\n1 OK\r\n", "S:+\r\n",
				"S:2 OK\r\n"},
			.to_server = "1 FETCH 1 BODY[]\r\n2 LIST \"\" {1}\r\nx\r\n",
			.to_client = "* 1 FETCH (BODY[] {3}\r\n+ \r)\r\n1 OK\r\n2 OK\r\n"},
		{"half a command line", {"C:1 NO"}, .to_server = "", .to_client = "",
			.is_open = true},
		{"half a response", {"C:1 NOOP\r\n", "S:1 OK\r\n* 1 EX"}, .to_server = "1 NOOP\r\n",
			.to_client = "1 OK\r\n* 1 EX", .is_open = true},
		{"half a status line is kept back", {"C:1 NOOP\r\n", "S:1 OK\r\n* OK hal"},
			.to_server = "1 NOOP\r\n", .to_client = "1 OK\r\n", .is_open = true},
		{"a line behind a literal that cannot be taken back",
			{"C:1 LIST {1}\r\n", "S:+\r\n", "C:x \"y\r\n"},
			.to_server = "1 LIST {1}\r\nx",
			.to_client = "+\r\n* BYE Protocol error\r\n", .ended = TRACKER_FAILED,
			.failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"a second literal that is too large",
			{"C:1 LIST {1+}\r\nx {65537}\r\n", "S:+\r\n"},
			.to_server = "1 LIST {1}\r\nx", .to_client = "* BYE Protocol error\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"a server that replies before it has the literal",
			{"C:1 APPEND x {5}\r\n", "S:+\r\n", "C:he", "S:1 NO quota\r\n",
				"C:llo\r\n2 NOOP\r\n", "S:2 OK\r\n"},
			.to_server = "1 APPEND x {5}\r\nhello\r\n2 NOOP\r\n",
			.to_client = "+\r\n1 NO quota\r\n2 OK\r\n", .dirt = "early-reply"},
		{"whose line is not ended",
			{"C:1 APPEND x {5}\r\n", "S:+\r\n", "C:hello", "S:1 NO quota\r\n"},
			.to_server = "1 APPEND x {5}\r\nhello", .to_client = "+\r\n1 NO quota\r\n",
			.dirt = "early-reply", .is_open = true},
		{"and a client that has one more",
			{"C:1 APPEND x {5}\r\n", "S:+\r\n", "C:he", "S:1 NO quota\r\n",
				"C:llo {3+}\r\n"},
			.to_server = "1 APPEND x {5}\r\nhello",
			.to_client = "+\r\n1 NO quota\r\n* BYE Protocol error\r\n",
			.dirt = "early-reply", .ended = TRACKER_FAILED,
			.failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void answers_of_the_proxy(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"commands that have their place elsewhere",
			{"C:1 LOGIN a {3+}\r\nb C\r\n2 AUTHENTICATE PLAIN =\r\n3 starttls\r\n"
			 "4 UNAUTHENTICATE\r\n5 X-UNAUTHENTICATE\r\n6 COMPRESS DEFLATE\r\n7 LOGIN "
			 "{3}\r\n"},
			.to_server = "",
			.to_client = "1 BAD Not possible in a session\r\n"
				     "2 BAD Not possible in a session\r\n"
				     "3 BAD Not possible in a session\r\n"
				     "4 BAD Not possible in a session\r\n"
				     "5 BAD Not possible in a session\r\n"
				     "6 NO Compression is not available\r\n"
				     "7 BAD Not possible in a session\r\n"},
		{"ID is the server's",
			{"C:1 ID (\"name\" \"x\")\r\n2 id nil\r\n",
				"S:* ID (\"name\" \"Dovecot\")\r\n1 OK\r\n2 OK\r\n"},
			.to_server = "1 ID (\"name\" \"x\")\r\n2 id nil\r\n",
			.to_client = "* ID (\"name\" \"Dovecot\")\r\n1 OK\r\n2 OK\r\n"},
		{"but not with the proxy's keys",
			{"C:1 ID (\"X-originating-ip\" \"1.2.3.4\")\r\n2 ID (\"\\x-a\" \"1\")\r\n"
			 "3 ID ({3+}\r\nx-a NIL)\r\n4 ID ({3}\r\n5 ID (\"x-a\" {3+}\r\nabc)\r\n"},
			.to_server = "",
			.to_client = "* ID NIL\r\n1 OK ID completed.\r\n"
				     "* ID NIL\r\n2 OK ID completed.\r\n"
				     "* ID NIL\r\n3 OK ID completed.\r\n"
				     "* ID NIL\r\n4 OK ID completed.\r\n"
				     "* ID NIL\r\n5 OK ID completed.\r\n"},
		{"a server without ID", {"C:1 ID NIL\r\n"}, .to_server = "",
			.to_client = "* ID NIL\r\n1 OK ID completed.\r\n",
			.capabilities = "IMAP4rev1 XID"},
		{"a server that has ID after all",
			{"C:1 CAPABILITY\r\n", "S:* CAPABILITY IMAP4rev1 ID\r\n1 OK\r\n",
				"C:2 ID NIL\r\n", "S:2 OK\r\n"},
			.to_server = "1 CAPABILITY\r\n2 ID NIL\r\n",
			.to_client =
				"* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID\r\n1 OK\r\n2 OK\r\n",
			.capabilities = "IMAP4rev1"},
		{"LOGOUT with arguments", {"C:1 LOGOUT now\r\n2 LOGOUT {3+}\r\nabc\r\n"},
			.to_server = "",
			.to_client = "1 BAD LOGOUT takes no arguments\r\n"
				     "2 BAD LOGOUT takes no arguments\r\n"},
		{"an answer waits for the end of a response",
			{"C:1 FETCH 1 x\r\n", "S:* 1 FETCH (BODY[] {10}\r\nhello",
				"C:2 COMPRESS DEFLATE\r\n\"\r\n", "S:world", "C:3 STARTTLS\r\n",
				"S:)\r\n* 2 EXISTS\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (BODY[] {10}\r\nhelloworld)\r\n"
				     "2 NO Compression is not available\r\n* BAD Invalid tag\r\n"
				     "3 BAD Not possible in a session\r\n* 2 EXISTS\r\n1 OK\r\n"},
		{"but not for the end of a command",
			{"C:1 FETCH 1 x\r\n", "S:* 1 FETCH (BODY[] {1}\r\nx)\r\n",
				"C:2 COMPRESS DEFLATE\r\n", "S:1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (BODY[] {1}\r\nx)\r\n"
				     "2 NO Compression is not available\r\n1 OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void logout(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"at once", {"C:1 logout\r\n2 NOOP\r\nhalf"}, .to_server = "",
			.to_client = "* BYE Logging out\r\n1 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT},
		{"behind commands in flight",
			{"C:1 NOOP\r\n2 NOOP\r\n3 LOGOUT\r\n4 NOOP\r\n", "C:5 NOOP\r\n",
				"S:* 1 EXISTS\r\n2 OK\r\n1 OK\r\n* 2 EXISTS\r\n"},
			.to_server = "1 NOOP\r\n2 NOOP\r\n",
			.to_client = "* 1 EXISTS\r\n2 OK\r\n1 OK\r\n"
				     "* BYE Logging out\r\n3 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT, .rest = "* 2 EXISTS\r\n"},
		{"inside a response that nobody asked for",
			{"S:* 1 EXI", "C:1 LOGOUT\r\n", "S:STS\r\n* 2 EX"}, .to_server = "",
			.to_client =
				"* 1 EXISTS\r\n* BYE Logging out\r\n1 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT, .rest = "* 2 EX"},
		{"inside a status line that is kept back",
			{"S:* OK st", "C:1 LOGOUT\r\n", "S:ill here\r\n"}, .to_server = "",
			.to_client = "* OK still here\r\n"
				     "* BYE Logging out\r\n1 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT},
		{"a server that never answers", {"C:1 NOOP\r\n2 LOGOUT\r\n"},
			.to_server = "1 NOOP\r\n", .to_client = "", .is_open = true},
		{"a server that says BYE meanwhile",
			{"C:1 NOOP\r\n2 LOGOUT\r\n", "S:* BYE x\r\n", "S:1 OK\r\n"},
			.to_server = "1 NOOP\r\n",
			.to_client = "* BYE x\r\n1 OK\r\n"
				     "* BYE Logging out\r\n2 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT, .dirt = "bye", .byes = 1},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void client_gone(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"quiet", {"G"}, .to_server = "", .to_client = ""},
		{"in half a line", {"C:1 NOO", "G"}, .to_server = "", .to_client = ""},
		{"with commands in flight: their replies are drained",
			{"C:1 FETCH 1 BODY[]\r\n2 NOOP\r\n", "S:* 1 FETCH (BODY[] {3}\r\na", "G",
				"S:bc)\r\n1 OK\r\n", "S:2 OK\r\n"},
			.to_server = "1 FETCH 1 BODY[]\r\n2 NOOP\r\n",
			.to_client = "* 1 FETCH (BODY[] {3}\r\na"},
		{"and not all came", {"C:1 NOOP\r\n2 NOOP\r\n", "G", "S:1 OK\r\n"},
			.to_server = "1 NOOP\r\n2 NOOP\r\n", .to_client = "", .is_open = true},
		{"in IDLE", {"C:1 IDLE\r\n", "S:+ \r\n", "G", "S:* 1 EXISTS\r\n1 OK\r\n"},
			.to_server = "1 IDLE\r\nDONE\r\n", .to_client = "+ \r\n"},
		{"in IDLE with half a DONE",
			{"C:1 IDLE\r\n", "S:+ \r\n", "C:DO", "G", "S:1 OK\r\n"},
			.to_server = "1 IDLE\r\nDONE\r\n", .to_client = "+ \r\n"},
		{"before the server idles", {"C:1 IDLE\r\nDO", "G", "S:+ \r\n", "S:1 OK\r\n"},
			.to_server = "1 IDLE\r\nDONE\r\n", .to_client = ""},
		{"after the session has failed", {"C:1 LIST {1}\r\n", "S:+\r\n", "C:x \"\r\n", "g"},
			.to_server = "1 LIST {1}\r\nx",
			.to_client = "+\r\n* BYE Protocol error\r\n", .ended = TRACKER_FAILED,
			.failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"after LOGOUT", {"C:1 LOGOUT\r\n", "G"}, .to_server = "",
			.to_client = "* BYE Logging out\r\n1 OK Logout completed.\r\n",
			.ended = TRACKER_LOGOUT},
		{"and it refuses", {"C:1 IDLE\r\n", "G", "S:1 BAD\r\n"}, .to_server = "1 IDLE\r\n",
			.to_client = ""},
		{"in a literal", {"C:1 APPEND x {5}\r\n", "S:+\r\n", "C:abc", "g"},
			.to_server = "1 APPEND x {5}\r\nabc", .to_client = "+\r\n",
			.dirt = "half-command", .ended = TRACKER_MORE, .failure = FAIL_CLIENT_LEFT,
			.is_open = true},
		{"behind a literal", {"C:1 APPEND x {3+}\r\nabc", "S:+\r\n", "g"},
			.to_server = "1 APPEND x {3}\r\nabc", .to_client = "",
			.dirt = "half-command", .failure = FAIL_CLIENT_LEFT, .is_open = true},
		{"before a literal", {"C:1 APPEND x {5+}\r\nabc", "g"},
			.to_server = "1 APPEND x {5}\r\n", .to_client = "", .dirt = "half-command",
			.failure = FAIL_CLIENT_LEFT, .is_open = true},
		{"in a refused literal", {"C:1 LOGIN {5+}\r\nabc", "G"}, .to_server = "",
			.to_client = "1 BAD Not possible in a session\r\n"},
		{"in a refused line", {"C:* LOGIN {5+}\r\nabcde xy", "G"}, .to_server = "",
			.to_client = "* BAD Invalid tag\r\n"},
		{"while LOGOUT waits", {"C:1 NOOP\r\n2 LOGOUT\r\n", "G", "S:1 OK\r\n"},
			.to_server = "1 NOOP\r\n", .to_client = ""},
		{"with an answer kept back",
			{"C:1 FETCH 1 x\r\n", "S:* 1 FETCH (B {3}\r\na", "C:2 STARTTLS\r\n", "G",
				"S:bc)\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n", .to_client = "* 1 FETCH (B {3}\r\na"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

/* The table of what an open mailbox does to a connection; S is what a server answered. */
static void selection(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"SELECT OK", {"C:1 SELECT \"a \\\"b\" (X)\r\n", "S:1 OK\r\n"},
			.to_server = "1 SELECT \"a \\\"b\" (X)\r\n", .to_client = "1 OK\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "\"a \\\"b\""},
		{"EXAMINE OK", {"C:1 examine Sent(X)\r\n", "S:1 ok\r\n"},
			.to_server = "1 examine Sent(X)\r\n", .to_client = "1 ok\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "Sent"},
		{"a name sent as a literal", {"C:1 SELECT {1+}\r\nx\r\n", "S:+\r\n", "S:1 OK\r\n"},
			.to_server = "1 SELECT {1}\r\nx\r\n", .to_client = "1 OK\r\n",
			.selected = TRACKER_SELECTED_YES},
		{"not answered yet", {"C:1 SELECT x\r\n"}, .to_server = "1 SELECT x\r\n",
			.to_client = "", .is_open = true},
		{"SELECT NO closes what was open",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 SELECT y\r\n", "S:2 NO\r\n"},
			.to_server = "1 SELECT x\r\n2 SELECT y\r\n",
			.to_client = "1 OK\r\n2 NO\r\n"},
		{"SELECT BAD: Dovecot and Courier have closed it, Cyrus has not",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 SELECT\r\n", "S:2 BAD\r\n"},
			.to_server = "1 SELECT x\r\n2 SELECT\r\n", .to_client = "1 OK\r\n2 BAD\r\n",
			.selected = TRACKER_SELECTED_UNKNOWN},
		{"SELECT whose literal was refused: the server has not looked at it",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 SELECT {3}\r\n", "S:2 NO\r\n"},
			.to_server = "1 SELECT x\r\n2 SELECT {3}\r\n",
			.to_client = "1 OK\r\n2 NO\r\n", .selected = TRACKER_SELECTED_UNKNOWN},
		{"the other one is open now",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 SELECT y\r\n",
				"S:* OK [CLOSED] x\r\n2 OK\r\n"},
			.to_server = "1 SELECT x\r\n2 SELECT y\r\n",
			.to_client = "1 OK\r\n* OK [CLOSED] x\r\n2 OK\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "y"},
		{"CLOSED without a SELECT",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "S:* OK [CLOSED] gone\r\n"},
			.to_server = "1 SELECT x\r\n",
			.to_client = "1 OK\r\n* OK [CLOSED] gone\r\n"},
		{"CLOSED is a word of its own",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n",
				"S:* OK [CLOSEDX] \r\n* NO [CLOSED] \r\n"},
			.to_server = "1 SELECT x\r\n",
			.to_client = "1 OK\r\n* OK [CLOSEDX] \r\n* NO [CLOSED] \r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "x"},
		{"UNSELECT OK",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 UNSELECT\r\n", "S:2 OK\r\n"},
			.to_server = "1 SELECT x\r\n2 UNSELECT\r\n",
			.to_client = "1 OK\r\n2 OK\r\n"},
		{"CLOSE OK", {"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 CLOSE\r\n", "S:2 OK\r\n"},
			.to_server = "1 SELECT x\r\n2 CLOSE\r\n", .to_client = "1 OK\r\n2 OK\r\n"},
		{"CLOSE NO leaves it open",
			{"C:1 SELECT x\r\n", "S:1 OK\r\n", "C:2 UNSELECT\r\n", "S:2 NO\r\n"},
			.to_server = "1 SELECT x\r\n2 UNSELECT\r\n",
			.to_client = "1 OK\r\n2 NO\r\n", .selected = TRACKER_SELECTED_YES,
			.mailbox = "x"},
		{"two at once: the order of the replies need not be that of the deeds",
			{"C:1 SELECT x\r\n2 UNSELECT\r\n", "S:1 OK\r\n2 OK\r\n"},
			.to_server = "1 SELECT x\r\n2 UNSELECT\r\n",
			.to_client = "1 OK\r\n2 OK\r\n", .selected = TRACKER_SELECTED_UNKNOWN},
		{"which one more alone settles",
			{"C:1 SELECT x\r\n2 SELECT y\r\n", "S:2 OK\r\n* OK [CLOSED]\r\n1 OK\r\n",
				"C:3 SELECT z\r\n", "S:3 OK\r\n"},
			.to_server = "1 SELECT x\r\n2 SELECT y\r\n3 SELECT z\r\n",
			.to_client = "2 OK\r\n* OK [CLOSED]\r\n1 OK\r\n3 OK\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "z"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void long_mailbox_name(void **state)
{
	(void)state;
	for (size_t n = TRACKER_MAX_MAILBOX - 1; n <= TRACKER_MAX_MAILBOX + 1; n++) {
		struct tracker_rig rig;
		tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
		char line[2048];
		memset(line, 'x', sizeof(line));
		memcpy(line, "a SELECT ", 9);
		memcpy(line + 9 + n, "\r\n", 2);
		tracker_rig_client(&rig, span_of(line, 11 + n), SIZE_MAX, SIZE_MAX);
		tracker_rig_server(&rig, span_str("a OK\r\n"), SIZE_MAX, SIZE_MAX);
		assert_int_equal(tracker_selected(rig.t), TRACKER_SELECTED_YES);
		assert_int_equal(tracker_mailbox(rig.t).n, n <= TRACKER_MAX_MAILBOX ? n : 0);
		tracker_rig_finish(&rig);
	}
}

static void dirt_of_the_server(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"ENABLED that nobody asked for",
			{"C:1 NOOP\r\n", "S:* ENABLED QRESYNC\r\n1 OK\r\n"},
			.to_server = "1 NOOP\r\n", .to_client = "* ENABLED QRESYNC\r\n1 OK\r\n",
			.dirt = "enable", .enabled = "CONDSTORE QRESYNC"},
		{"MODSEQ in FETCH data",
			{"C:1 FETCH 1 x\r\n", "S:* 1 FETCH (UID 1 MODSEQ (5))\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (UID 1 MODSEQ (5))\r\n1 OK\r\n",
			.enabled = "CONDSTORE", .is_implicit = true},
		{"MODSEQ far behind",
			{"C:1 FETCH 1 x\r\n",
				"S:* 1 FETCH (BODY[1] {1}\r\nx (((((((((((( ((((((((((( \"aaaaaa\" "
				"modseq (5))\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client =
				"* 1 FETCH (BODY[1] {1}\r\nx (((((((((((( ((((((((((( \"aaaaaa\" "
				"modseq (5))\r\n1 OK\r\n",
			.enabled = "CONDSTORE", .is_implicit = true},
		{"MODSEQ in a literal is mail",
			{"C:1 FETCH 1 x\r\n",
				"S:* 1 FETCH (BODY[] {10}\r\nMODSEQ (5))\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (BODY[] {10}\r\nMODSEQ (5))\r\n1 OK\r\n"},
		{"MODSEQ half in a literal is none",
			{"C:1 FETCH 1 x\r\n", "S:* 1 FETCH (BODY[] {7}\r\nMODSEQ (5))\r\n1 OK\r\n"},
			.to_server = "1 FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (BODY[] {7}\r\nMODSEQ (5))\r\n1 OK\r\n"},
		{"HIGHESTMODSEQ of SELECT is harmless",
			{"C:1 SELECT x\r\n", "S:* OK [HIGHESTMODSEQ 5] \r\n1 NO\r\n"},
			.to_server = "1 SELECT x\r\n",
			.to_client = "* OK [HIGHESTMODSEQ 5] \r\n1 NO\r\n"},
		{"VANISHED", {"S:* VANISHED 2\r\n"}, .to_server = "",
			.to_client = "* VANISHED 2\r\n", .dirt = "vanished"},
		{"a star and no space", {"S:*x OK\r\n* \r\n*\r\n"}, .to_server = "",
			.to_client = "*x OK\r\n* \r\n*\r\n", .dirt = "unknown-tag"},
		{"two spaces", {"S:*  OK [CLOSED]\r\n"}, .to_server = "",
			.to_client = "*  OK [CLOSED]\r\n", .dirt = "odd-response"},
		{"a tagged line without status", {"C:1 NOOP\r\n", "S:1 FINE\r\n"},
			.to_server = "1 NOOP\r\n", .to_client = "1 FINE\r\n",
			.dirt = "odd-response", .is_open = true},
		{"noise", {"S:\rx y\r\n"}, .to_server = "", .to_client = "\rx y\r\n",
			.dirt = "odd-response"},
		{"the first reason stays", {"C:1 NOTIFY X\r\n", "S:* BYE\r\n"},
			.to_server = "1 NOTIFY X\r\n", .to_client = "* BYE\r\n", .dirt = "notify",
			.byes = 1, .is_open = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void capability_lists(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"untagged",
			{"C:1 CAPABILITY\r\n",
				"S:* CAPABILITY IMAP4rev1 STARTTLS XHIDDEN AUTH=PLAIN IDLE "
				"COMPRESS=DEFLATE\r\n",
				"S:1 OK done\r\n"},
			.to_server = "1 CAPABILITY\r\n",
			.to_client =
				"* CAPABILITY IMAP4rev1 IDLE LITERAL+ SASL-IR ID\r\n1 OK done\r\n"},
		{"codes of untagged and tagged status lines",
			{"C:1 NOOP\r\n2 NOOP\r\n3 NOOP\r\n",
				"S:* OK [CAPABILITY LOGINDISABLED IDLE] x [CAPABILITY Y]\r\n",
				"S:1 OK [CAPABILITY STARTTLS] y\n",
				"S:2 no [capability UNAUTHENTICATE x]\r\n3 BAD [CAPABILITY a\r\n"
				"* PREAUTH [CAPABILITY URLAUTH] z\r\n"},
			.to_server = "1 NOOP\r\n2 NOOP\r\n3 NOOP\r\n",
			.to_client =
				"* OK [CAPABILITY IDLE LITERAL+ SASL-IR ID] x [CAPABILITY Y]\r\n"
				"1 OK [CAPABILITY LITERAL+ SASL-IR ID] y\n"
				"2 no [capability x LITERAL+ SASL-IR ID]\r\n"
				"3 BAD [CAPABILITY a LITERAL+ SASL-IR ID\r\n"
				"* PREAUTH [CAPABILITY LITERAL+ SASL-IR ID] z\r\n"},
		{"what is no list",
			{"C:1 NOOP\r\n",
				"S:* CAPABILITYX STARTTLS\r\n* OK [CAPABILITYX STARTTLS]\r\n"
				"* OK x [CAPABILITY STARTTLS]\r\n"
				"* LIST [CAPABILITY STARTTLS]\r\n1 OK [CAPABILITY]\r\n"},
			.to_server = "1 NOOP\r\n",
			.to_client = "* CAPABILITYX STARTTLS\r\n* OK [CAPABILITYX STARTTLS]\r\n"
				     "* OK x [CAPABILITY STARTTLS]\r\n"
				     "* LIST [CAPABILITY STARTTLS]\r\n1 OK [CAPABILITY]\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

/* A list that must be seen whole and a line that need not be, at the edge of what can be. */
static void long_server_lines(void **state)
{
	(void)state;
	static char text[TRACKER_MAX_SERVER_LINE + 64];
	static const size_t pieces[] = {SIZE_MAX, 1, 1000, TRACKER_MAX_SERVER_LINE};
	for (size_t n = TRACKER_MAX_SERVER_LINE - 1; n <= TRACKER_MAX_SERVER_LINE + 1; n++) {
		for (size_t i = 0; i < COUNT(pieces); i++) {
			struct tracker_rig rig;
			tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
			tracker_rig_client(&rig, span_str("a NOOP\r\n"), SIZE_MAX, SIZE_MAX);
			memset(text, 'x', n);
			memcpy(text, "a OK ", 5);
			memcpy(text + n - 2, "\r\n* 1 EXISTS\r\n", 14);
			tracker_rig_server(&rig, span_of(text, n + 12), pieces[i], pieces[i]);
			assert_true(span_equal(buf_peek(&rig.to_client), span_of(text, n + 12)));
			assert_true(tracker_is_quiet(rig.t));
			const char *dirt = tracker_dirt(rig.t);
			assert_int_equal(dirt != NULL, n > TRACKER_MAX_SERVER_LINE);
			tracker_rig_finish(&rig);
		}
	}
}

static void dirt_of_commands(void **state)
{
	(void)state;
	static const struct {
		const char *command, *dirt; /* "+condstore": no dirt, but a use of it */
	} rows[] = {
		{"CAPABILITY", NULL},
		{"noop", NULL},
		{"CHECK", NULL},
		{"NAMESPACE", NULL},
		{"LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES))", NULL},
		{"LSUB \"\" *", NULL},
		{"XLIST \"\" *", NULL},
		{"STATUS x (MESSAGES UIDNEXT)", NULL},
		{"CREATE x", NULL},
		{"DELETE x", NULL},
		{"RENAME x y", NULL},
		{"SUBSCRIBE x", NULL},
		{"UNSUBSCRIBE x", NULL},
		{"EXPUNGE", NULL},
		{"FETCH 1 (FLAGS)", NULL},
		{"UID FETCH 1 (FLAGS)", NULL},
		{"uid store 1 FLAGS (\\Seen)", NULL},
		{"UID EXPUNGE 1", NULL},
		{"UID COPY 1 x", NULL},
		{"MOVE 1 x", NULL},
		{"SEARCH RETURN (SAVE) ALL", NULL},
		{"SEARCH RETURN (UPDATE) ALL", NULL},
		{"SORT (DATE) UTF-8 ALL", NULL},
		{"THREAD REFERENCES UTF-8 ALL", NULL},
		{"ESEARCH IN (mailboxes x) ALL", NULL},
		{"SETQUOTA x ()", NULL},
		{"GETQUOTAROOT x", NULL},
		{"GETACL x", NULL},
		{"SETACL x y z", NULL},
		{"GETMETADATA x /y", NULL},
		{"SETANNOTATION x y z", NULL},
		{"GENURLAUTH x y", NULL},
		{"RESETKEY", NULL},
		{"ENABLE CONDSTORE", NULL},
		{"enable UTF8=ACCEPT", NULL},
		{"ENABLE", "enable"},
		{"ENABLE ]", "enable"},
		{"ENABLE \"CONDSTORE\"", "enable"},
		{"NOTIFY SET (x)", "notify"},
		{"NOTIFY NONE", "notify"},
		{"LANGUAGE de", "language"},
		{"COMPARATOR x", "comparator"},
		{"SELECT x (CONDSTORE)", "+condstore"},
		{"SELECT x (QRESYNC (1 2))", "qresync"},
		{"FETCH 1 (Modseq)", "+condstore"},
		{"FETCH 1 FLAGS (CHANGEDSINCE 1)", "+condstore"},
		{"STORE 1 (UNCHANGEDSINCE 1) FLAGS ()", "+condstore"},
		{"SEARCH MODSEQ 1", "+condstore"},
		{"STATUS x (HIGHESTMODSEQ)", "+condstore"},
		{"LIST \"\" * RETURN (STATUS (highestmodseq))", "+condstore"},
		{"XAPPLEPUSHSERVICE x", "unknown-command"},
		{"X", "unknown-command"},
		{"UID", "unknown-command"},
		{"UID  FETCH 1 x", "unknown-command"},
		{"UID LOGOUT", "unknown-command"},
		{"UID ENABLE x", "unknown-command"},
		{"UID SELECT x", "unknown-command"},
		{"NOOPS", "unknown-command"},
		{"NOO", "unknown-command"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tracker_rig rig;
		tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
		char line[128];
		int n = snprintf(line, sizeof(line), "a %s\r\n", rows[i].command);
		tracker_rig_client(&rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
		assert_true(span_is(buf_peek(&rig.to_server), line));
		const char *dirt = tracker_dirt(rig.t);
		if (rows[i].dirt != NULL && rows[i].dirt[0] == '+') {
			assert_null(dirt);
			assert_true(span_is(tracker_enabled(rig.t), "CONDSTORE"));
			assert_true(tracker_has_implicit_condstore(rig.t));
		} else if (rows[i].dirt == NULL) {
			assert_int_equal(tracker_enabled(rig.t).n, 0);
			assert_null(dirt);
		} else {
			assert_string_equal(dirt, rows[i].dirt);
		}
		tracker_rig_finish(&rig);
	}
}

static void sticky_words_behind_a_literal(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"STATUS with the name as a literal",
			{"C:1 STATUS {1+}\r\nx (HIGHESTMODSEQ)\r\n", "S:+\r\n", "S:1 OK\r\n"},
			.to_server = "1 STATUS {1}\r\nx (HIGHESTMODSEQ)\r\n",
			.to_client = "1 OK\r\n", .enabled = "CONDSTORE", .is_implicit = true},
		{"a word in a literal is a name",
			{"C:1 STATUS {6+}\r\nMODSEQ (UIDNEXT)\r\n", "S:+\r\n", "S:1 OK\r\n"},
			.to_server = "1 STATUS {6}\r\nMODSEQ (UIDNEXT)\r\n",
			.to_client = "1 OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void full_table_blocks(void **state)
{
	(void)state;
	struct tracker_rig rig;
	tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
	char line[32];
	for (int i = 0; i < TRACKER_MAX_IN_FLIGHT + 2; i++) {
		int n = snprintf(line, sizeof(line), "tag%d NOOP\r\n", i);
		tracker_rig_client(&rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
	}
	assert_true(span_is(buf_peek(&rig.waiting), "tag64 NOOP\r\ntag65 NOOP\r\n"));
	tracker_rig_server(&rig, span_str("tag7 OK\r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(span_is(buf_peek(&rig.waiting), "tag65 NOOP\r\n"));
	tracker_rig_server(&rig, span_str("tag63 OK\r\ntag64 OK\r\n"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(buf_len(&rig.waiting), 0);
	assert_false(tracker_is_quiet(rig.t));
	for (int i = 0; i < TRACKER_MAX_IN_FLIGHT + 2; i++) {
		if (i != 7 && i != 63 && i != 64) {
			int n = snprintf(line, sizeof(line), "tag%d OK\r\n", i);
			tracker_rig_server(&rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
		}
	}
	assert_true(tracker_is_quiet(rig.t));
	assert_null(tracker_dirt(rig.t));
	tracker_rig_finish(&rig);
}

/* A client that asks on while a response stands still must not fill our memory with answers. */
static void full_answers_block(void **state)
{
	(void)state;
	struct tracker_rig rig;
	tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
	tracker_rig_server(&rig, span_str("* 1 FETCH (B {1}\r\n"), SIZE_MAX, SIZE_MAX);
	size_t asked = 0;
	for (; asked < 10000 && buf_len(&rig.waiting) == 0; asked++) {
		tracker_rig_client(&rig, span_str("a COMPRESS x\r\n"), SIZE_MAX, SIZE_MAX);
	}
	assert_in_range(asked, 100, 9999);
	tracker_rig_server(&rig, span_str("x)\r\n"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(buf_len(&rig.waiting), 0);
	const char answer[] = "a NO Compression is not available\r\n";
	size_t head = strlen("* 1 FETCH (B {1}\r\nx)\r\n");
	assert_int_equal(buf_len(&rig.to_client), head + asked * (sizeof(answer) - 1));
	tracker_rig_finish(&rig);
}

static void idling_and_interjecting(void **state)
{
	(void)state;
	struct tracker_rig rig;
	tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
	tracker_rig_client(&rig, span_str("a IDLE\r\n"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	tracker_rig_server(&rig, span_str("+ \r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_is_idling(rig.t));
	assert_true(tracker_can_interject(rig.t));
	tracker_rig_server(&rig, span_str("* 1 EX"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	assert_false(tracker_can_interject(rig.t));
	tracker_rig_server(&rig, span_str("ISTS\r\n* O"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_can_interject(rig.t));
	assert_false(tracker_is_idling(rig.t));
	tracker_rig_server(&rig, span_str("K x\r\n"), SIZE_MAX, SIZE_MAX);
	assert_true(tracker_is_idling(rig.t));
	tracker_rig_client(&rig, span_str("D"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	tracker_rig_client(&rig, span_str("ONE\r\n"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	tracker_rig_server(&rig, span_str("a OK\r\n"), SIZE_MAX, SIZE_MAX);
	assert_false(tracker_is_idling(rig.t));
	assert_true(tracker_is_quiet(rig.t));
	tracker_rig_finish(&rig);
}

/* What is dropped costs no memory, but somebody's time. */
static void line_that_never_ends(void **state)
{
	(void)state;
	static char piece[1 << 20];
	memset(piece, 'x', sizeof(piece));
	struct tracker_rig rig;
	tracker_rig_init(&rig, 65536, RIG_CAPABILITIES);
	tracker_rig_client(&rig, span_str("a LIST "), SIZE_MAX, SIZE_MAX);
	size_t fed = 0;
	for (; fed < 2 * TRACKER_MAX_DRAIN && rig.ended == TRACKER_MORE; fed += sizeof(piece)) {
		tracker_rig_client(&rig, span_of(piece, sizeof(piece)), SIZE_MAX, SIZE_MAX);
	}
	assert_in_range(fed, TRACKER_MAX_DRAIN, TRACKER_MAX_DRAIN + 2 * sizeof(piece));
	assert_int_equal(rig.ended, TRACKER_FAILED);
	assert_int_equal(tracker_failure(rig.t), FAIL_LINE_TOO_LONG);
	assert_true(span_is(buf_peek(&rig.to_client),
		"a BAD Command line too long\r\n* BYE Command line too long\r\n"));
	assert_false(tracker_rig_gone(&rig));
	tracker_rig_finish(&rig);
}

static void keep(void *owner, struct span bytes)
{
	struct span *kept = owner;
	kept[0] = kept[1];
	kept[1] = bytes;
}

/* The relay's cost: what is whole in the input goes out in one span, from where it lies. */
static void bytes_are_not_copied(void **state)
{
	(void)state;
	struct span kept[2] = {{0}};
	struct tracker_sink sink = {.owner = kept, .to_client = keep, .to_server = keep};
	struct tracker_options options = {.max_line = 1000, .proxy_tag = "P", .is_attached = true};
	struct tracker *t = tracker_create(&options);
	struct span command = span_str("a FETCH 1 BODY[]\r\n");
	struct span in = command;
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_MORE);
	assert_ptr_equal(kept[1].p, command.p);
	assert_int_equal(kept[1].n, command.n);
	struct span reply =
		span_str("* 1 FETCH (B {3}\r\nabc)\r\n\r\n* 2 EXISTS\r\n* 1 FETCH (B {9}\r\n"
			 "123456789)\r\na OK done\r\n* 3 EXISTS\r\n* 1 FETCH (B {99}\r\nx");
	in = reply;
	assert_int_equal(tracker_server(t, &in, &sink), TRACKER_MORE);
	assert_ptr_equal(kept[0].p, command.p);
	assert_ptr_equal(kept[1].p, reply.p);
	assert_int_equal(kept[1].n, reply.n);
	tracker_destroy(&t);
	assert_null(t);
	tracker_destroy(&t);
}

static void idle_session_is_small(void **state)
{
	(void)state;
	struct tracker_sink sink = {
		.owner = (struct span[2]){{0}}, .to_client = keep, .to_server = keep};
	struct tracker_options options = {
		.max_line = 65536, .proxy_tag = RIG_PROXY_TAG, .is_attached = true};
	size_t before = mallinfo2().uordblks;
	struct tracker *t = tracker_create(&options);
	struct span in = span_str("a SELECT INBOX\r\nb IDLE\r\n");
	assert_int_equal(tracker_client(t, &in, &sink), TRACKER_MORE);
	in = span_str("a OK\r\n+ idling\r\n* OK Still here\r\n* 1 EXISTS\r\n");
	assert_int_equal(tracker_server(t, &in, &sink), TRACKER_MORE);
	size_t after = mallinfo2().uordblks;
	/* Sanitizers have an allocator of their own, which does not count here. */
	if (after > before) {
		assert_in_range(after - before, 1, 600);
	}
	tracker_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions),
		cmocka_unit_test(answers_of_the_proxy),
		cmocka_unit_test(logout),
		cmocka_unit_test(client_gone),
		cmocka_unit_test(selection),
		cmocka_unit_test(long_mailbox_name),
		cmocka_unit_test(dirt_of_the_server),
		cmocka_unit_test(capability_lists),
		cmocka_unit_test(long_server_lines),
		cmocka_unit_test(dirt_of_commands),
		cmocka_unit_test(sticky_words_behind_a_literal),
		cmocka_unit_test(full_table_blocks),
		cmocka_unit_test(full_answers_block),
		cmocka_unit_test(idling_and_interjecting),
		cmocka_unit_test(line_that_never_ends),
		cmocka_unit_test(bytes_are_not_copied),
		cmocka_unit_test(idle_session_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
