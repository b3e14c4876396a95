#include "bench/stub_session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lines.h"
#include "bench/must.h"
#include "bench/stream.h"

#define CAPABILITIES                                                                               \
	"CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE UNSELECT UIDPLUS AUTH=PLAIN"
#define MESSAGES 100
#define TAG_MAX  64
#define WORDS    4
#define LINE_OF_FETCH                                                                              \
	"* %u FETCH (UID %u FLAGS (\\Seen) RFC822.SIZE 4711 ENVELOPE (\"Mon, 7 Apr 2025 09:00:00 " \
	"+0000\" \"Minutes of Monday\" ((\"Dana\" NIL \"dana\" \"example.org\")) NIL NIL "         \
	"((NIL NIL \"user\" \"example.org\")) NIL NIL NIL \"<4711.%u@example.org>\"))\r\n"

static const size_t message_sizes[] = {2048, (size_t)64 << 10, (size_t)1 << 20, (size_t)16 << 20};
#define MESSAGE_KINDS (sizeof(message_sizes) / sizeof(message_sizes[0]))

static char *message_text;

struct session {
	struct stub *stub;
	struct stream *stream;
	struct lines lines;
	struct loop_timer cost; /* set while a sign-in is being paid for */
	char *unread;           /* what arrived meanwhile */
	size_t unread_n, unread_capacity;
	char tag[TAG_MAX]; /* of the command that waits: sign-in, IDLE */
	enum { STUB_READS, STUB_SASL, STUB_IDLES } state;
	bool is_ending;
};

/* A command in words: tag, verb, first argument, second. */
struct words {
	const char *word[WORDS];
	int length[WORDS];
};

void stub_session_prepare(void)
{
	static const char line[] =
		"The quick brown fox jumps over the lazy dog, again and again and.\r\n";
	size_t n = message_sizes[MESSAGE_KINDS - 1];
	message_text = must_alloc(n);
	for (size_t i = 0; i < n; i++) {
		message_text[i] = line[i % (sizeof(line) - 1)];
	}
}

static void say(struct session *s, const char *text)
{
	stream_write(s->stream, text, strlen(text));
}

static void ok(struct session *s, const char *text)
{
	say(s, s->tag);
	say(s, " OK ");
	say(s, text);
	say(s, "\r\n");
}

static void sign_in(struct session *s)
{
	s->stub->signins++;
	if (s->stub->signin_cost > 0) {
		loop_at(&s->stub->loop, &s->cost, loop_now() + s->stub->signin_cost);
	} else {
		ok(s, "[" CAPABILITIES "] signed in");
	}
}

static void select_mailbox(struct session *s, bool is_read_only)
{
	char text[64];
	snprintf(text, sizeof(text), "* %d EXISTS\r\n* 0 RECENT\r\n", MESSAGES);
	say(s, text);
	say(s, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	       "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] kept\r\n"
	       "* OK [UIDVALIDITY 4711] valid\r\n* OK [UIDNEXT 101] next\r\n");
	ok(s, is_read_only ? "[READ-ONLY] selected" : "[READ-WRITE] selected");
}

static void fetch_body(struct session *s, unsigned number)
{
	size_t kind = number >= 1 && number <= MESSAGE_KINDS ? number - 1 : 0;
	char text[80];
	snprintf(text, sizeof(text), "* %u FETCH (BODY[] {%zu}\r\n", number, message_sizes[kind]);
	say(s, text);
	stream_write_static(s->stream, message_text, message_sizes[kind]);
	say(s, ")\r\n");
}

static void fetch(struct session *s, const struct words *w, const char *end)
{
	char *after = NULL;
	unsigned long from = w->word[2] != NULL ? strtoul(w->word[2], &after, 10) : 1;
	unsigned long to = after != NULL && *after == ':' ? strtoul(after + 1, NULL, 10) : from;
	if (w->word[3] != NULL &&
		memmem(w->word[3], (size_t)(end - w->word[3]), "BODY", 4) != NULL) {
		fetch_body(s, (unsigned)from);
	} else {
		for (unsigned long i = from; i <= to && i <= MESSAGES; i++) {
			char text[512];
			snprintf(text, sizeof(text), LINE_OF_FETCH, (unsigned)i, (unsigned)i,
				(unsigned)i);
			say(s, text);
		}
	}
	ok(s, "fetched");
}

static struct words split(const char *text, size_t n)
{
	struct words w = {0};
	const char *end = text + n;
	for (int i = 0; i < WORDS && text < end; i++) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));
		const char *stop = blank != NULL ? blank : end;
		w.word[i] = text;
		w.length[i] = (int)(stop - text);
		text = blank != NULL ? blank + 1 : end;
	}
	return w;
}

static bool is_verb(const struct words *w, const char *verb)
{
	return (size_t)w->length[1] == strlen(verb) &&
	       strncasecmp(w->word[1], verb, strlen(verb)) == 0;
}

