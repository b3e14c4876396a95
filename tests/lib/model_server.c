#include "lib/model_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "model server: %s\n", #condition);                         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

enum { CONDSTORE = 1, QRESYNC = 2 };
const char *const model_server_words[] = {
	"CONDSTORE", "QRESYNC", "METADATA", "UIDONLY", "UTF8=ACCEPT", NULL};

uint8_t choose(struct choices *c)
{
	struct span one;
	return span_take_bytes(&c->left, 1, &one) ? one.p[0] : 0;
}

void model_server_init(struct model_server *m, struct choices *choices)
{
	*m = (struct model_server){.choices = choices};
	buf_init(&m->in, 1 << 26);
	buf_init(&m->out, 1 << 26);
	buf_init(&m->text, 1 << 26);
}

void model_server_finish(struct model_server *m)
{
	buf_finish(&m->in);
	buf_finish(&m->out);
	buf_finish(&m->text);
}

void model_server_reconnect(struct model_server *m, unsigned enabled)
{
	struct choices *choices = m->choices;
	model_server_finish(m);
	model_server_init(m, choices);
	m->enabled = enabled;
}

static void say(struct model_server *m, const char *before, const char *tag, const char *after)
{
	MUST(buf_addf(&m->out, "%s%s%s", before, tag, after));
}

uint8_t model_server_octet(size_t i)
{
	static const char octets[] = "L\r\na OK x\r\n+ go\r\n* BYE {5}\r\n1 OK y\r\nMODSEQ (1)\r\n";
	return (uint8_t)octets[i % (sizeof(octets) - 1)];
}

static void say_literal(struct model_server *m, size_t n)
{
	MUST(buf_addf(&m->out, "* 1 FETCH (BODY[] {%zu}\r\n", n));
	for (size_t i = 0; i < n; i++) {
		uint8_t octet = model_server_octet(i);
		MUST(buf_add(&m->out, span_of(&octet, 1)));
	}
	MUST(buf_add_str(&m->out, " FLAGS (\\Seen))\r\n"));
}

void model_server_speak(struct model_server *m)
{
	uint8_t what = choose(m->choices);
	switch (what % 7) {
	case 0:
		say(m, "* 2 EXISTS\r\n", "", "");
		break;
	case 1:
		say(m, "* OK still here {9}\r\n", "", "");
		break;
	case 2:
		say_literal(m, what);
		break;
	case 3:
		say(m, "* CAPABILITY IMAP4rev1 STARTTLS ID\r\n", "", "");
		break;
	case 4:
		say(m, "\r\n", "", "");
		break;
	case 5:
		say(m, m->enabled & CONDSTORE ? "* 1 FETCH (UID 1 MODSEQ (5))\r\n" : "", "", "");
		break;
	default:
		say(m, "* LIST () \"/\" \"x {5}\"\r\n", "", "");
		break;
	}
}

/* The open command is m->text up to its first line end. */
static void word_at(const struct model_server *m, size_t number, char *out, size_t size)
{
	struct span text = buf_peek(&m->text);
	text.n = span_find(text, '\r');
	struct span word = span_take_until(&text, " ");
	while (number-- > 0) {
		span_take(&text, ' ');
		word = span_take_until(&text, " ");
	}
	size_t n = word.n < size - 1 ? word.n : size - 1;
	memcpy(out, word.p != NULL ? (const char *)word.p : "", n);
	out[n] = '\0';
}

static void tag_of(const struct model_server *m, char *out, size_t size)
{
	word_at(m, 0, out, size);
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcasecmp(word, *words) == 0) {
			return true;
		}
	}
	return false;
}

static bool leaves_nothing(const struct model_server *m)
{
	/* The list of POOLING.md, once more. */
	static const char *const clean[] = {"CAPABILITY", "NOOP", "CHECK", "ID", "NAMESPACE",
		"LIST", "LSUB", "XLIST", "STATUS", "CREATE", "DELETE", "RENAME", "SUBSCRIBE",
		"UNSUBSCRIBE", "APPEND", "REPLACE", "SELECT", "EXAMINE", "CLOSE", "UNSELECT",
		"EXPUNGE", "FETCH", "STORE", "COPY", "MOVE", "SEARCH", "SORT", "THREAD", "ESEARCH",
		"IDLE", "GETQUOTA", "SETQUOTA", "GETQUOTAROOT", "GETACL", "SETACL", "DELETEACL",
		"LISTRIGHTS", "MYRIGHTS", "GETMETADATA", "SETMETADATA", "GETANNOTATION",
		"SETANNOTATION", "GENURLAUTH", "URLFETCH", "RESETKEY", "ENABLE", NULL};
	static const char *const uid[] = {"FETCH", "STORE", "COPY", "MOVE", "SEARCH", "SORT",
		"THREAD", "EXPUNGE", "REPLACE", NULL};
	char verb[128], second[128];
	word_at(m, 1, verb, sizeof(verb));
	word_at(m, 2, second, sizeof(second));
	return is_one_of(verb, clean) || (strcasecmp(verb, "UID") == 0 && is_one_of(second, uid));
}

