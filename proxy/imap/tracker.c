#include "imap/tracker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tracker_link_priv.h"

/* Longer than any answer of the proxy's own: a tag, a fixed text, and a class or a refusal. */
enum { ANSWER_MAX = 512 };
_Static_assert(ANSWER_MAX > COMMAND_TAG_MAX + ENABLED_MAX + 100, "room for the text");
_Static_assert(ENABLED_MAX > TRACKER_MAX_REFUSAL, "the longest text");
_Static_assert(TRACKER_MAX_ANSWERS >= 2 * ANSWER_MAX, "room for several answers");

struct tracker *tracker_create(const struct tracker_options *options)
{
	struct tracker *t = xcalloc(1, sizeof(*t));
	t->policy = options->capabilities;
	t->listings = options->listings;
	t->server_id = options->server_id;
	t->proxy_tag = xstrdup(options->proxy_tag != NULL ? options->proxy_tag : "");
	t->max_line = options->max_line;
	t->link = options->is_attached ? LINK_ATTACHED : LINK_DETACHED;
	enabled_init(&t->enabled);
	tracker_set_enabled(t, options->enabled);
	tracker_learn_capabilities(t, options->server_capabilities);
	buf_init(&t->line, t->max_line);
	buf_init(&t->reply, TRACKER_MAX_SERVER_LINE);
	buf_init(&t->answers, TRACKER_MAX_ANSWERS);
	return t;
}

void tracker_destroy(struct tracker **t)
{
	if (*t == NULL) {
		return;
	}
	buf_finish(&(*t)->line);
	buf_finish(&(*t)->reply);
	buf_finish(&(*t)->answers);
	buf_finish(&(*t)->enabled);
	in_flight_finish(&(*t)->in_flight);
	tracker_forget_waiting(*t);
	free((*t)->mailbox);
	free((*t)->next_mailbox);
	free((*t)->own_tag);
	listing_unref(&(*t)->listing);
	free((*t)->proxy_tag);
	free(*t);
	*t = NULL;
}

void tracker_dirty(struct tracker *t, const char *why)
{
	if (t->dirt == NULL) {
		t->dirt = why;
	}
}

const char *tracker_dirt(const struct tracker *t)
{
	return t->dirt;
}

enum tracker_selected tracker_selected(const struct tracker *t)
{
	return t->selected;
}

struct span tracker_mailbox(const struct tracker *t)
{
	return t->mailbox != NULL ? span_str(t->mailbox) : (struct span){0};
}

enum fail tracker_failure(const struct tracker *t)
{
	return t->failure;
}

/* No byte of a response is half read or half passed on. */
static bool is_between_responses(const struct tracker *t)
{
	return t->server == SERVER_START && buf_len(&t->reply) == 0;
}

bool tracker_is_quiet(const struct tracker *t)
{
	bool is_client_quiet =
		t->client == CLIENT_ENDED ||
		(t->client == CLIENT_LINE && t->verb == NULL && buf_len(&t->line) == 0);
	return is_client_quiet && !tracker_has_waiting(t) && t->in_flight.count == 0 &&
	       is_between_responses(t);
}

bool tracker_is_idling(const struct tracker *t)
{
	bool is_agreed = t->client == CLIENT_IDLE_HERE ||
			 (t->client == CLIENT_IDLE && t->in_flight.count == 1);
	return is_agreed && buf_len(&t->line) == 0 && is_between_responses(t);
}

void tracker_to_client(struct tracker *t, const struct tracker_sink *sink, struct span bytes)
{
	if (!t->is_gone && bytes.n > 0) {
		sink->to_client(sink->owner, bytes);
	}
}

/* Something of a response has been passed on and not all: our bytes would end up inside it. */
static bool is_inside_response(const struct tracker *t)
{
	return t->server != SERVER_START && t->server != SERVER_SWALLOW;
}

bool tracker_can_interject(const struct tracker *t)
{
	return !is_inside_response(t);
}

void tracker_answer(struct tracker *t, const struct tracker_sink *sink, const char *format, ...)
{
	char text[ANSWER_MAX];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(n > 0);
	assert((size_t)n < sizeof(text));
	if (!is_inside_response(t)) {
		assert(buf_len(&t->answers) == 0);
		tracker_to_client(t, sink, span_of(text, (size_t)n));
		return;
	}
	bool added = buf_add(&t->answers, span_of(text, (size_t)n));
	assert(added);
	(void)added;
}

bool tracker_has_room_for_answer(const struct tracker *t)
{
	return buf_free_space(&t->answers) >= ANSWER_MAX;
}

void tracker_flush_answers(struct tracker *t, const struct tracker_sink *sink)
{
	assert(!is_inside_response(t));
	if (buf_len(&t->answers) > 0) {
		tracker_to_client(t, sink, buf_peek(&t->answers));
		buf_clear(&t->answers);
	}
}

void tracker_try_logout(struct tracker *t, const struct tracker_sink *sink)
{
	if (t->client != CLIENT_LOGOUT || t->in_flight.count > 0 || !is_between_responses(t)) {
		return;
	}
	tracker_answer(t, sink, "* BYE Logging out\r\n%s OK Logout completed.\r\n", t->own_tag);
	t->client = CLIENT_ENDED;
	assert(tracker_is_quiet(t));
}

enum tracker_verdict tracker_fail(struct tracker *t, const struct tracker_sink *sink, enum fail why)
{
	assert(why != FAIL_NONE);
	/* Inside a literal BYE would be a part of somebody's mail. */
	if (!is_inside_response(t)) {
		tracker_answer(t, sink, "* BYE %s\r\n", fail_client_text(why));
	}
	t->failure = why;
	t->client = CLIENT_FAILED;
	return TRACKER_FAILED;
}

void tracker_end_idle(struct tracker *t, const struct tracker_sink *sink)
{
	assert(t->client == CLIENT_IDLE);
	sink->to_server(sink->owner, span_str("DONE\r\n"));
	in_flight_complete(&t->in_flight);
	tracker_expect_command(t);
}

/* The server waits for bytes that nobody will send. */
static bool is_half_sent(const struct tracker *t)
{
	return t->verb != NULL && (t->client == CLIENT_LINE || t->client == CLIENT_HELD ||
					  t->client == CLIENT_LITERAL);
}

bool tracker_client_gone(struct tracker *t, const struct tracker_sink *sink)
{
	t->is_gone = true;
	/* The session ends, and its generation perhaps with it. */
	t->policy = (struct capability_policy){0};
	t->server_id = NULL;
	tracker_forget_waiting(t);
	buf_clear(&t->line);
	buf_clear(&t->answers);
	if (t->client == CLIENT_FAILED) {
		return false;
	}
	if (is_half_sent(t)) {
		tracker_dirty(t, "half-command");
		t->failure = FAIL_CLIENT_LEFT;
		t->client = CLIENT_FAILED;
		return false;
	}
	if (t->client == CLIENT_IDLE) {
		tracker_end_idle(t, sink);
	} else if (t->client != CLIENT_IDLE_ASKED && t->client != CLIENT_ENDED) {
		tracker_expect_command(t);
	}
	return true;
}
