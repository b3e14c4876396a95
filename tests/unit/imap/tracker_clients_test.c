/*
 * What real clients send (POOLING.md section 4): they must not be able to tell whether they have had one
 * connection all the time, or one now and then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "imap/lexer.h"
#include "lib/tracker_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One connection of a server that answers all at once, in the words that the proxy has chosen too. */
struct server {
	bool is_cyrus; /* STATUS (HIGHESTMODSEQ) switches nothing on; silent about what is on already */
	bool is_selected, is_idling;
	struct buf enabled;
	struct buf in, line; /* bytes not looked at; a command without its literals */
	size_t literal_left;
	char tag[32];
	unsigned commands;
};

static void server_open(struct server *s, bool is_cyrus, struct span class)
{
	*s = (struct server){.is_cyrus = is_cyrus};
	enabled_init(&s->enabled);
	assert_true(enabled_add(&s->enabled, class));
	buf_init(&s->in, 100000);
	buf_init(&s->line, 100000);
}

static void server_close(struct server *s)
{
	buf_finish(&s->enabled);
	buf_finish(&s->in);
	buf_finish(&s->line);
}

static void use_condstore(struct server *s)
{
	assert_true(enabled_add(&s->enabled, span_str("CONDSTORE")));
}

static void on_enable(struct server *s, struct span asked, struct buf *out)
{
	static const char *const known[] = {"CONDSTORE", "QRESYNC", "UTF8=ACCEPT"};
	struct buf now;
	enabled_init(&now);
	for (size_t i = 0; i < COUNT(known); i++) {
		if (enabled_has(asked, known[i])) {
			assert_true(enabled_add(&now, span_str(known[i])));
		}
	}
	struct span words = buf_peek(&now);
	if (!s->is_cyrus || words.n == 0 || !enabled_covers(buf_peek(&s->enabled), words)) {
		assert_true(enabled_add(&s->enabled, words));
		assert_true(buf_addf(
			out, "* ENABLED%s%.*s\r\n", words.n > 0 ? " " : "", SPAN_ARG(words)));
	}
	assert_true(buf_addf(out, "%s OK ENABLE completed.\r\n", s->tag));
	buf_finish(&now);
}

static void on_select(struct server *s, struct span args, struct buf *out)
{
	bool has_qresync = enabled_has(buf_peek(&s->enabled), "QRESYNC");
	if (span_contains_nocase(args, "CONDSTORE")) {
		use_condstore(s);
	}
	s->is_selected = true;
	assert_true(buf_add_str(out, "* 3 EXISTS\r\n* OK [HIGHESTMODSEQ 5] x\r\n"));
	if (has_qresync && span_contains_nocase(args, "QRESYNC")) {
		assert_true(buf_add_str(out, "* VANISHED (EARLIER) 7\r\n"));
	}
	assert_true(buf_addf(out, "%s OK [READ-WRITE] done\r\n", s->tag));
}

static void on_fetch(struct server *s, struct span args, struct buf *out)
{
	if (!s->is_selected) {
		assert_true(buf_addf(out, "%s BAD No mailbox selected\r\n", s->tag));
		return;
	}
	if (span_contains_nocase(args, "MODSEQ") || span_contains_nocase(args, "CHANGEDSINCE")) {
		use_condstore(s);
	}
	bool has_modseq = enabled_has(buf_peek(&s->enabled), "CONDSTORE");
	assert_true(buf_addf(out, "* 1 FETCH (BODY[] {7}\r\n1 OK\r\n\n UID 4%s)\r\n%s OK done\r\n",
		has_modseq ? " MODSEQ (3)" : "", s->tag));
}

static void on_status(struct server *s, struct span args, struct buf *out)
{
	bool is_used = span_contains_nocase(args, "HIGHESTMODSEQ");
	if (is_used && !s->is_cyrus) {
		use_condstore(s);
	}
	assert_true(buf_addf(out, "* STATUS x (MESSAGES 3%s)\r\n%s OK done\r\n",
		is_used ? " HIGHESTMODSEQ 5" : "", s->tag));
}

