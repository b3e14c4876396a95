#include "imap/response.h"

#include <assert.h>

#include "imap/lexer.h"

static enum response_status status_of(struct span word)
{
	static const struct {
		const char *word;
		enum response_status status;
	} known[] = {
		{"OK", RESPONSE_OK},
		{"NO", RESPONSE_NO},
		{"BAD", RESPONSE_BAD},
		{"BYE", RESPONSE_BYE},
		{"PREAUTH", RESPONSE_PREAUTH},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_is_nocase(word, known[i].word)) {
			return known[i].status;
		}
	}
	return RESPONSE_DATA;
}

/* "[CODE args] text": sets code, code_args and leaves the text in *rest. */
static void take_code(struct span *rest, struct response *r)
{
	struct span inside = *rest;
	if (!span_take(&inside, '[')) {
		return;
	}
	size_t end = span_find(inside, ']');
	if (end == inside.n) {
		return;
	}
	struct span code = span_slice(inside, 0, end);
	*rest = span_slice(inside, end + 1, inside.n);
	span_take(rest, ' ');
	r->code = span_take_until(&code, " ");
	span_take(&code, ' ');
	r->code_args = code;
}

struct response response_parse(struct span line)
{
	struct response r = {.kind = RESPONSE_EMPTY};
	if (line.n == 0) {
		return r;
	}
	struct span first = span_take_until(&line, " ");
	span_take(&line, ' ');
	if (span_is(first, "+")) {
		r.kind = RESPONSE_CONTINUE;
		r.text = line;
		return r;
	}
	if (span_is(first, "*")) {
		r.kind = RESPONSE_UNTAGGED;
	} else {
		r.kind = RESPONSE_TAGGED;
		r.tag = first;
	}
	r.word = span_take_until(&line, " ");
	r.status = status_of(r.word);
	span_take(&line, ' ');
	if (r.status != RESPONSE_DATA) {
		take_code(&line, &r);
	}
	r.text = line;
	return r;
}

bool response_is_tagged(const struct response *r, const char *tag)
{
	/* Byte-exact: tags are not keywords. */
	return r->kind == RESPONSE_TAGGED && span_is(r->tag, tag);
}

void response_reader_init(struct response_reader *r, size_t max_line)
{
	*r = (struct response_reader){0};
	buf_init(&r->line, max_line);
}

void response_reader_finish(struct response_reader *r)
{
	buf_finish(&r->line);
}

/* Only untagged data has literals: text of a status, of "+" or of a foreign tag may end in "{9}". */
static bool may_have_literal(const struct response_reader *r, struct span line)
{
	if (r->is_behind_literal) {
		return true;
	}
	struct response response = response_parse(line);
	return response.kind == RESPONSE_UNTAGGED && response.status == RESPONSE_DATA;
}

static enum response_read end_line(struct response_reader *r, struct span *out)
{
	struct span line = buf_peek(&r->line);
	if (line.n > 0 && line.p[line.n - 1] == '\r') {
		line.n--;
	}
	r->is_done = true;
	struct literal literal;
	enum literal_form form =
		may_have_literal(r, line) ? literal_header_server(line, &literal) : LITERAL_NONE;
	if (form == LITERAL_MALFORMED) {
		return RESPONSE_READ_TOO_LONG;
	}
	bool is_part = r->is_behind_literal;
	r->is_behind_literal = form == LITERAL_SYNC;
	r->literal_left = form == LITERAL_SYNC ? literal.size : 0;
	if (is_part) {
		return RESPONSE_READ_MORE;
	}
	*out = line;
	return RESPONSE_READ_LINE;
}

static enum response_read feed_line(struct response_reader *r, struct span *in, struct span *out)
{
	if (r->is_done) {
		buf_clear(&r->line);
		r->is_done = false;
	}
	struct span part;
	bool is_taken = span_take_bytes(in, span_find(*in, '\n'), &part);
	assert(is_taken);
	(void)is_taken;
	if (!buf_add(&r->line, part)) {
		return RESPONSE_READ_TOO_LONG;
	}
	return span_take(in, '\n') ? end_line(r, out) : RESPONSE_READ_MORE;
}

enum response_read response_reader_feed(
	struct response_reader *r, struct span *in, struct span *line)
{
	while (in->n > 0) {
		if (r->literal_left > 0) {
			struct span skipped;
			size_t n = r->literal_left < in->n ? (size_t)r->literal_left : in->n;
			bool is_taken = span_take_bytes(in, n, &skipped);
			assert(is_taken);
			(void)is_taken;
			r->literal_left -= n;
			continue;
		}
		enum response_read result = feed_line(r, in, line);
		if (result != RESPONSE_READ_MORE) {
			return result;
		}
	}
	return RESPONSE_READ_MORE;
}
