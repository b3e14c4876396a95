#include "imap/command_reader.h"

#include <assert.h>

enum {
	AGAIN = -1,   /* beside enum command_read: go on behind this line */
	END_ROOM = 2, /* a line end in text */
};

void command_reader_init(struct command_reader *r, size_t max_line, size_t max_text)
{
	*r = (struct command_reader){.max_line = max_line, .line_cap = max_line};
	buf_init(&r->text, max_text);
}

void command_reader_finish(struct command_reader *r)
{
	buf_finish(&r->text);
}

struct span command_reader_text(const struct command_reader *r)
{
	return span_slice(buf_peek(&r->text), 0, r->text_len);
}

bool command_reader_is_empty(const struct command_reader *r)
{
	return buf_len(&r->text) == 0 && !r->is_draining;
}

struct span command_reader_first_line(const struct command_reader *r)
{
	struct span text = command_reader_text(r);
	return span_take_until(&text, "\r\n");
}

/* Starts a line behind what is held; a draining reader holds one line at a time. */
static void begin_line(struct command_reader *r)
{
	if (r->is_draining) {
		buf_clear(&r->text);
	}
	r->line_begin = buf_len(&r->text);
	r->text_len = r->line_begin;
}

static enum command_read end_line(struct command_reader *r)
{
	struct span text = buf_peek(&r->text);
	r->text_len = text.n > r->line_begin && text.p[text.n - 1] == '\r' ? text.n - 1 : text.n;
	struct span line = span_slice(text, r->line_begin, r->text_len);
	if (line.n > r->line_cap) {
		return COMMAND_READ_TOO_LONG;
	}
	if (r->is_plain_line) {
		return COMMAND_READ_WHOLE;
	}
	r->form = literal_header(line, &r->literal);
	switch (r->form) {
	case LITERAL_SYNC:
		/* Its octets do not come: what a drained command announces is not asked for. */
		return r->is_draining ? COMMAND_READ_DRAINED : COMMAND_READ_LITERAL;
	case LITERAL_NONSYNC:
		if (r->is_draining) {
			r->literal_left = r->literal.size;
			begin_line(r);
			return (enum command_read)AGAIN;
		}
		return COMMAND_READ_LITERAL;
	case LITERAL_MALFORMED:
		return r->is_draining ? COMMAND_READ_DRAINED : COMMAND_READ_MALFORMED;
	case LITERAL_NONE:
		break;
	}
	return r->is_draining ? COMMAND_READ_DRAINED : COMMAND_READ_WHOLE;
}

static enum command_read feed_line(struct command_reader *r, struct span *in)
{
	struct span part;
	size_t n = span_find(*in, '\n');
	bool is_taken = span_take_bytes(in, n, &part);
	assert(is_taken);
	(void)is_taken;
	/* One byte more than a line may have: it could be the CR. */
	if (n > r->line_cap + 1 - (buf_len(&r->text) - r->line_begin)) {
		return COMMAND_READ_TOO_LONG;
	}
	if (buf_free_space(&r->text) < END_ROOM || n > buf_free_space(&r->text) - END_ROOM) {
		return COMMAND_READ_TOO_LONG;
	}
	bool is_added = buf_add(&r->text, part);
	assert(is_added);
	(void)is_added;
	return span_take(in, '\n') ? end_line(r) : COMMAND_READ_MORE;
}

static bool feed_literal(struct command_reader *r, struct span *in)
{
	struct span part;
	size_t n = r->literal_left < in->n ? (size_t)r->literal_left : in->n;
	if (span_take_bytes(in, n, &part) && !r->is_draining && !buf_add(&r->text, part)) {
		return false;
	}
	r->literal_left -= n;
	if (r->literal_left == 0) {
		begin_line(r);
	}
	return true;
}

enum command_read command_reader_feed(struct command_reader *r, struct span *in)
{
	assert(r->form == LITERAL_NONE || r->is_draining);
	for (;;) {
		if (r->literal_left > 0) {
			if (!feed_literal(r, in)) {
				return COMMAND_READ_TOO_LONG;
			}
			if (r->literal_left > 0) {
				return COMMAND_READ_MORE;
			}
		}
		enum command_read result = feed_line(r, in);
		if (result != (enum command_read)AGAIN) {
			return result;
		}
	}
}

void command_reader_accept(struct command_reader *r)
{
	assert(r->form == LITERAL_SYNC || r->form == LITERAL_NONSYNC);
	r->form = LITERAL_NONE;
	/* A CR is there already when the client sent one. */
	bool has_cr = buf_len(&r->text) > r->text_len;
	bool is_added = buf_add_str(&r->text, has_cr ? "\n" : "\r\n");
	assert(is_added);
	(void)is_added;
	r->literal_left = r->literal.size;
	begin_line(r);
}

bool command_reader_refuse(struct command_reader *r)
{
	assert(r->form == LITERAL_SYNC || r->form == LITERAL_NONSYNC);
	if (r->form == LITERAL_SYNC) {
		return true;
	}
	r->is_draining = true;
	r->literal_left = r->literal.size;
	begin_line(r);
	return false;
}

void command_reader_next(struct command_reader *r)
{
	size_t max_line = r->max_line;
	buf_clear(&r->text);
	struct buf empty = r->text;
	*r = (struct command_reader){.text = empty, .max_line = max_line, .line_cap = max_line};
}

void command_reader_next_line(struct command_reader *r, size_t max_line)
{
	command_reader_next(r);
	r->is_plain_line = true;
	r->line_cap = max_line;
}
