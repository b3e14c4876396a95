#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tracker_link_priv.h"

/*
 * Without a server connection nothing is selected and no command is in flight: an answer of the
 * proxy's own is never inside or behind a server's, and order is kept by not reading on.
 */

/* An ID response of a server, for which RFC 2971 allows 30 fields of 1024 octets; none says so much. */
enum { ID_MAX = 4096 };

void tracker_learn_capabilities(struct tracker *t, struct span server_list)
{
	listing_unref(&t->listing);
	if (server_list.n > 0) {
		t->listing = listing_get(t->listings, &t->policy, server_list);
	}
}

bool tracker_server_has_id(const struct tracker *t)
{
	return t->listing != NULL && listing_has_id(t->listing);
}

bool tracker_has_waiting(const struct tracker *t)
{
	return t->link == LINK_WANTED || t->wanted != NULL || t->refusal != NULL;
}

void tracker_forget_waiting(struct tracker *t)
{
	if (t->link == LINK_WANTED) {
		t->link = LINK_DETACHED;
	}
	free(t->wanted);
	t->wanted = NULL;
	free(t->refusal);
	t->refusal = NULL;
}

/* A server without CONDSTORE, whose client used it all the same, will never have it. */
static bool has_what_was_told(const struct tracker *t, struct span enabled)
{
	struct buf all;
	enabled_init(&all);
	bool added = enabled_add(&all, enabled) &&
		     (!t->is_condstore_implicit || enabled_add(&all, span_str("CONDSTORE")));
	bool has_all = added && enabled_covers(buf_peek(&all), buf_peek(&t->enabled));
	buf_finish(&all);
	return has_all;
}

bool tracker_can_attach(const struct tracker *t, struct span enabled)
{
	return has_what_was_told(t, enabled) && enabled_covers(tracker_enabled(t), enabled);
}

void tracker_attach(struct tracker *t, struct span enabled, struct span server_capabilities,
	const char *proxy_tag)
{
	assert(t->link != LINK_ATTACHED);
	assert(tracker_can_attach(t, enabled));
	assert(t->in_flight.count == 0);
	assert(t->server == SERVER_START && buf_len(&t->reply) == 0);
	tracker_set_enabled(t, enabled);
	tracker_learn_capabilities(t, server_capabilities);
	free(t->proxy_tag);
	t->proxy_tag = xstrdup(proxy_tag);
	t->link = LINK_ATTACHED;
}

void tracker_refuse_next(struct tracker *t, const char *text)
{
	assert(t->link == LINK_WANTED);
	tracker_forget_waiting(t);
	size_t n = 0;
	while (n < TRACKER_MAX_REFUSAL && (uint8_t)text[n] >= ' ' && text[n] != 0x7f) {
		n++;
	}
	t->refusal = xmemdup0(text, n);
}

bool tracker_can_detach(const struct tracker *t)
{
	return t->link == LINK_ATTACHED && t->client == CLIENT_LINE && tracker_is_quiet(t) &&
	       t->selected == TRACKER_SELECTED_NO && t->dirt == NULL;
}

void tracker_detach(struct tracker *t)
{
	assert(tracker_can_detach(t));
	assert(buf_len(&t->answers) == 0 && t->mailbox == NULL);
	t->link = LINK_DETACHED;
	assert(!t->is_blocked);
	in_flight_finish(&t->in_flight);
}

static enum tracker_verdict want(struct tracker *t)
{
	assert(t->wanted == NULL && t->refusal == NULL);
	t->link = LINK_WANTED;
	return TRACKER_ATTACH;
}

static enum tracker_verdict want_enabled(struct tracker *t, struct span asked)
{
	struct buf set;
	enabled_init(&set);
	bool added = enabled_add(&set, buf_peek(&t->enabled)) && enabled_add(&set, asked);
	assert(added);
	(void)added;
	enum tracker_verdict verdict = want(t);
	t->wanted = xmemdup0(buf_peek(&set).p, buf_len(&set));
	buf_finish(&set);
	return verdict;
}

