#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/tracker_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sessions(void **state)
{
	(void)state;
	static const struct tracker_script scripts[] = {
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
	};
	tracker_script_check(scripts, COUNT(scripts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