static void execute(struct server *s, struct span line, struct buf *out)
{
	struct span tag = span_take_until(&line, " ");
	snprintf(s->tag, sizeof(s->tag), "%.*s", SPAN_ARG(tag));
	span_take(&line, ' ');
	if (span_starts_nocase(line, "UID ")) {
		span_take_until(&line, " ");
		span_take(&line, ' ');
	}
	struct span verb = span_take_until(&line, " \r");
	struct span args = span_chomp(line);
	span_take(&args, ' ');
	bool fits = true;
	s->commands++;
	if (span_is_nocase(verb, "ENABLE")) {
		on_enable(s, args, out);
	} else if (span_is_nocase(verb, "SELECT") || span_is_nocase(verb, "EXAMINE")) {
		on_select(s, args, out);
	} else if (span_is_nocase(verb, "FETCH")) {
		on_fetch(s, args, out);
	} else if (span_is_nocase(verb, "STATUS")) {
		on_status(s, args, out);
	} else if (span_is_nocase(verb, "UNSELECT") || span_is_nocase(verb, "CLOSE")) {
		fits = buf_addf(out, "%s %s\r\n", s->tag,
			s->is_selected ? "OK done" : "BAD No mailbox selected");
		s->is_selected = false;
	} else if (span_is_nocase(verb, "IDLE")) {
		s->is_idling = true;
		fits = buf_add_str(out, "+ idling\r\n");
	} else if (span_is_nocase(verb, "CAPABILITY")) {
		fits = buf_addf(out,
			"* CAPABILITY " RIG_CAPABILITIES "\r\n%s OK Capability completed.\r\n",
			s->tag);
	} else if (span_is_nocase(verb, "ID")) {
		fits = buf_addf(out, "* ID " RIG_SERVER_ID "\r\n%s OK ID completed.\r\n", s->tag);
	} else if (span_is_nocase(verb, "NOOP")) {
		fits = buf_addf(out, "%s OK NOOP completed.\r\n", s->tag);
	} else {
		fits = buf_addf(out, "* X %.*s\r\n%s OK done\r\n", SPAN_ARG(verb), s->tag);
	}
	assert_true(fits);
}

static void on_line(struct server *s, struct span line, struct buf *out)
{
	if (s->is_idling) {
		assert_true(span_is(line, "DONE\r\n"));
		s->is_idling = false;
		assert_true(buf_addf(out, "%s OK Idle completed.\r\n", s->tag));
		return;
	}
	assert_true(buf_add(&s->line, line));
	struct literal literal;
	if (literal_header(span_chomp(line), &literal) == LITERAL_SYNC) {
		s->literal_left = literal.size;
		assert_true(buf_add_str(out, "+ go\r\n"));
		return;
	}
	execute(s, buf_peek(&s->line), out);
	buf_clear(&s->line);
}

static void server_feed(struct server *s, struct span bytes, struct buf *out)
{
	assert_true(buf_add(&s->in, bytes));
	while (buf_len(&s->in) > 0) {
		struct span in = buf_peek(&s->in);
		if (s->literal_left > 0) {
			size_t n = in.n < s->literal_left ? in.n : s->literal_left;
			s->literal_left -= n;
			buf_consume(&s->in, n);
			continue;
		}
		size_t end = span_find(in, '\n');
		if (end == in.n) {
			break;
		}
		on_line(s, span_slice(in, 0, end + 1), out);
		buf_consume(&s->in, end + 1);
	}
}

/* When the connection is given back: never, as soon as it can be, or every other time. */
enum giving { NEVER, AT_ONCE, NOW_AND_THEN };

struct play {
	struct tracker_rig rig;
	struct server server;
	bool is_cyrus;
	unsigned attached, times, commands;
	size_t piece;
};

static void attach(struct play *p)
{
	static const char known[] = "CONDSTORE QRESYNC UTF8=ACCEPT";
	struct buf class;
	enabled_init(&class);
	struct span wanted = tracker_enabled(p->rig.t);
	/* What a server does with the ENABLE that the pool sends. */
	struct buf common;
	buf_init(&common, 1000);
	assert_true(enabled_write_common(&common, span_str(known), wanted));
	assert_true(enabled_add(&class, buf_peek(&common)));
	p->commands += p->server.commands;
	server_close(&p->server);
	server_open(&p->server, p->is_cyrus, buf_peek(&class));
	p->attached++;
	tracker_rig_attach(&p->rig, buf_peek(&class), RIG_CAPABILITIES);
	buf_finish(&common);
	buf_finish(&class);
}

/* Until nobody has anything to say. */
static void settle(struct play *p)
{
	struct buf out;
	buf_init(&out, 100000);
	while (buf_len(&p->rig.to_server) > 0 || p->rig.is_wanting) {
		if (p->rig.is_wanting) {
			attach(p);
		}
		server_feed(&p->server, buf_peek(&p->rig.to_server), &out);
		buf_clear(&p->rig.to_server);
		tracker_rig_server(&p->rig, buf_peek(&out), p->piece, p->piece);
		buf_clear(&out);
	}
	buf_finish(&out);
}

static void give_back(struct play *p, enum giving giving)
{
	if (p->rig.ended != TRACKER_MORE || !tracker_can_detach(p->rig.t)) {
		return;
	}
	p->times++;
	if (giving == AT_ONCE || (giving == NOW_AND_THEN && p->times % 2 == 0)) {
		assert_false(p->server.is_selected);
		tracker_rig_detach(&p->rig);
	}
}