/* Another reader than the proxy's: the name as it stands in the line. */
static void remember_mailbox(struct model_server *m)
{
	struct span text = buf_peek(&m->text);
	span_take_until(&text, " ");
	span_take(&text, ' ');
	span_take_until(&text, " \r");
	span_take(&text, ' ');
	size_t n = 0;
	if (text.p[0] == '"') {
		for (n = 1; text.p[n] != '"'; n++) {
			n += text.p[n] == '\\';
		}
		n++;
	} else if (text.p[0] != '{') {
		while (text.p[n] != ' ' && text.p[n] != '(' && text.p[n] != '\r') {
			n++;
		}
	}
	MUST(n < text.n && n < MODEL_NAME_MAX);
	memcpy(m->mailbox, text.p, n);
	m->mailbox[n] = '\0';
}

/* A command that changes the selection is done at once and answered at once. */
static bool select_or_not(struct model_server *m, const char *tag, const char *verb)
{
	if (strcasecmp(verb, "SELECT") == 0 || strcasecmp(verb, "EXAMINE") == 0) {
		switch (choose(m->choices) % 4) {
		case 0:
			m->is_selected = false;
			say(m, "", tag, " NO [NONEXISTENT] no\r\n");
			break;
		case 1: /* Dovecot or Cyrus? */
			m->is_selected = m->is_selected && choose(m->choices) % 2 == 0;
			say(m, "", tag, " BAD what\r\n");
			break;
		default:
			remember_mailbox(m);
			say(m, m->is_selected ? "* OK [CLOSED] x\r\n" : "", "", "* 3 EXISTS\r\n");
			say(m, "", tag, " OK [READ-WRITE] done\r\n");
			m->is_selected = true;
		}
		return true;
	}
	if (strcasecmp(verb, "CLOSE") == 0 || strcasecmp(verb, "UNSELECT") == 0) {
		bool is_done = m->is_selected && choose(m->choices) % 4 != 0;
		m->is_selected = m->is_selected && !is_done;
		say(m, "", tag, is_done ? " OK\r\n" : " BAD\r\n");
		return true;
	}
	return false;
}

/* Dovecot takes all of these for an order, Cyrus some. */
static void use_condstore(struct model_server *m)
{
	static const char *const words[] = {"MODSEQ", "CONDSTORE", "QRESYNC", "CHANGEDSINCE", NULL};
	for (size_t i = 0; words[i] != NULL; i++) {
		if (span_contains_nocase(buf_peek(&m->text), words[i])) {
			m->enabled |= choose(m->choices) % 2 == 0 ? CONDSTORE : 0;
		}
	}
}

/* Enables what it likes of what it knows, and says what is new, or all. */
static void enable(struct model_server *m)
{
	unsigned asked = 0;
	char word[128];
	for (size_t number = 2; word_at(m, number, word, sizeof(word)), word[0] != '\0'; number++) {
		for (unsigned i = 0; model_server_words[i] != NULL; i++) {
			asked |= strcasecmp(word, model_server_words[i]) == 0 ? 1U << i : 0;
		}
	}
	unsigned before = m->enabled;
	uint8_t what = choose(m->choices);
	m->enabled |= asked & ~((unsigned)what >> 3);
	m->enabled |= m->enabled & QRESYNC ? CONDSTORE : 0;
	unsigned said = m->enabled & asked & (what % 2 == 0 ? ~0U : ~before);
	if (said != 0 || what % 4 < 2) {
		say(m, "* ENABLED", "", "");
		for (unsigned i = 0; model_server_words[i] != NULL; i++) {
			if (said & (1U << i)) {
				say(m, " ", model_server_words[i], "");
			}
		}
		say(m, "\r\n", "", "");
	}
}

static void switch_on(struct model_server *m, const char *verb)
{
	bool has_literal = span_contains_nocase(buf_peek(&m->text), "}\r\n");
	if (strcasecmp(verb, "ENABLE") != 0) {
		use_condstore(m);
	} else if (!has_literal) {
		enable(m);
	}
}

static void execute(struct model_server *m)
{
	char tag[128], verb[128];
	tag_of(m, tag, sizeof(tag));
	word_at(m, 1, verb, sizeof(verb));
	if (!leaves_nothing(m)) {
		m->is_sticky = true;
	}
	switch_on(m, verb);
	m->state = MODEL_LINE;
	m->is_inside = false;
	if (strcasecmp(verb, "IDLE") == 0 && choose(m->choices) % 4 != 3) {
		m->state = MODEL_IDLE;
		say(m, "+ idling\r\n", "", "");
		return;
	}
	if (!select_or_not(m, tag, verb)) {
		MUST(m->pending_count < MODEL_TAGS_MAX);
		memcpy(m->pending[m->pending_count++].tag, tag, sizeof(tag));
		if (choose(m->choices) % 2 == 0) {
			model_server_answer_one(m);
		}
	}
	buf_clear(&m->text);
}

