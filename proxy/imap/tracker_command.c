#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "line_end_priv.h"
#include "tracker_link_priv.h"

static void to_server(const struct tracker_sink *sink, struct span bytes)
{
	if (bytes.n > 0) {
		sink->to_server(sink->owner, bytes);
	}
}

/*
 * Sends the line as it is, but: ended by CRLF, and "{n+}" as "{n}". Servers do not read the octets of
 * {n+} behind commands they refuse, and take them for commands (POOLING.md section 7).
 */
static void send_line(const struct client_line *line, const struct tracker_sink *sink)
{
	struct span text = line->text;
	if (line->form == LITERAL_NONSYNC) {
		assert(text.n > 2 && text.p[text.n - 2] == '+');
		to_server(sink, span_slice(text, 0, text.n - 2));
		to_server(sink, span_str("}\r\n"));
	} else if (line->has_crlf) {
		to_server(sink, span_of(text.p, text.n + 2));
	} else {
		to_server(sink, text);
		to_server(sink, span_str("\r\n"));
	}
}

enum tracker_verdict tracker_refuse(struct tracker *t, const struct client_line *line,
	struct span tag, const char *answer, const struct tracker_sink *sink)
{
	if (tag.n == 0) {
		tag = span_str("*");
	}
	tracker_answer(t, sink, "%.*s %s\r\n", SPAN_ARG(tag), answer);
	if (line->form != LITERAL_NONSYNC) {
		return TRACKER_MORE;
	}
	enum fail why = tracker_swallow(t, line->literal.size);
	return why == FAIL_NONE ? TRACKER_MORE : tracker_fail(t, sink, why);
}

/* NULL: the literal may be sent. */
static const char *literal_refusal(
	const struct tracker *t, const struct verb *verb, const struct client_line *line)
{
	if (line->form != LITERAL_SYNC && line->form != LITERAL_NONSYNC) {
		return NULL;
	}
	if (line->form == LITERAL_NONSYNC && line->literal.size > CAPABILITY_LITERAL_MINUS_MAX &&
		capability_is_literal_minus(&t->policy)) {
		return "BAD [TOOBIG] Literal is too large to be sent without waiting";
	}
	if (line->literal.is_binary && !verb->takes_messages) {
		return "BAD Binary literal is not expected here";
	}
	/* RFC 9051 section 4.3: 63 bits; a server might read more as a negative number. */
	uint64_t most = verb->takes_messages ? INT64_MAX : TRACKER_MAX_LITERAL;
	return line->literal.size > most ? "NO [TOOBIG] Literal is too large" : NULL;
}

/* Sends a line of a command that is in flight and waits for what comes next. */
static enum tracker_verdict relay(struct tracker *t, const struct client_line *line,
	const struct verb *verb, const struct tracker_sink *sink)
{
	assert(line->form != LITERAL_MALFORMED);
	tracker_look_for_use(t, verb, line->text);
	if (line_end_is_encoded(line->text)) {
		tracker_dirty(t, "line-end");
	}
	send_line(line, sink);
	assert(t->client == CLIENT_LINE);
	if (line->form != LITERAL_NONE) {
		t->verb = verb;
		t->text_used += line->text.n;
		t->client_left = line->literal.size;
		t->is_nonsync = line->form == LITERAL_NONSYNC;
		t->client = CLIENT_HELD;
	} else if (verb->action == VERB_IDLE) {
		t->client = CLIENT_IDLE_ASKED;
	} else {
		in_flight_complete(&t->in_flight);
		tracker_expect_command(t);
	}
	return TRACKER_MORE;
}

/* The first argument as written; empty when it is a literal or none. */
static struct span first_astring(struct span args)
{
	struct span rest = args;
	if (!span_take(&rest, '"')) {
		return args.n > 0 && args.p[0] == '{' ? (struct span){0}
						      : span_take_until(&args, " (");
	}
	while (rest.n > 0) {
		span_take_until(&rest, "\"\\");
		if (span_take(&rest, '"')) {
			return span_slice(args, 0, args.n - rest.n);
		}
		span_take(&rest, '\\');
		struct span escaped;
		(void)span_take_bytes(&rest, 1, &escaped);
	}
	return (struct span){0};
}