static enum tracker_verdict refuse_waiting(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct tracker_sink *sink)
{
	char answer[TRACKER_MAX_REFUSAL + 4] = "NO ";
	memcpy(answer + 3, t->refusal, strlen(t->refusal) + 1);
	return tracker_refuse(t, line, command->tag, answer, sink);
}

static void answer_capability(
	struct tracker *t, const struct command *command, const struct tracker_sink *sink)
{
	assert(tracker_can_interject(t));
	tracker_to_client(t, sink, span_str("* CAPABILITY "));
	tracker_to_client(t, sink, listing_told(t->listing));
	tracker_answer(t, sink, "\r\n%.*s OK Capability completed.\r\n", SPAN_ARG(command->tag));
}

/* A server's own words, that must not become anything else. */
static bool is_id_text(struct span text)
{
	struct literal literal;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] == 0x7f) {
			return false;
		}
	}
	bool is_list = text.n > 0 && text.p[0] == '(' && text.p[text.n - 1] == ')';
	return is_list && text.n <= ID_MAX && literal_header(text, &literal) == LITERAL_NONE;
}

void tracker_answer_id(struct tracker *t, const struct tracker_sink *sink)
{
	struct span text = t->server_id != NULL ? span_str(t->server_id) : (struct span){0};
	if (t->link == LINK_ATTACHED || !is_id_text(text)) {
		tracker_answer(t, sink, "* ID NIL\r\n");
		return;
	}
	assert(tracker_can_interject(t));
	tracker_to_client(t, sink, span_str("* ID "));
	tracker_to_client(t, sink, text);
	tracker_to_client(t, sink, span_str("\r\n"));
}

static void begin_idle(
	struct tracker *t, const struct command *command, const struct tracker_sink *sink)
{
	assert(t->own_tag == NULL);
	t->own_tag = xmemdup0(command->tag.p, command->tag.n);
	t->client = CLIENT_IDLE_HERE;
	tracker_answer(t, sink, "+ idling\r\n");
}

enum tracker_verdict tracker_on_idle_here(
	struct tracker *t, const struct client_line *line, const struct tracker_sink *sink)
{
	assert(t->client == CLIENT_IDLE_HERE);
	bool is_done = span_is_nocase(line->text, "DONE");
	char *tag = t->own_tag;
	t->own_tag = NULL;
	tracker_expect_command(t);
	enum tracker_verdict verdict = tracker_refuse(
		t, line, span_str(tag), is_done ? "OK Idle completed." : "BAD Expected DONE", sink);
	free(tag);
	return verdict;
}

static enum tracker_verdict on_enable(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct tracker_sink *sink)
{
	switch (tracker_asked(t, line, command->args)) {
	case ASKED_NEW:
		return want_enabled(t, command->args);
	case ASKED_NOTHING:
		tracker_answer_enable(t, command, sink);
		return TRACKER_MORE;
	case ASKED_ODD:
		break;
	}
	return want(t);
}

enum tracker_verdict tracker_on_detached(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct verb *verb, const struct tracker_sink *sink)
{
	assert(t->link == LINK_DETACHED);
	if (t->refusal != NULL) {
		return refuse_waiting(t, line, command, sink);
	}
	if (verb->action == VERB_ENABLE) {
		return on_enable(t, line, command, sink);
	}
	if (line->form != LITERAL_NONE) {
		return want(t);
	}
	if (verb->needs_mailbox) {
		return tracker_refuse(t, line, command->tag, "BAD No mailbox selected", sink);
	}
	bool is_alone = command->args.n == 0;
	if (verb->action == VERB_NOOP && is_alone) {
		return tracker_refuse(t, line, command->tag, "OK NOOP completed.", sink);
	}
	if (verb->action == VERB_CAPABILITY && is_alone && t->listing != NULL) {
		answer_capability(t, command, sink);
		return TRACKER_MORE;
	}
	if (verb->action == VERB_IDLE && is_alone) {
		begin_idle(t, command, sink);
		return TRACKER_MORE;
	}
	return want(t);
}