static void begin_sasl(struct session *s, const struct words *w)
{
	if (w->word[3] != NULL) {
		sign_in(s);
	} else {
		s->state = STUB_SASL;
		say(s, "+ \r\n");
	}
}

static void log_out(struct session *s)
{
	say(s, "* BYE\r\n");
	ok(s, "bye");
	s->is_ending = true;
}

static void run(struct session *s, const char *text, size_t n)
{
	struct words w = split(text, n);
	snprintf(s->tag, sizeof(s->tag), "%.*s", w.length[0], w.word[0] != NULL ? w.word[0] : "*");
	if (is_verb(&w, "NOOP") || is_verb(&w, "CHECK")) {
		ok(s, "done");
	} else if (is_verb(&w, "FETCH")) {
		fetch(s, &w, text + n);
	} else if (is_verb(&w, "LOGIN")) {
		sign_in(s);
	} else if (is_verb(&w, "AUTHENTICATE")) {
		begin_sasl(s, &w);
	} else if (is_verb(&w, "SELECT") || is_verb(&w, "EXAMINE")) {
		select_mailbox(s, is_verb(&w, "EXAMINE"));
	} else if (is_verb(&w, "CAPABILITY")) {
		say(s, "* " CAPABILITIES "\r\n");
		ok(s, "listed");
	} else if (is_verb(&w, "ID")) {
		say(s, "* ID NIL\r\n");
		ok(s, "known");
	} else if (is_verb(&w, "ENABLE")) {
		say(s, "* ENABLED\r\n");
		ok(s, "enabled");
	} else if (is_verb(&w, "APPEND")) {
		ok(s, "[APPENDUID 4711 101] stored");
	} else if (is_verb(&w, "UNSELECT") || is_verb(&w, "CLOSE")) {
		ok(s, "none selected");
	} else if (is_verb(&w, "IDLE")) {
		s->state = STUB_IDLES;
		say(s, "+ idling\r\n");
	} else if (is_verb(&w, "LOGOUT")) {
		log_out(s);
	} else {
		say(s, s->tag);
		say(s, " BAD unknown\r\n");
	}
}

static void on_line(struct session *s)
{
	if (s->state == STUB_SASL) {
		s->state = STUB_READS;
		sign_in(s);
	} else if (s->state == STUB_IDLES) {
		s->state = STUB_READS;
		ok(s, "idled");
	} else {
		run(s, s->lines.text, s->lines.n);
	}
}

static void finish(struct session *s)
{
	s->stub->connections--;
	loop_cancel(&s->stub->loop, &s->cost);
	stream_close(&s->stream);
	lines_finish(&s->lines);
	free(s->unread);
	loop_free_later(&s->stub->loop, s);
}

static void take(struct session *s, const char *bytes, size_t n)
{
	const char *end = bytes + n;
	while (!s->is_ending && s->cost.place == 0) {
		enum lines_event event = lines_read(&s->lines, &bytes, end);
		if (event == LINES_MORE) {
			break;
		}
		if (event == LINES_LINE) {
			on_line(s);
		} else if (s->lines.is_synchronising) {
			say(s, "+ go on\r\n");
		}
	}
	n = (size_t)(end - bytes);
	if (n > 0 && !s->is_ending) {
		s->unread = must_grow(s->unread, &s->unread_capacity, s->unread_n + n, 1);
		memcpy(s->unread + s->unread_n, bytes, n);
		s->unread_n += n;
	}
}

static void on_paid(struct loop_timer *timer)
{
	struct session *s =
		(struct session *)(void *)((char *)timer - offsetof(struct session, cost));
	ok(s, "[" CAPABILITIES "] signed in");
	char *bytes = s->unread;
	size_t n = s->unread_n;
	s->unread = NULL;
	s->unread_n = s->unread_capacity = 0;
	take(s, bytes, n);
	free(bytes);
	stream_flush(s->stream);
	if (s->is_ending) {
		finish(s);
	}
}

static void on_open(void *owner)
{
	say(owner, "* OK [" CAPABILITIES "] stub\r\n");
}

static void on_data(void *owner, const char *bytes, size_t n)
{
	struct session *s = owner;
	if (s->is_ending) {
		return;
	}
	take(s, bytes, n);
	if (s->is_ending) {
		finish(s);
	}
}

static void on_end(void *owner, const char *why)
{
	(void)why; /* proxies close as they like */
	finish(owner);
}

void stub_session_serve(struct stub *stub, int fd, SSL_CTX *tls)
{
	static const struct stream_events events = {on_open, on_data, on_end};
	assert(message_text != NULL);
	struct session *s = must_alloc(sizeof(*s));
	s->stub = stub;
	s->cost.on_due = on_paid;
	s->stream = stream_accept(&stub->loop, fd, tls, &events, s);
	stub->connections++;
}
