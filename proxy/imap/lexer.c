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