static void note_selection(struct tracker *t, const struct verb *verb, struct span args)
{
	if (verb->action != VERB_SELECT && verb->action != VERB_DESELECT) {
		return;
	}
	if (t->in_flight.selecting > 0) {
		t->is_overlapping = true;
	}
	free(t->next_mailbox);
	t->next_mailbox = NULL;
	struct span name = first_astring(args);
	if (verb->action == VERB_SELECT && name.n > 0 && name.n <= TRACKER_MAX_MAILBOX) {
		t->next_mailbox = xmemdup0(name.p, name.n);
	}
}

static enum in_flight_kind kind_of(const struct verb *verb)
{
	switch (verb->action) {
	case VERB_SELECT:
		return IN_FLIGHT_SELECT;
	case VERB_DESELECT:
		return IN_FLIGHT_DESELECT;
	case VERB_ENABLE:
		return IN_FLIGHT_ENABLE;
	default:
		return IN_FLIGHT_OTHER;
	}
}

static enum tracker_verdict send_command(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct verb *verb, const struct tracker_sink *sink)
{
	const char *refusal = literal_refusal(t, verb, line);
	/* The "+" for a literal and the "+" of IDLE could not be told apart (Dovecot sends the latter). */
	if (refusal == NULL && verb->action == VERB_IDLE && line->form != LITERAL_NONE) {
		refusal = "BAD IDLE takes no arguments";
	}
	if (refusal != NULL) {
		return tracker_refuse(t, line, command->tag, refusal, sink);
	}
	note_selection(t, verb, command->args);
	in_flight_add(&t->in_flight, command->tag, kind_of(verb));
	return relay(t, line, verb, sink);
}

/* Keys that begin with "x-" tell a server that trusts us who the client is: not the client's to say. */
static bool is_harmless_id(const struct client_line *line)
{
	return line->form == LITERAL_NONE && !span_contains_nocase(line->text, "\"x-") &&
	       span_find(line->text, '\\') == line->text.n;
}

static enum tracker_verdict on_id(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct verb *verb, const struct tracker_sink *sink)
{
	bool is_attached = t->link == LINK_ATTACHED;
	if (is_attached && tracker_server_has_id(t) && is_harmless_id(line)) {
		return send_command(t, line, command, verb, sink);
	}
	tracker_answer_id(t, sink);
	return tracker_refuse(t, line, command->tag, "OK ID completed.", sink);
}

static enum tracker_verdict on_logout(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct tracker_sink *sink)
{
	if (command->args.n > 0) {
		return tracker_refuse(t, line, command->tag, "BAD LOGOUT takes no arguments", sink);
	}
	assert(t->own_tag == NULL);
	t->own_tag = xmemdup0(command->tag.p, command->tag.n);
	t->client = CLIENT_LOGOUT;
	tracker_try_logout(t, sink);
	return TRACKER_MORE;
}

static enum tracker_verdict on_enable(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct verb *verb, const struct tracker_sink *sink)
{
	enum asked asked = tracker_asked(t, line, command->args);
	if (t->wanted != NULL || asked == ASKED_NOTHING) {
		tracker_answer_enable(t, command, sink);
		return TRACKER_MORE;
	}
	if (asked == ASKED_ODD) {
		tracker_dirty(t, "enable");
	}
	return send_command(t, line, command, verb, sink);
}

static enum tracker_verdict on_command(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct tracker_sink *sink)
{
	const struct verb *verb = verb_find(command);
	switch (verb->action) {
	case VERB_REFUSE:
		return tracker_refuse(t, line, command->tag, "BAD Not possible in a session", sink);
	case VERB_COMPRESS:
		return tracker_refuse(
			t, line, command->tag, "NO Compression is not available", sink);
	case VERB_LOGOUT:
		return on_logout(t, line, command, sink);
	case VERB_ID:
		return on_id(t, line, command, verb, sink);
	case VERB_ENABLE:
	case VERB_CAPABILITY:
	case VERB_NOOP:
	case VERB_RELAY:
	case VERB_SELECT:
	case VERB_DESELECT:
	case VERB_IDLE:
		break;
	}
	if (t->link != LINK_ATTACHED) {
		return tracker_on_detached(t, line, command, verb, sink);
	}
	if (verb->action == VERB_ENABLE) {
		return on_enable(t, line, command, verb, sink);
	}
	return send_command(t, line, command, verb, sink);
}

