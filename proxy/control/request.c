#include "control/request.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Names by kind; what may be shown stands first. */
static const char *const show_names[] = {
	[REQUEST_POOLS] = "pools",
	[REQUEST_CLIENTS] = "clients",
	[REQUEST_SESSIONS] = "sessions",
	[REQUEST_BACKENDS] = "backends",
	[REQUEST_USERS] = "users",
	[REQUEST_STATS] = "stats",
	[REQUEST_CONFIG] = "config",
	[REQUEST_VERSION] = "version",
};

#define SHOW_COUNT (sizeof show_names / sizeof *show_names)

static_assert(SHOW_COUNT == REQUEST_KICK, "every kind before KICK is shown");

const char *request_show_name(enum request_kind kind)
{
	assert(kind < REQUEST_KIND_COUNT);
	return (size_t)kind < SHOW_COUNT ? show_names[kind] : NULL;
}

bool request_find_show(struct span name, enum request_kind *out)
{
	for (size_t i = 0; i < SHOW_COUNT; i++) {
		if (span_is_nocase(name, show_names[i])) {
			*out = (enum request_kind)i;
			return true;
		}
	}
	return false;
}

/* The words of a line, unquoted, one behind the other in text. */
struct words {
	uint8_t text[REQUEST_LINE_MAX];
	size_t used;
	struct span word[REQUEST_WORDS_MAX];
	size_t count;
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

static void put(struct words *w, uint8_t c)
{
	assert(w->used < sizeof w->text); /* no longer than the line */
	w->text[w->used++] = c;
}

/* Behind the opening quote. False: it is not closed in this line. */
static bool take_quoted(struct words *w, struct span *line)
{
	while (line->n > 0) {
		uint8_t c = line->p[0];
		*line = span_slice(*line, 1, line->n);
		if (c == '"') {
			return true;
		}
		if (c == '\\' && line->n > 0) {
			c = line->p[0];
			*line = span_slice(*line, 1, line->n);
		}
		put(w, c);
	}
	return false;
}

static const char *take_word(struct words *w, struct span *line)
{
	size_t begin = w->used;
	if (w->count == REQUEST_WORDS_MAX) {
		return "too many words";
	}
	if (span_take(line, '"')) {
		if (!take_quoted(w, line)) {
			return "a quote is not closed";
		}
		if (line->n > 0 && !is_blank(line->p[0])) {
			return "a blank is missing behind a quote";
		}
	}
	while (line->n > 0 && !is_blank(line->p[0])) {
		put(w, line->p[0]);
		*line = span_slice(*line, 1, line->n);
	}
	w->word[w->count++] = span_of(w->text + begin, w->used - begin);
	return NULL;
}

static const char *split(struct words *w, struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (is_control(line.p[i]) && line.p[i] != '\t') {
			return "control characters are not allowed";
		}
	}
	while (line.n > 0) {
		if (is_blank(line.p[0])) {
			line = span_slice(line, 1, line.n);
			continue;
		}
		const char *why = take_word(w, &line);
		if (why != NULL) {
			return why;
		}
	}
	return w->count > 0 ? NULL : "an empty line";
}

static char *name_of(const struct words *w, size_t index)
{
	struct span s = index < w->count ? w->word[index] : span_of("", 0);
	return span_is(s, "-") ? xstrdup("") : xmemdup0(s.p, s.n);
}

static bool has_empty_word(const struct words *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->word[i].n == 0) {
			return true;
		}
	}
	return false;
}

static const char *understand(const struct words *w, struct request *out)
{
	struct span verb = w->word[0];
	if (span_is_nocase(verb, "show")) {
		if (w->count != 2 || !request_find_show(w->word[1], &out->kind)) {
			return "show pools, clients, sessions, backends, users, stats, config or "
			       "version";
		}
		out->server = xstrdup("");
		out->who = xstrdup("");
		return NULL;
	}
	if (span_is_nocase(verb, "kick")) {
		if (w->count != 2 || w->word[1].n == 0) {
			return "kick needs a user or the id of a session, and nothing else";
		}
		out->kind = REQUEST_KICK;
		out->server = xstrdup("");
		out->who = xmemdup0(w->word[1].p, w->word[1].n);
		return NULL;
	}
	if (span_is_nocase(verb, "flush")) {
		/* The variable of a script that is empty must not stand for everybody. */
		if (has_empty_word(w)) {
			return "a name is empty; - stands for all";
		}
		out->kind = REQUEST_FLUSH;
		out->server = name_of(w, 1);
		out->who = name_of(w, 2);
		return NULL;
	}
	return "no such command; there are show, kick and flush";
}

bool request_parse(struct span line, struct request *out, const char **why)
{
	struct words w = {.used = 0};
	struct request r = {.kind = REQUEST_KIND_COUNT};
	if (line.n > REQUEST_LINE_MAX) {
		*why = "the line is too long";
		return false;
	}
	const char *wrong = split(&w, line);
	if (wrong == NULL) {
		wrong = understand(&w, &r);
	}
	if (wrong != NULL) {
		*why = wrong;
		return false;
	}
	assert(r.kind < REQUEST_KIND_COUNT && r.server != NULL && r.who != NULL);
	*out = r;
	return true;
}

void request_finish(struct request *r)
{
	free(r->server);
	free(r->who);
	*r = (struct request){0};
}

static bool write_word(struct buf *out, const char *word)
{
	bool fits = buf_add_str(out, "\"");
	for (const char *p = word; *p != '\0' && fits; p++) {
		if (is_control((uint8_t)*p)) {
			return false;
		}
		fits = (*p != '"' && *p != '\\') || buf_add_str(out, "\\");
		fits = fits && buf_add(out, span_of(p, 1));
	}
	return fits && buf_add_str(out, "\"");
}

bool request_write(struct buf *out, const char *const *words, size_t count)
{
	size_t before = buf_len(out);
	assert(count > 0 && count <= REQUEST_WORDS_MAX);
	for (size_t i = 0; i < count; i++) {
		if ((i > 0 && !buf_add_str(out, " ")) || !write_word(out, words[i])) {
			return false;
		}
	}
	return buf_len(out) - before <= REQUEST_LINE_MAX && buf_add_str(out, "\n");
}