bool model_server_answer_one(struct model_server *m)
{
	if (m->pending_count == 0) {
		return false;
	}
	uint8_t what = choose(m->choices);
	if (what % 8 == 0) {
		model_server_speak(m);
	}
	size_t i = what % m->pending_count;
	say(m, "", m->pending[i].tag, what % 5 == 4 ? " BAD no {7}\r\n" : " OK done {3}\r\n");
	m->pending[i] = m->pending[--m->pending_count];
	return true;
}

static void check_first_line(const struct model_server *m, struct span line)
{
	size_t n = span_find(line, ' ');
	MUST(n > 0 && n < line.n && n <= 100);
	char tag[128];
	memcpy(tag, line.p, n);
	tag[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		MUST(line.p[i] > ' ' && line.p[i] < 0x7f);
		MUST(strchr("+*(){%\"\\", tag[i]) == NULL);
	}
	for (size_t i = 0; i < m->pending_count; i++) {
		MUST(strcmp(m->pending[i].tag, tag) != 0);
	}
	static const char *const never[] = {"LOGIN", "AUTHENTICATE", "STARTTLS", "LOGOUT",
		"COMPRESS", "UNAUTHENTICATE", "X-UNAUTHENTICATE", NULL};
	struct span verb = span_slice(line, n + 1, line.n);
	verb = span_take_until(&verb, " ");
	for (size_t i = 0; never[i] != NULL; i++) {
		MUST(!span_is_nocase(verb, never[i]));
	}
}

/* Number of octets that follow; -1: none. Any other brace outside quotes must not be here. */
static int64_t octets_that_follow(struct span line)
{
	bool is_quoted = false;
	for (size_t i = 0; i < line.n; i++) {
		MUST(line.p[i] != '\0' && line.p[i] != '\r');
		if (is_quoted && line.p[i] == '\\') {
			i++;
			MUST(i < line.n);
		} else if (line.p[i] == '"') {
			is_quoted = !is_quoted;
		} else if (line.p[i] == '{' && !is_quoted) {
			struct span header = span_slice(line, i + 1, line.n);
			uint64_t n;
			MUST(i > 0 && strchr(" (~", line.p[i - 1]) != NULL);
			MUST(span_take_number(&header, &n) && span_is(header, "}"));
			MUST(n <= INT64_MAX);
			return (int64_t)n;
		}
	}
	MUST(!is_quoted);
	return -1;
}

/* Lines other than DONE are ignored: if they ended IDLE, the next ones would be read differently by
 * the proxy and the server, until the reply is there (the connection is dirty all the same). */
static void on_idle_line(struct model_server *m, struct span line)
{
	if (!span_is_nocase(line, "DONE")) {
		m->is_sticky = true;
		return;
	}
	char tag[128];
	tag_of(m, tag, sizeof(tag));
	say(m, "", tag, " OK idled\r\n");
	m->state = MODEL_LINE;
	buf_clear(&m->text);
}

static void on_line(struct model_server *m, struct span line)
{
	if (m->state == MODEL_IDLE) {
		on_idle_line(m, line);
		return;
	}
	if (!m->is_inside) {
		check_first_line(m, line);
	}
	int64_t octets = octets_that_follow(line);
	MUST(buf_add(&m->text, line) && buf_add_str(&m->text, "\r\n"));
	if (octets < 0) {
		execute(m);
		return;
	}
	if (choose(m->choices) % 3 == 0) {
		char tag[128];
		tag_of(m, tag, sizeof(tag));
		say(m, "", tag, " NO no literal {5}\r\n");
		m->is_inside = false;
		/* Half a SELECT that was refused: a real server may have closed the mailbox. */
		buf_clear(&m->text);
		return;
	}
	say(m, "+ go ahead\r\n", "", "");
	m->left = (size_t)octets;
	m->is_inside = true;
	m->state = octets > 0 ? MODEL_LITERAL : MODEL_LINE;
}

void model_server_feed(struct model_server *m, struct span bytes)
{
	MUST(buf_add(&m->in, bytes));
	while (buf_len(&m->in) > 0) {
		struct span in = buf_peek(&m->in);
		if (m->state == MODEL_LITERAL) {
			size_t n = in.n < m->left ? in.n : m->left;
			m->left -= n;
			buf_consume(&m->in, n);
			if (m->left == 0) {
				m->state = MODEL_LINE;
			}
			continue;
		}
		size_t end = span_find(in, '\n');
		if (end == in.n) {
			break;
		}
		MUST(end > 0 && in.p[end - 1] == '\r');
		on_line(m, span_slice(in, 0, end - 1));
		buf_consume(&m->in, end + 1);
	}
}

bool model_server_is_idle(const struct model_server *m)
{
	return m->state == MODEL_LINE && !m->is_inside && m->pending_count == 0 &&
	       buf_len(&m->in) == 0;
}
