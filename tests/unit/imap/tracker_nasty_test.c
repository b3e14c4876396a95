/* Streams that made other proxies and servers disagree about where a command or a response ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/tracker_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void text_that_looks_like_a_literal(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"tagged text that ends in {9}",
			{"C:a FETCH 1 {9}\r\n",
				"S:a BAD Invalid Fetch attribute {9}\r\n* 1 EXISTS\r\n",
				"C:b NOOP\r\n", "S:b OK done\r\n"},
			.to_server = "a FETCH 1 {9}\r\nb NOOP\r\n",
			.to_client =
				"a BAD Invalid Fetch attribute {9}\r\n* 1 EXISTS\r\nb OK done\r\n"},
		{"untagged status text that ends in {7}",
			{"C:a NOOP\r\n", "S:* NO Unknown {7}\r\n* OK x {7}\r\na OK done {3}\r\n"},
			.to_server = "a NOOP\r\n",
			.to_client = "* NO Unknown {7}\r\n* OK x {7}\r\na OK done {3}\r\n"},
		{"a quoted mailbox name that ends in {5}",
			{"C:a LIST \"\" *\r\n", "S:* LIST () \"/\" \"x{5}\"\r\na OK done\r\n"},
			.to_server = "a LIST \"\" *\r\n",
			.to_client = "* LIST () \"/\" \"x{5}\"\r\na OK done\r\n"},
		{"a server's literal has no plus",
			{"C:a NOOP\r\n", "S:* LIST () \"/\" {5+}\r\na OK done\r\n"},
			.to_server = "a NOOP\r\n",
			.to_client = "* LIST () \"/\" {5+}\r\na OK done\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void literals_of_the_server(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"headers inside literals",
			{"C:a FETCH 1 ENVELOPE\r\n",
				"S:* 1 FETCH (ENVELOPE (NIL {15}\r\nhe said \"hi {5} (({3}\r\n",
				"S:a\"b NIL NIL)))\r\na OK done\r\n"},
			.to_server = "a FETCH 1 ENVELOPE\r\n",
			.to_client = "* 1 FETCH (ENVELOPE (NIL {15}\r\nhe said \"hi {5} (({3}\r\n"
				     "a\"b NIL NIL)))\r\na OK done\r\n"},
		{"tagged replies, BYE, go-ahead inside a literal",
			{"C:a FETCH 1 BODY[]\r\n",
				"S:* 1 FETCH (BODY[] {30}\r\na OK x\r\n* BYE x\r\n+ x\r\nb OK "
				"x\r\n",
				"S:)\r\na OK done\r\n"},
			.to_server = "a FETCH 1 BODY[]\r\n",
			.to_client =
				"* 1 FETCH (BODY[] {30}\r\na OK x\r\n* BYE x\r\n+ x\r\nb OK x\r\n"
				")\r\na OK done\r\n"},
		{"literal8 with NUL and 8-bit octets",
			{"C:a FETCH 1 BINARY[1]\r\n", "S:* 1 FETCH (BINARY[1] "
						      "~{4}\r\n\x1e\x01\x02\xff)\r\na OK done\r\n"},
			.to_server = "a FETCH 1 BINARY[1]\r\n",
			.to_client =
				"* 1 FETCH (BINARY[1] ~{4}\r\n\x1e\x01\x02\xff)\r\na OK done\r\n"},
		{"literals of no octets",
			{"C:a FETCH 1 x\r\n", "S:* 1 FETCH (BODY[]<1000> {0}\r\n BODY[1] "
					      "{0}\r\n)\r\na OK done\r\n"},
			.to_server = "a FETCH 1 x\r\n",
			.to_client = "* 1 FETCH (BODY[]<1000> {0}\r\n BODY[1] {0}\r\n)\r\na OK "
				     "done\r\n"},
		{"a literal of 2^64-1 octets never ends",
			{"C:a NOOP\r\n", "S:* 1 FETCH (B {18446744073709551615}\r\na OK done\r\n"},
			.to_server = "a NOOP\r\n",
			.to_client = "* 1 FETCH (B {18446744073709551615}\r\na OK done\r\n",
			.is_open = true},
		{"a literal of 2^64 octets is none",
			{"C:a NOOP\r\n", "S:* 1 FETCH (B {18446744073709551616}\r\na OK done\r\n"},
			.to_server = "a NOOP\r\n",
			.to_client = "* 1 FETCH (B {18446744073709551616}\r\na OK done\r\n",
			.dirt = "odd-response"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void smuggled_literals(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"octets behind NOOP {20+} are not commands",
			{"C:a NOOP {20+}\r\nb ENABLE QRESYNC\r\n\r\n\r\nc NOOP\r\n",
				"S:a OK NOOP completed\r\n", "S:c OK\r\n"},
			.to_server = "a NOOP {20}\r\nc NOOP\r\n",
			.to_client = "a OK NOOP completed\r\nc OK\r\n"},
		{"neither are those of a second literal",
			{"C:a NOOP {3+}\r\nabc {5+}\r\nb NO\n \"{9+}\r\nc NOOP\r\n",
				"S:a BAD no\r\n", "S:c OK\r\n"},
			.to_server = "a NOOP {3}\r\nc NOOP\r\n",
			.to_client = "a BAD no\r\nc OK\r\n"},
		{"a refused {n} waits for nothing",
			{"C:a NOOP {9}\r\n", "S:a OK done\r\n", "C:b NOOP\r\n", "S:b OK\r\n"},
			.to_server = "a NOOP {9}\r\nb NOOP\r\n",
			.to_client = "a OK done\r\nb OK\r\n"},
		{"what is sent too early behind {n} is a literal if the server wants one",
			{"C:a STATUS {5}\r\nINBOX (MESSAGES)\r\n", "S:+ go\r\n", "S:a OK\r\n"},
			.to_server = "a STATUS {5}\r\nINBOX (MESSAGES)\r\n",
			.to_client = "+ go\r\na OK\r\n"},
		{"and commands if not", {"C:a NOOP {5}\r\nb NOOP\r\n", "S:a NO\r\n", "S:b OK\r\n"},
			.to_server = "a NOOP {5}\r\nb NOOP\r\n", .to_client = "a NO\r\nb OK\r\n"},
		{"a brace that is no literal header",
			{"C:a LIST \"\" {5}x\r\na APPEND INBOX {-1}\r\na X {9++}\r\na X {9-}\r\n"
			 "a X {9 }\r\na X { 9+}\r\na X {+9}\r\na X {9+} \r\na X foo{9+}\r\n"
			 "a X ~{}\r\na X {}\r\na X {+}\r\na X {9\r\n",
				"C:a X {18446744073709551616}\r\na X {99999999999999999999+}\r\n"},
			.to_server = "",
			.to_client = "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\na BAD Malformed line\r\n"
				     "a BAD Malformed line\r\n"},
		{"an open quote hides no literal",
			{"C:a LIST \"\" \"x {9+}\r\nb NOOP\r\n", "S:b OK\r\n"},
			.to_server = "b NOOP\r\n", .to_client = "a BAD Malformed line\r\nb OK\r\n"},
		{"a quoted brace is a character",
			{"C:a LIST \"\" \"x {9+}\"\r\nb NOOP\r\n", "S:a OK\r\nb OK\r\n"},
			.to_server = "a LIST \"\" \"x {9+}\"\r\nb NOOP\r\n",
			.to_client = "a OK\r\nb OK\r\n"},
		{"leading zeros count",
			{"C:a LIST \"\" {003+}\r\na b\r\n", "S:+\r\n", "S:a OK\r\n"},
			.to_server = "a LIST \"\" {003}\r\na b\r\n", .to_client = "a OK\r\n"},
		{"literal8 outside APPEND", {"C:a LIST \"\" ~{9+}\r\nb LOGOUT\r\n\r\n"},
			.to_server = "",
			.to_client = "a BAD Binary literal is not expected here\r\n"},
		{"literal8 in APPEND",
			{"C:a APPEND x ~{3+}\r\n\x1e\r\n\r\n", "S:+ \r\n", "S:a OK\r\n"},
			.to_server = "a APPEND x ~{3}\r\n\x1e\r\n\r\n", .to_client = "a OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void sizes_of_literals(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"64 KiB outside APPEND",
			{"C:a SEARCH TEXT {65536}\r\n", "S:a BAD\r\n",
				"C:b SEARCH TEXT {65537}\r\n"
				"c SELECT {4294967296}\r\n"},
			.to_server = "a SEARCH TEXT {65536}\r\n",
			.to_client = "a BAD\r\nb NO [TOOBIG] Literal is too large\r\n"
				     "c NO [TOOBIG] Literal is too large\r\n"},
		{"a too large {n+} that the client will not send in our time",
			{"C:a LIST \"\" {4294967295+}\r\n"}, .to_server = "",
			.to_client =
				"a NO [TOOBIG] Literal is too large\r\n* BYE Protocol error\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"an APPEND is the server's to refuse",
			{"C:a APPEND x {9223372036854775807}\r\n", "S:a NO quota\r\n",
				"C:b APPEND x {9223372036854775808}\r\n"},
			.to_server = "a APPEND x {9223372036854775807}\r\n",
			.to_client = "a NO quota\r\nb NO [TOOBIG] Literal is too large\r\n"},
		{"an APPEND refused by the server that nobody could read to the end",
			{"C:a APPEND x {134217729+}\r\nabc", "S:a NO quota\r\n"},
			.to_server = "a APPEND x {134217729}\r\n",
			.to_client = "a NO quota\r\n* BYE Protocol error\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"an APPEND refused by the server that can be read to the end",
			{"C:a APPEND x {12+}\r\nb NO", "S:a NO quota\r\n",
				"C:OP\r\n\r\n\r\n\r\nc NOOP\r\n", "S:c OK\r\n"},
			.to_server = "a APPEND x {12}\r\nc NOOP\r\n",
			.to_client = "a NO quota\r\nc OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void odd_tags(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"tags that would make another response of the reply",
			{"C:* NOOP\r\n+ NOOP\r\n* OK\r\na+ NOOP\r\n(a NOOP\r\n{5} NOOP\r\n%n "
			 "NOOP\r\n"
			 "\"a NOOP\r\na\\ NOOP\r\n\xc3\xa4 NOOP\r\n NOOP\r\na\tb "
			 "NOOP\r\n\x16\x03\r\n"},
			.to_server = "",
			.to_client = "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
				     "* BAD Invalid tag\r\n"},
		{"a tag that is in flight",
			{"C:a NOOP\r\na ENABLE QRESYNC\r\nA NOOP\r\n", "S:a OK\r\nA OK\r\n",
				"C:a NOOP\r\n", "S:a OK\r\n"},
			.to_server = "a NOOP\r\nA NOOP\r\na NOOP\r\n",
			.to_client = "* BAD Tag is in use\r\na OK\r\nA OK\r\na OK\r\n"},
		{"the proxy's own tag", {"C:Px0123456789abcdef.1 NOOP\r\n"}, .to_server = "",
			.to_client = "* BAD Tag is in use\r\n"},
		{"a bad tag's literal is not a command",
			{"C:* NOOP {9+}\r\nb LOGOUT\n\r\nc NOOP\r\n", "S:c OK\r\n"},
			.to_server = "c NOOP\r\n", .to_client = "* BAD Invalid tag\r\nc OK\r\n"},
		{"a reply to a tag nobody used",
			{"C:a APPEND INBOX {1}\r\n", "S:a BAD no\r\n-1} BAD no\r\n"},
			.to_server = "a APPEND INBOX {1}\r\n",
			.to_client = "a BAD no\r\n-1} BAD no\r\n", .dirt = "unknown-tag"},
		{"a second reply to one tag", {"C:a NOOP\r\n", "S:a OK\r\na OK\r\n"},
			.to_server = "a NOOP\r\n", .to_client = "a OK\r\na OK\r\n",
			.dirt = "unknown-tag"},
		{"a server that says * BAD about the rest of a line",
			{"C:a SETQUOTA \"q\" (STORAGE 1)\r\n", "S:a NO\r\n* BAD Invalid tag\r\n"},
			.to_server = "a SETQUOTA \"q\" (STORAGE 1)\r\n",
			.to_client = "a NO\r\n* BAD Invalid tag\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void line_ends(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"bare LF is a line end, sent on as CRLF",
			{"C:a NOOP\nb LIST \"\" {1+}\nx\nc LIST \"\" {1}\n", "S:+ \n",
				"S:a OK\nb OK\n+ \n", "C:y\n", "S:c OK\n"},
			.to_server = "a NOOP\r\nb LIST \"\" {1}\r\nx\r\nc LIST \"\" {1}\r\ny\r\n",
			.to_client = "a OK\nb OK\n+ \nc OK\n"},
		{"CR inside a line", {"C:a NOOP\rb NOOP\r\na NOOP\r\r\n"}, .to_server = "",
			.to_client = "a BAD Malformed line\r\na BAD Malformed line\r\n"},
		{"NUL inside a line", {"C:a NOOP\x1e\r\na\x1e NOOP\r\na LIST \"\x1e\" x\r\n"},
			.to_server = "",
			.to_client = "a BAD Malformed line\r\n* BAD Invalid tag\r\n"
				     "a BAD Malformed line\r\n"},
		{"empty lines", {"C:\r\n\n\r\na NOOP\r\n", "S:\r\n\r\na OK\r\n\n"},
			.to_server = "a NOOP\r\n", .to_client = "\r\n\r\na OK\r\n\n"},
		{"a command without verb", {"C:a\r\na \r\na  NOOP\r\na \"NOOP\"\r\nDONE\r\n"},
			.to_server = "",
			.to_client = "a BAD Invalid command\r\na BAD Invalid command\r\n"
				     "a BAD Invalid command\r\na BAD Invalid command\r\n"
				     "DONE BAD Invalid command\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void long_lines(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"the longest line", {"C:a LIST x y\r\n", "S:a OK\r\n"},
			.to_server = "a LIST x y\r\n", .to_client = "a OK\r\n", .max_line = 12},
		{"one more", {"C:a LIST x yz\r\nb NOOP\r\n", "S:b OK\r\n"},
			.to_server = "b NOOP\r\n",
			.to_client = "a BAD Command line too long\r\nb OK\r\n", .max_line = 12},
		{"a line without end", {"C:a LIST 0123456789012345678901234567890123456789"},
			.to_server = "", .to_client = "a BAD Command line too long\r\n",
			.max_line = 12, .is_open = true},
		{"a tag without end",
			{"C:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"},
			.to_server = "", .to_client = "aaaaaaaaaaaa BAD Command line too long\r\n",
			.max_line = 12},
		{"a tag in flight", {"C:a NOOP\r\na LIST 012345678901234567890\r\n", "S:a OK\r\n"},
			.to_server = "a NOOP\r\n",
			.to_client = "* BAD Command line too long\r\na OK\r\n", .max_line = 12},
		{"a bad tag", {"C:+ 012345678901234567890\r\n"}, .to_server = "",
			.to_client = "* BAD Command line too long\r\n", .max_line = 12},
		{"literals of a line that is too long are no commands",
			{"C:a LIST 0123456789 {9+}\r\nb LOGOUT\n (~{9+}\r\nb LOGOUT\n "
			 "{0003+}\nc\r\n"
			 "\r\nd NOOP\r\n",
				"S:d OK\r\n"},
			.to_server = "d NOOP\r\n",
			.to_client = "a BAD Command line too long\r\nd OK\r\n", .max_line = 12},
		{"as many digits as are seen",
			{"C:a LIST 0123456789 {00000000000000000009+}\r\nb LOGOUT\n\r\nd NOOP\r\n",
				"S:d OK\r\n"},
			.to_server = "d NOOP\r\n",
			.to_client = "a BAD Command line too long\r\nd OK\r\n", .max_line = 12},
		{"zeros that hide the brace",
			{"C:a LIST 0123456789 "
			 "{0000000000000000000000000000000000000000000000009+}\r\nb LOGOUT\n"},
			.to_server = "",
			.to_client = "a BAD Command line too long\r\n* BYE Protocol error\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_CLIENT_PROTOCOL, .is_open = true,
			.max_line = 12},
		{"what only looks like one is not skipped",
			{"C:a LIST 0123456789x{9+}\r\nb NOOP\r\n", "S:b OK\r\n",
				"C:a LIST 0123456789 {9}\r\nb NOOP\r\n", "S:b OK\r\n"},
			.to_server = "b NOOP\r\nb NOOP\r\n",
			.to_client = "a BAD Command line too long\r\nb OK\r\n"
				     "a BAD Command line too long\r\nb OK\r\n",
			.max_line = 12},
		{"the text of all lines of a command counts",
			{"C:a LIST {1+}\r\nx y\r\n", "S:+\r\n", "S:a OK\r\n",
				"C:b LIST {1+}\r\nx yyyyyyyy\r\n", "S:+\r\n"},
			.to_server = "a LIST {1}\r\nx y\r\nb LIST {1}\r\nx",
			.to_client = "a OK\r\n* BYE Command line too long\r\n", .max_line = 20,
			.ended = TRACKER_FAILED, .failure = FAIL_LINE_TOO_LONG, .is_open = true},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void idle(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"IDLE begins with the server's plus",
			{"C:a IDLE\r\n", "S:+ idling\r\n* 2 EXISTS\r\n", "C:DONE\r\n",
				"S:a OK\r\n"},
			.to_server = "a IDLE\r\nDONE\r\n",
			.to_client = "+ idling\r\n* 2 EXISTS\r\na OK\r\n"},
		{"behind a command with a plus that was not for the client",
			{"C:a LIST {1+}\r\nx\r\nb IDLE\r\n", "S:+ go\r\n", "S:a OK\r\n",
				"S:+ idling\r\n", "C:DONE\r\n", "S:b OK\r\n"},
			.to_server = "a LIST {1}\r\nx\r\nb IDLE\r\nDONE\r\n",
			.to_client = "a OK\r\n+ idling\r\nb OK\r\n"},
		{"DONE that comes too early is held",
			{"C:a IDLE\r\nDONE\r\nb NOOP\r\n", "S:* 1 EXISTS\r\n", "S:+ idling\r\n",
				"S:a OK\r\nb OK\r\n"},
			.to_server = "a IDLE\r\nDONE\r\nb NOOP\r\n",
			.to_client = "* 1 EXISTS\r\n+ idling\r\na OK\r\nb OK\r\n"},
		{"DONE in lower case with the next command in the same packet",
			{"C:a IDLE\r\n", "S:+ \r\n", "C:done\r\nb IDLE\r\n", "S:a OK\r\n+ \r\n",
				"C:DoNe\nc NOOP\r\n", "S:b OK\r\nc OK\r\n"},
			.to_server = "a IDLE\r\nDONE\r\nb IDLE\r\nDONE\r\nc NOOP\r\n",
			.to_client = "+ \r\na OK\r\n+ \r\nb OK\r\nc OK\r\n"},
		{"another line than DONE is the server's to judge",
			{"C:a IDLE\r\n", "S:+ \r\n", "C:b NOOP\r\n", "S:a BAD Expected DONE.\r\n",
				"C:c NOOP\r\n", "S:c OK\r\n"},
			.to_server = "a IDLE\r\nb NOOP\r\nc NOOP\r\n",
			.to_client = "+ \r\na BAD Expected DONE.\r\nc OK\r\n", .dirt = "idle"},
		{"but not when it has a literal", {"C:a IDLE\r\n", "S:+ \r\n", "C:b NOOP {9+}\r\n"},
			.to_server = "a IDLE\r\n", .to_client = "+ \r\n* BYE Protocol error\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_CLIENT_PROTOCOL, .is_open = true},
		{"or no end", {"C:a IDLE\r\n", "S:+ \r\n", "C:xxxxxxxxxxxxxxxxxxxx"},
			.to_server = "a IDLE\r\n",
			.to_client = "+ \r\n* BYE Command line too long\r\n",
			.ended = TRACKER_FAILED, .failure = FAIL_LINE_TOO_LONG, .is_open = true,
			.max_line = 12},
		{"a server that refuses IDLE X", {"C:a IDLE X\r\nDONE\r\n", "S:a BAD no\r\n"},
			.to_server = "a IDLE X\r\n",
			.to_client = "a BAD no\r\nDONE BAD Invalid command\r\n"},
		{"a server that idles for it", {"C:a IDLE X\r\nDONE\r\n", "S:+ \r\n", "S:a OK\r\n"},
			.to_server = "a IDLE X\r\nDONE\r\n", .to_client = "+ \r\na OK\r\n"},
		{"IDLE with a literal: whose would the plus be?",
			{"C:a IDLE {9+}\r\nb LOGOUT\n\r\nc IDLE {9}\r\n"}, .to_server = "",
			.to_client = "a BAD IDLE takes no arguments\r\n"
				     "c BAD IDLE takes no arguments\r\n"},
		{"a server that ends IDLE itself",
			{"C:a IDLE\r\n", "S:+ \r\n", "S:a OK enough\r\n", "C:b NOOP\r\n",
				"S:b OK\r\n"},
			.to_server = "a IDLE\r\nb NOOP\r\n",
			.to_client = "+ \r\na OK enough\r\nb OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

static void stray_continuations(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"a plus that nobody waits for changes nothing",
			{"C:a LIST \"\" x\r\n", "S:+ OK\r\na BAD\r\n", "C:b NOOP\r\n",
				"S:b OK\r\n"},
			.to_server = "a LIST \"\" x\r\nb NOOP\r\n",
			.to_client = "+ OK\r\na BAD\r\nb OK\r\n", .dirt = "stray-continuation"},
		{"a plus whose line ends behind the literal's command was not meant for it",
			{"C:a NOOP\r\n", "S:+", "C:b LIST \"\" {1+}\r\nx\r\n", "S: OK\r\n",
				"S:a OK\r\n", "S:+ go\r\n", "S:b OK\r\n"},
			.to_server = "a NOOP\r\nb LIST \"\" {1}\r\nx\r\n",
			.to_client = "+ OK\r\na OK\r\nb OK\r\n", .dirt = "stray-continuation"},
		{"a plus without text",
			{"C:b LIST \"\" {1}\r\n", "S:+\r\n", "C:x\r\n", "S:b OK\r\n"},
			.to_server = "b LIST \"\" {1}\r\nx\r\n", .to_client = "+\r\nb OK\r\n"},
		{"BYE and then the tagged reply", {"C:a NOOP\r\n", "S:* BYE gone\r\na OK\r\n"},
			.to_server = "a NOOP\r\n", .to_client = "* BYE gone\r\na OK\r\n",
			.dirt = "bye", .byes = 1},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

/* Dovecot and Cyrus repeat strings in errors. */
static void strings_that_come_back_as_responses(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"the end of a mailbox that was not left",
			{"C:a SELECT x\r\n", "S:a OK\r\n",
				"C:b SEARCH {18+}\r\nx\r\n* OK [CLOSED] y\r\n", "S:+\r\n",
				"S:b BAD Unexpected x\r\n* OK [CLOSED] y\r\n"},
			.to_server = "a SELECT x\r\nb SEARCH {18}\r\nx\r\n* OK [CLOSED] y\r\n",
			.to_client = "a OK\r\nb BAD Unexpected x\r\n* OK [CLOSED] y\r\n",
			.dirt = "line-end"},
		{"a literal that hides what was enabled",
			{"C:b SEARCH {18}\r\n", "S:+\r\n", "C:x\n* LIST NIL {19}\n\r\n",
				"C:c ENABLE QRESYNC\r\n",
				"S:b BAD Unexpected x\r\n* LIST NIL {19}\r\n",
				"S:* ENABLED QRESYNC\r\n\r\nc OK\r\n"},
			.to_server = "b SEARCH {18}\r\nx\n* LIST NIL {19}\n\r\n"
				     "c ENABLE QRESYNC\r\n",
			.to_client = "+\r\nb BAD Unexpected x\r\n* LIST NIL {19}\r\n"
				     "* ENABLED QRESYNC\r\n\r\nc OK\r\n",
			.dirt = "line-end"},
		{"a string of one line",
			{"C:a SEARCH {3+}\r\nx\ry\r\n", "S:+\r\n", "S:a BAD x\r\n"},
			.to_server = "a SEARCH {3}\r\nx\ry\r\n", .to_client = "a BAD x\r\n"},
		{"a message that was taken",
			{"C:a APPEND x {3+}\r\nx\r\n\r\n", "S:+\r\n", "S:a OK\r\n"},
			.to_server = "a APPEND x {3}\r\nx\r\n\r\n", .to_client = "a OK\r\n"},
		{"one that was refused before it was sent",
			{"C:a APPEND x {3+}\r\nx\r\n\r\n", "S:a NO\r\n"},
			.to_server = "a APPEND x {3}\r\n", .to_client = "a NO\r\n"},
		{"one that was refused behind it",
			{"C:a APPEND x {3+}\r\nx\r\n\r\n", "S:+\r\n", "S:a NO\r\n"},
			.to_server = "a APPEND x {3}\r\nx\r\n\r\n", .to_client = "a NO\r\n",
			.dirt = "line-end"},
		{"a name that was refused before the message",
			{"C:a APPEND {3}\r\n", "S:+\r\n", "C:x\ny {1}\r\n", "S:a NO no x\ny\r\n"},
			.to_server = "a APPEND {3}\r\nx\ny {1}\r\n",
			.to_client = "+\r\na NO no x\ny\r\n", .dirt = "line-end"},
		{"a name of one line that holds two",
			{"C:a SELECT x\r\n", "S:a OK\r\n", "C:b DELETE &AAo-*-OK\r\n",
				"S:b NO no \n*-OK\r\n"},
			.to_server = "a SELECT x\r\nb DELETE &AAo-*-OK\r\n",
			.to_client = "a OK\r\nb NO no \n*-OK\r\n", .dirt = "line-end",
			.selected = TRACKER_SELECTED_YES, .mailbox = "x"},
		{"in a line behind a literal",
			{"C:a RENAME {1+}\r\nx &AAo-\r\n", "S:+\r\n", "S:a NO\r\n"},
			.to_server = "a RENAME {1}\r\nx &AAo-\r\n", .to_client = "a NO\r\n",
			.dirt = "line-end"},
		{"in a literal of one line",
			{"C:a DELETE {5+}\r\n&AAo-\r\n", "S:+\r\n", "S:a NO\r\n"},
			.to_server = "a DELETE {5}\r\n&AAo-\r\n", .to_client = "a NO\r\n",
			.dirt = "line-end"},
		{"in a URL of CATENATE", {"C:a APPEND x CATENATE (URL \"%0A\")\r\n", "S:a NO\r\n"},
			.to_server = "a APPEND x CATENATE (URL \"%0A\")\r\n",
			.to_client = "a NO\r\n", .dirt = "line-end"},
		{"the answer to another command",
			{"C:a APPEND x {1+}\r\n\n\r\nb NOOP\r\n", "S:+\r\n", "S:b BAD\r\na OK\r\n"},
			.to_server = "a APPEND x {1}\r\n\n\r\nb NOOP\r\n",
			.to_client = "b BAD\r\na OK\r\n"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

/* A reply to what a server has found in another line than its own. */
static void selections_that_nobody_asked_for(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
		{"all commands are answered",
			{"C:a SETQUOTA x b SELECT y\r\nc GETMETADATA z\r\nb NOOP\r\n",
				"S:a NO\r\n* 2 EXISTS\r\n* FLAGS ()\r\nb OK\r\n", "S:c BAD\r\n"},
			.to_server = "a SETQUOTA x b SELECT y\r\nc GETMETADATA z\r\nb NOOP\r\n",
			.to_client = "a NO\r\n* 2 EXISTS\r\n* FLAGS ()\r\nb OK\r\nc BAD\r\n",
			.dirt = "unselected"},
		{"behind the end of the mailbox",
			{"C:a SELECT x\r\n", "S:* flags ()\r\na OK\r\n", "C:b CLOSE\r\n",
				"S:* FLAGS ()\r\nb OK\r\n* FLAGS\r\n"},
			.to_server = "a SELECT x\r\nb CLOSE\r\n",
			.to_client = "* flags ()\r\na OK\r\n* FLAGS ()\r\nb OK\r\n* FLAGS\r\n",
			.dirt = "unselected"},
		{"flags of a mailbox that is selected",
			{"C:a SELECT x\r\n", "S:a OK\r\n", "S:* FLAGS (y)\r\n"},
			.to_server = "a SELECT x\r\n", .to_client = "a OK\r\n* FLAGS (y)\r\n",
			.selected = TRACKER_SELECTED_YES, .mailbox = "x"},
	};
	tracker_script_check(scripts, COUNT(scripts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_looks_like_a_literal),
		cmocka_unit_test(literals_of_the_server),
		cmocka_unit_test(smuggled_literals),
		cmocka_unit_test(sizes_of_literals),
		cmocka_unit_test(odd_tags),
		cmocka_unit_test(line_ends),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(idle),
		cmocka_unit_test(stray_continuations),
		cmocka_unit_test(strings_that_come_back_as_responses),
		cmocka_unit_test(selections_that_nobody_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
