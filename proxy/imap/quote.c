#include "imap/quote.h"

#include <assert.h>

enum { END_ROOM = 2 }; /* CRLF: kept free by quote_astring */

bool quote_is_quotable(struct span value)
{
	if (value.n > QUOTE_QUOTED_MAX) {
		return false;
	}
	for (size_t i = 0; i < value.n; i++) {
		/* 8-bit bytes in quotes are right only after ENABLE UTF8=ACCEPT (RFC 6855). */
		if (value.p[i] < ' ' || value.p[i] >= 0x7f) {
			return false;
		}
	}
	return true;
}

bool quote_string(struct buf *out, struct span value)
{
	assert(quote_is_quotable(value));
	if (buf_free_space(out) < 2 * value.n + 2) {
		return false;
	}
	bool is_added = buf_add_str(out, "\"");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\') {
			is_added &= buf_add_str(out, "\\");
		}
		is_added &= buf_add(out, span_slice(value, i, i + 1));
	}
	is_added &= buf_add_str(out, "\"");
	assert(is_added);
	return is_added;
}

void quote_begin(struct quote *q, const char *text)
{
	*q = (struct quote){0};
	buf_init(&q->text, QUOTE_COMMAND_MAX);
	bool is_added = buf_add_str(&q->text, text);
	assert(is_added);
	(void)is_added;
}

static bool add_literal(struct quote *q, struct span value)
{
	if (q->stops == QUOTE_STOPS_MAX || !buf_addf(&q->text, "{%zu}\r\n", value.n)) {
		return false;
	}
	q->stop[q->stops++] = buf_len(&q->text);
	return buf_add(&q->text, value);
}

bool quote_astring(struct quote *q, struct span value)
{
	assert(q->sent == 0);
	/* Dovecot cuts a literal at NUL: the longer name would sign in as the shorter. */
	if (span_find(value, '\0') < value.n || !buf_add_str(&q->text, " ")) {
		return false;
	}
	bool is_added =
		quote_is_quotable(value) ? quote_string(&q->text, value) : add_literal(q, value);
	return is_added && buf_free_space(&q->text) >= END_ROOM;
}

void quote_wait(struct quote *q)
{
	assert(q->stops < QUOTE_STOPS_MAX);
	quote_end(q);
	q->stop[q->stops++] = buf_len(&q->text);
}

void quote_end(struct quote *q)
{
	assert(buf_free_space(&q->text) >= END_ROOM);
	bool is_added = buf_add_str(&q->text, "\r\n");
	assert(is_added);
	(void)is_added;
}

bool quote_send(struct quote *q, struct buf *out)
{
	struct span text = buf_peek(&q->text);
	size_t end = q->next < q->stops ? q->stop[q->next] : text.n;
	assert(end >= q->sent);
	if (!buf_add(out, span_slice(text, q->sent, end))) {
		return false;
	}
	q->sent = end;
	if (q->next < q->stops) {
		q->next++;
	} else {
		buf_clear(&q->text);
		q->sent = 0;
	}
	return true;
}

bool quote_is_sent(const struct quote *q)
{
	return buf_len(&q->text) == 0;
}

void quote_finish(struct quote *q)
{
	buf_finish(&q->text);
	*q = (struct quote){0};
}
