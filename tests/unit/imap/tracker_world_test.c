/* Clients made of good and bad pieces, in any order and any interleaving, before a model server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "lib/tracker_world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CLIENTS = 4000, PIECES_MAX = 30, CHOICES = 250 };

static const char *const pieces[] = {
	"a NOOP\r\n",
	"b SELECT INBOX\r\n",
	"c EXAMINE \"a \\\"b\"\r\n",
	"d CLOSE\r\n",
	"e UNSELECT\r\n",
	"f UID FETCH 1:* (FLAGS BODY[])\r\n",
	"g APPEND Sent {5+}\r\nhello\r\n",
	"h APPEND Sent {5}\r\nhello\r\n",
	"i APPEND Sent ~{3+}\r\n\x1e\r\n {0+}\r\n\r\n",
	"j SELECT {5+}\r\nINBOX\r\n",
	"k IDLE\r\n",
	"DONE\r\n",
	"l IDLE\r\ndone\n",
	"m SEARCH TEXT {3+}\r\nabc BODY {3+}\r\ndef\r\n",
	"n LOGIN {3+}\r\no N {3+}\r\nabc\r\n",
	"p NOOP {20+}\r\nq ENABLE QRESYNC\r\n\r\n\r\n",
	"r ENABLE CONDSTORE\r\n",
	"s STATUS {1+}\r\nx (HIGHESTMODSEQ)\r\n",
	"* NOOP {3+}\r\n\r\n\r\r\n",
	"t LIST \"\" {5}x\r\n",
	"u LIST \"\" \"x {5+}\r\n",
	"v COMPRESS DEFLATE\r\n",
	"w ID (\"x-a\" \"b\")\r\n",
	"x ID NIL\r\n",
	"y X-WHATEVER\r\n",
	"z LOGOUT\r\n",
	"half a line",
	"\r\n",
	"\n",
	"\r",
	"{9+}\r\n",
	"\"",
	" (",
	"B STARTTLS\r\n",
	"C LIST 01234567890123456789012345678901234567890123456789012345678901234567890123456789"
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789 {3+}\r\n"
	"C N\r\n",
};

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void any_client_any_interleaving(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= CLIENTS; i++) {
		uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15);
		struct buf client;
		buf_init(&client, 1 << 16);
		for (uint64_t n = next(&seed) % PIECES_MAX; n > 0; n--) {
			assert_true(buf_add_str(&client, pieces[next(&seed) % COUNT(pieces)]));
		}
		uint8_t choices[CHOICES];
		for (size_t at = 0; at < CHOICES; at++) {
			choices[at] = (uint8_t)(next(&seed) >> 32);
		}
		tracker_world_play(buf_peek(&client), span_of(choices, next(&seed) % CHOICES));
		buf_finish(&client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_client_any_interleaving),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