static void converse(
	struct play *p, const char *const *says, bool is_lazy, enum giving giving, size_t piece)
{
	p->piece = piece;
	(is_lazy ? tracker_rig_init_detached : tracker_rig_init)(&p->rig, 65536, RIG_CAPABILITIES);
	server_open(&p->server, p->is_cyrus, span_str(""));
	for (size_t i = 0; says[i] != NULL; i++) {
		tracker_rig_client(&p->rig, span_str(says[i]), piece, piece);
		settle(p);
		give_back(p, giving);
	}
	assert_null(tracker_dirt(p->rig.t));
	p->commands += p->server.commands;
}

static void end(struct play *p)
{
	server_close(&p->server);
	tracker_rig_finish(&p->rig);
}

static void compare(const char *name, const char *const *says, bool is_cyrus)
{
	struct play direct = {.is_cyrus = is_cyrus};
	converse(&direct, says, false, NEVER, SIZE_MAX);
	static const enum giving givings[] = {NEVER, AT_ONCE, NOW_AND_THEN};
	static const size_t pieces[] = {SIZE_MAX, 1, 2, 7};
	for (size_t i = 0; i < COUNT(givings) * COUNT(pieces); i++) {
		struct play lazy = {.is_cyrus = is_cyrus};
		converse(&lazy, says, true, givings[i % 3], pieces[i / 3]);
		struct span told = buf_peek(&lazy.rig.to_client);
		struct span expected = buf_peek(&direct.rig.to_client);
		if (!span_equal(told, expected) || lazy.commands > direct.commands) {
			print_message(
				"%s, giving back %d, pieces of %zu:\n%.*s\ninstead of\n%.*s\n",
				name, (int)givings[i % 3], pieces[i / 3], SPAN_ARG(told),
				SPAN_ARG(expected));
			fail();
		}
		if (givings[i % 3] == NEVER) {
			assert_in_range(lazy.attached, 0, 1);
		}
		end(&lazy);
	}
	end(&direct);
}

struct story {
	const char *name;
	const char *says[16]; /* what stands in one string is sent in one go */
	/* CONDSTORE by STATUS alone: Cyrus' own connection would stay without, the next one has it. */
	bool is_used_by_status;
};

