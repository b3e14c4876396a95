#include "imap/lexer.h"

#include <assert.h>

/* "{n}" or "{n+}" that takes up all of s. */
static enum literal_form whole_header(struct span s, uint64_t *size)
{
	uint64_t n;
	if (!span_take(&s, '{') || !span_take_number(&s, &n)) {
		return LITERAL_MALFORMED;
	}
	enum literal_form form = span_take(&s, '+') ? LITERAL_NONSYNC : LITERAL_SYNC;
	if (!span_take(&s, '}') || s.n > 0) {
		return LITERAL_MALFORMED;
	}
	*size = n;
	return form;
}

static enum literal_form header_at(struct span line, size_t brace, struct literal *out)
{
	assert(line.p[brace] == '{');
	struct literal found = {.header = brace};
	if (brace > 0 && line.p[brace - 1] == '~') {
		found.is_binary = true;
		found.header = brace - 1;
	}
	/* Inside an atom ("x{9+}") servers read on behind the line as commands: that is no literal. */
	if (found.header == 0 ||
		(line.p[found.header - 1] != ' ' && line.p[found.header - 1] != '(')) {
		return LITERAL_MALFORMED;
	}
	enum literal_form form = whole_header(span_slice(line, brace, line.n), &found.size);
	if (form != LITERAL_MALFORMED) {
		*out = found;
	}
	return form;
}

enum literal_form literal_header(struct span line, struct literal *out)
{
	bool is_quoted = false;
	bool is_escaped = false;
	for (size_t i = 0; i < line.n; i++) {
		uint8_t c = line.p[i];
		if (c == '\0' || c == '\r') {
			return LITERAL_MALFORMED;
		}
		if (is_escaped) {
			is_escaped = false;
		} else if (is_quoted && c == '\\') {
			is_escaped = true;
		} else if (c == '"') {
			is_quoted = !is_quoted;
		} else if (!is_quoted && c == '{') {
			return header_at(line, i, out);
		}
	}
	return is_quoted ? LITERAL_MALFORMED : LITERAL_NONE;
}

enum literal_form literal_header_server(struct span line, struct literal *out)
{
	/* Looked at from the end: text of earlier literals and quoted strings does not matter. */
	if (line.n < 3 || line.p[line.n - 1] != '}') {
		return LITERAL_NONE;
	}
	size_t brace = line.n - 1;
	while (brace > 0 && line.p[brace - 1] >= '0' && line.p[brace - 1] <= '9') {
		brace--;
	}
	if (line.n - 1 - brace > LITERAL_DIGITS_MAX) {
		return LITERAL_MALFORMED;
	}
	if (brace == line.n - 1 || brace == 0 || line.p[brace - 1] != '{') {
		return LITERAL_NONE;
	}
	brace--;
	uint64_t size;
	if (whole_header(span_slice(line, brace, line.n), &size) != LITERAL_SYNC) {
		return LITERAL_MALFORMED;
	}
	bool is_binary = brace > 0 && line.p[brace - 1] == '~';
	*out = (struct literal){
		.size = size, .header = is_binary ? brace - 1 : brace, .is_binary = is_binary};
	return LITERAL_SYNC;
}

static bool is_astring_char(uint8_t c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\", c) == NULL;
}

static bool take_atom(struct span *s, struct secret *out)
{
	size_t n = 0;
	while (n < s->n && is_astring_char(s->p[n])) {
		n++;
	}
	struct span atom;
	if (n == 0 || !span_take_bytes(s, n, &atom)) {
		return false;
	}
	secret_set(out, atom);
	return true;
}

/* Index behind the closing quote; 0 when there is none, or something that may not be quoted. */
static size_t quoted_end(struct span s)
{
	assert(s.n > 0 && s.p[0] == '"');
	for (size_t i = 1; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '"') {
			return i + 1;
		}
		if (c == '\0' || c == '\r' || c == '\n') {
			return 0;
		}
		if (c == '\\') {
			i++;
			if (i == s.n || (s.p[i] != '"' && s.p[i] != '\\')) {
				return 0;
			}
		}
	}
	return 0;
}

static void unescape(struct secret *s)
{
	size_t to = 0;
	for (size_t from = 0; from < s->len; from++) {
		if (s->data[from] == '\\') {
			from++;
		}
		assert(from < s->len);
		s->data[to++] = s->data[from];
	}
	/* secret_drop wipes up to len only. */
	secret_wipe(s->data + to, s->len - to);
	s->len = to;
}

static bool take_quoted(struct span *s, struct secret *out)
{
	size_t end = quoted_end(*s);
	struct span quoted;
	if (end == 0 || !span_take_bytes(s, end, &quoted)) {
		return false;
	}
	secret_set(out, span_slice(quoted, 1, end - 1));
	unescape(out);
	return true;
}

static bool take_literal(struct span *s, struct secret *out)
{
	struct span rest = *s;
	struct span header = span_take_until(&rest, "\r");
	struct span octets;
	uint64_t size;
	if (whole_header(header, &size) == LITERAL_MALFORMED || !span_take_nocase(&rest, "\r\n") ||
		size > rest.n || !span_take_bytes(&rest, (size_t)size, &octets)) {
		return false;
	}
	if (span_find(octets, '\0') < octets.n) {
		return false;
	}
	secret_set(out, octets);
	*s = rest;
	return true;
}

bool lexer_take_astring(struct span *s, struct secret *out)
{
	if (s->n == 0) {
		return false;
	}
	switch (s->p[0]) {
	case '"':
		return take_quoted(s, out);
	case '{':
		return take_literal(s, out);
	default:
		return take_atom(s, out);
	}
}