/* A reply to a tag of the proxy's own must come from the proxy's own command. */
static bool is_proxy_tag(const struct tracker *t, struct span tag)
{
	return t->proxy_tag[0] != '\0' && span_starts_nocase(tag, t->proxy_tag);
}

static enum tracker_verdict on_first_line(
	struct tracker *t, const struct client_line *line, const struct tracker_sink *sink)
{
	if (line->text.n == 0) {
		return TRACKER_MORE; /* some clients end a literal's command twice */
	}
	struct command command;
	struct span none = {0};
	enum command_form form = command_split(line->text, &command);
	if (form == COMMAND_BAD_TAG) {
		return tracker_refuse(t, line, none, "BAD Invalid tag", sink);
	}
	if (is_proxy_tag(t, command.tag) || in_flight_has(&t->in_flight, command.tag)) {
		return tracker_refuse(t, line, none, "BAD Tag is in use", sink);
	}
	if (line->form == LITERAL_MALFORMED) {
		return tracker_refuse(t, line, command.tag, "BAD Malformed line", sink);
	}
	if (form == COMMAND_BAD_VERB) {
		return tracker_refuse(t, line, command.tag, "BAD Invalid command", sink);
	}
	return on_command(t, line, &command, sink);
}

/*
 * The line behind a literal. The server has a half command, which cannot be taken back, and finishing
 * it would do something that the client did not ask for: a bad line ends the session.
 */
static enum tracker_verdict on_next_line(
	struct tracker *t, const struct client_line *line, const struct tracker_sink *sink)
{
	bool is_lost = line->form != LITERAL_NONE && !in_flight_has_open(&t->in_flight);
	if (is_lost || line->form == LITERAL_MALFORMED ||
		literal_refusal(t, t->verb, line) != NULL) {
		return tracker_fail(t, sink, FAIL_CLIENT_PROTOCOL);
	}
	return relay(t, line, t->verb, sink);
}

/* RFC 2177: only DONE is allowed. The server shall judge the rest, unless it could hide a literal. */
static enum tracker_verdict on_idle_line(
	struct tracker *t, const struct client_line *line, const struct tracker_sink *sink)
{
	if (span_is_nocase(line->text, "DONE")) {
		tracker_end_idle(t, sink);
		return TRACKER_MORE;
	}
	if (line->form != LITERAL_NONE) {
		return tracker_fail(t, sink, FAIL_CLIENT_PROTOCOL);
	}
	tracker_dirty(t, "idle");
	send_line(line, sink);
	return TRACKER_MORE;
}

enum tracker_verdict tracker_on_line(
	struct tracker *t, struct span text, bool has_crlf, const struct tracker_sink *sink)
{
	struct client_line line = {.text = text, .has_crlf = has_crlf};
	line.form = literal_header(text, &line.literal);
	if (t->client == CLIENT_IDLE) {
		return on_idle_line(t, &line, sink);
	}
	if (t->client == CLIENT_IDLE_HERE) {
		return tracker_on_idle_here(t, &line, sink);
	}
	assert(t->client == CLIENT_LINE);
	if (t->verb != NULL) {
		return on_next_line(t, &line, sink);
	}
	enum tracker_verdict verdict = on_first_line(t, &line, sink);
	if (verdict != TRACKER_ATTACH) {
		tracker_forget_waiting(t);
	}
	return verdict;
}

enum tracker_verdict tracker_on_long_line(
	struct tracker *t, struct span head, const struct tracker_sink *sink)
{
	if (t->client == CLIENT_IDLE || t->client == CLIENT_IDLE_HERE || t->verb != NULL) {
		return tracker_fail(t, sink, FAIL_LINE_TOO_LONG);
	}
	struct span tag = span_take_until(&head, " ");
	if (!command_tag_is_valid(tag) || in_flight_has(&t->in_flight, tag)) {
		tag = span_str("*");
	}
	tracker_answer(t, sink, "%.*s BAD Command line too long\r\n", SPAN_ARG(tag));
	return TRACKER_MORE;
}