static const struct story stories[] = {
	{"Nextcloud",
		.says = {"1 ENABLE QRESYNC\r\n2 STATUS INBOX (MESSAGES UIDNEXT HIGHESTMODSEQ)\r\n",
			"3 NAMESPACE\r\n", "4 LIST \"\" * RETURN (SPECIAL-USE)\r\n",
			"5 SELECT INBOX (QRESYNC (1 2))\r\n", "6 UID FETCH 1:* (FLAGS)\r\n",
			"7 UNSELECT\r\n", "8 STATUS INBOX (HIGHESTMODSEQ)\r\n",
			"9 EXAMINE INBOX\r\n", "10 FETCH 1 (UID)\r\n", "11 LOGOUT\r\n"}},
	{"Horde, all in one go",
		.says = {"1 ENABLE QRESYNC\r\n2 NAMESPACE\r\n"
			 "4 STATUS INBOX (HIGHESTMODSEQ)\r\n5 SELECT INBOX\r\n6 FETCH 1 (UID)\r\n"
			 "7 CLOSE\r\n8 LOGOUT\r\n"}},
	{"ImapFlow",
		.says = {"A CAPABILITY\r\n", "B ID (\"name\" \"imapflow\")\r\n", "C NAMESPACE\r\n",
			"D COMPRESS DEFLATE\r\n", "E ENABLE CONDSTORE UTF8=ACCEPT IMAP4rev2\r\n",
			"F LIST \"\" \"*\"\r\nG LSUB \"\" \"*\"\r\n", "H IDLE\r\n", "DONE\r\n",
			"I SELECT INBOX\r\n", "J FETCH 1 (UID)\r\n", "K IDLE\r\n", "DONE\r\n",
			"L LOGOUT\r\n"}},
	{"SnappyMail", .says = {"1 CAPABILITY\r\n", "2 ENABLE UTF8=ACCEPT\r\n", "3 NAMESPACE\r\n",
			       "4 LIST \"\" \"*\" RETURN (STATUS (MESSAGES))\r\n",
			       "5 STATUS INBOX (MESSAGES UNSEEN)\r\n", "6 EXAMINE INBOX\r\n",
			       "7 UID FETCH 1:* (FLAGS)\r\n", "8 LOGOUT\r\n"}},
	{"K-9", .says = {"1 CAPABILITY\r\n", "2 COMPRESS DEFLATE\r\n",
			"3 ID (\"name\" \"K-9\")\r\n", "4 ENABLE UTF8=ACCEPT\r\n",
			"5 NAMESPACE\r\n", "6 LIST \"\" \"\"\r\n", "7 NOOP\r\n",
			"8 SELECT \"INBOX\"\r\n", "9 UID FETCH 1 (FLAGS)\r\n", "10 IDLE\r\n",
			"DONE\r\n"}},
	{"Thunderbird",
		.says = {"1 NAMESPACE\r\n", "2 COMPRESS DEFLATE\r\n", "3 ENABLE CONDSTORE\r\n",
			"4 ID (\"name\" \"Thunderbird\")\r\n", "5 ENABLE UTF8=ACCEPT\r\n",
			"6 list (subscribed) \"\" \"*\" return (special-use)\r\n",
			"7 select \"INBOX\" (CONDSTORE)\r\n", "8 UID fetch 1:* (FLAGS)\r\n",
			"9 IDLE\r\n", "DONE\r\n10 noop\r\n", "11 close\r\n", "12 noop\r\n",
			"13 logout\r\n"}},
	{"Thunderbird's second connection",
		.says = {"1 NOOP\r\n", "2 IDLE\r\n", "DONE\r\n", "3 NOOP\r\n"}},
	{"Apple Mail", .says = {"1 ID (\"name\" \"Mac OS X Mail\")\r\n",
			       "2 NAMESPACE\r\n3 LIST \"\" \"*\" RETURN (SPECIAL-USE)\r\n",
			       "4 IDLE\r\n", "DONE\r\n", "5 SELECT INBOX (CONDSTORE)\r\n",
			       "6 FETCH 1 (UID) (CHANGEDSINCE 3)\r\n", "7 UNSELECT\r\n",
			       "8 SELECT INBOX\r\n9 FETCH 1 (UID)\r\n"}},
	{"Outlook", .says = {"1 CAPABILITY\r\n", "2 LIST \"\" \"*\"\r\n", "3 LSUB \"\" \"*\"\r\n",
			    "4 SELECT \"INBOX\"\r\n", "5 UID FETCH 1:* (UID FLAGS)\r\n",
			    "6 IDLE\r\n", "DONE\r\n", "7 LOGOUT\r\n"}},
	{"SOGo, SOPE",
		.says = {"1 STATUS INBOX (UNSEEN)\r\n", "2 STATUS Sent (UNSEEN)\r\n", "3 NOOP\r\n",
			"4 ENABLE QRESYNC\r\n", "5 STATUS INBOX (HIGHESTMODSEQ)\r\n",
			"6 SELECT INBOX\r\n", "7 FETCH 1 (UID)\r\n"}},
	{"a client that delivers",
		.says = {"1 APPEND Sent (\\Seen) {7+}\r\nA NOOP\n\r\n", "2 NOOP\r\n",
			"3 APPEND Sent {4+}\r\nmail {2+}\r\nxy\r\n4 CHECK\r\n5 NOOP\r\n",
			"6 LOGOUT\r\n"}},
	{"a client that is confused",
		.says = {"1 FETCH 1 (MODSEQ)\r\n", "2 UNSELECT\r\n3 CLOSE\r\n",
			"4 UID FETCH 1 (FLAGS)\r\n", "5 COMPRESS DEFLATE\r\n", "* NOOP\r\n",
			"6 STARTTLS\r\n7 ENABLE X-NOTHING\r\n8 ENABLE X-NOTHING\r\n"}},
	{"CONDSTORE without a word",
		.says = {"1 STATUS INBOX (HIGHESTMODSEQ)\r\n", "2 SELECT INBOX\r\n",
			"3 FETCH 1 (UID)\r\n", "4 UNSELECT\r\n", "5 SELECT INBOX\r\n",
			"6 FETCH 1 (UID)\r\n"},
		.is_used_by_status = true},
};

static void clients_see_no_difference(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		compare(stories[i].name, stories[i].says, false);
		if (!stories[i].is_used_by_status) {
			compare(stories[i].name, stories[i].says, true);
		}
	}
}

/* Two hundred polls, and between them nobody is held. */
static void polling_holds_nothing(void **state)
{
	(void)state;
	struct play p = {0};
	p.piece = SIZE_MAX;
	tracker_rig_init_detached(&p.rig, 65536, RIG_CAPABILITIES);
	server_open(&p.server, false, span_str(""));
	for (unsigned i = 0; i < 200; i++) {
		char line[64];
		int n = snprintf(
			line, sizeof(line), "p%u STATUS INBOX (MESSAGES)\r\nq NOOP\r\n", i);
		tracker_rig_client(&p.rig, span_of(line, (size_t)n), SIZE_MAX, SIZE_MAX);
		settle(&p);
		assert_true(tracker_can_detach(p.rig.t));
		tracker_rig_detach(&p.rig);
		assert_int_equal(p.attached, i + 1);
	}
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_see_no_difference),
		cmocka_unit_test(polling_holds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
