/*
 * Line by line: a line that is an @include is replaced by the lines of that file, any other is copied.
 * Strings and comments are followed over the lines, so that words in them are left alone.
 */
#include "source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"

/* Where in libconfig's grammar the next byte stands. */
enum lexical { PLAIN, STRING, LINE_COMMENT, BLOCK_COMMENT };

struct reader {
	struct source *source;
	struct config_errors *errors;
	unsigned depth;
	bool is_good;
};

static void read_file(struct reader *r, const char *file, struct config_place named_at);

static void add_bytes(struct source *s, const char *bytes, size_t n)
{
	if (s->len + n + 1 > s->room) {
		s->room = (s->len + n + 1) * 2;
		s->text = xrealloc(s->text, s->room);
	}
	memcpy(s->text + s->len, bytes, n);
	s->len += n;
	assert(s->len < s->room);
	s->text[s->len] = '\0';
}

static void end_line(struct source *s, struct config_place place)
{
	add_bytes(s, "\n", 1);
	/* Doubled at each power of two. */
	if ((s->line_count & (s->line_count - 1)) == 0) {
		size_t room = s->line_count > 0 ? s->line_count * 2 : 1;
		s->lines = xrealloc(s->lines, room * sizeof s->lines[0]);
	}
	s->lines[s->line_count++] = place;
}

static const char *add_file(struct source *s, const char *name)
{
	s->files = xrealloc(s->files, (s->file_count + 1) * sizeof s->files[0]);
	s->files[s->file_count] = xstrdup(name);
	return s->files[s->file_count++];
}

static void fail(struct reader *r, struct config_place where, const char *file, const char *why)
{
	config_errors_add(r->errors, where, "", "cannot read %s: %s", file, why);
	r->is_good = false;
}

static bool is_word_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '*' || c == '.';
}

static bool is_made_of(struct span word, const char *bytes)
{
	for (size_t i = 0; i < word.n; i++) {
		if (strchr(bytes, word.p[i]) == NULL) {
			return false;
		}
	}
	return word.n > 0;
}

/* Leading zeros say nothing about the size. */
static size_t significant(struct span digits)
{
	while (digits.n > 0 && digits.p[0] == '0') {
		digits = span_slice(digits, 1, digits.n);
	}
	return digits.n;
}

/*
 * What must follow a word for libconfig to read it whole: it keeps the low 32 bits of an integer unless
 * an L follows. Nine decimal and seven hexadecimal digits always fit. Where even 64 bits are too few,
 * decimal integers saturate there; the hexadecimal ones are no numbers then.
 */
static const char *suffix(struct span word)
{
	struct span digits = word;
	if (span_take_nocase(&digits, "0x") && is_made_of(digits, "0123456789abcdefABCDEF")) {
		return significant(digits) > 15 ? "?" : significant(digits) > 7 ? "L" : "";
	}
	(void)span_take(&digits, '-');
	return is_made_of(digits, "0123456789") && significant(digits) > 9 ? "L" : "";
}

static bool is_line_comment(struct span at)
{
	return at.p[0] == '#' || (at.n >= 2 && at.p[0] == '/' && at.p[1] == '/');
}

/* One step in plain text; returns how many bytes it took. */
static size_t step_plain(struct source *s, struct span at, enum lexical *state)
{
	size_t n = 1;
	assert(*state == PLAIN && at.n > 0);
	if (is_line_comment(at)) {
		*state = LINE_COMMENT;
	} else if (at.n >= 2 && at.p[0] == '/' && at.p[1] == '*') {
		*state = BLOCK_COMMENT;
		n = 2;
	} else if (at.p[0] == '"') {
		*state = STRING;
	} else if (is_word_byte(at.p[0])) {
		while (n < at.n && is_word_byte(at.p[n])) {
			n++;
		}
	}
	add_bytes(s, (const char *)at.p, n);
	if (is_word_byte(at.p[0])) {
		const char *more = suffix(span_of(at.p, n));
		add_bytes(s, more, strlen(more));
	}
	return n;
}

static size_t step_inside(struct source *s, struct span at, enum lexical *state)
{
	size_t n = 1;
	assert(*state != PLAIN && at.n > 0);
	if (*state == STRING && at.p[0] == '\\' && at.n >= 2) {
		n = 2;
	} else if (*state == STRING && at.p[0] == '"') {
		*state = PLAIN;
	} else if (*state == BLOCK_COMMENT && at.n >= 2 && at.p[0] == '*' && at.p[1] == '/') {
		*state = PLAIN;
		n = 2;
	}
	add_bytes(s, (const char *)at.p, n);
	return n;
}

/* Copies a line without its end and follows strings and comments through it. */
static void copy_line(struct source *s, struct span line, enum lexical *state)
{
	while (line.n > 0) {
		size_t n =
			*state == PLAIN ? step_plain(s, line, state) : step_inside(s, line, state);
		line = span_slice(line, n, line.n);
	}
	if (*state == LINE_COMMENT) {
		*state = PLAIN;
	}
}

static void skip_blanks(struct span *s)
{
	while (span_take(s, ' ') || span_take(s, '\t')) {
	}
}

/* '@include "path"' on a line of its own. */
static bool parse_include(struct span line, struct span *path)
{
	skip_blanks(&line);
	if (!span_take_nocase(&line, "@include")) {
		return false;
	}
	skip_blanks(&line);
	if (!span_take(&line, '"')) {
		return false;
	}
	struct span inside = span_take_until(&line, "\"");
	if (!span_take(&line, '"') || inside.n == 0) {
		return false;
	}
	*path = inside;
	return true;
}

/* A relative path counts from the folder of the file that names it. */
static char *resolve(const char *file, struct span path)
{
	assert(path.n > 0);
	const char *slash = strrchr(file, '/');
	if (path.p[0] == '/' || slash == NULL) {
		return xmemdup0(path.p, path.n);
	}
	size_t folder = (size_t)(slash - file) + 1;
	char *joined = xmalloc(folder + path.n + 1);
	memcpy(joined, file, folder);
	memcpy(joined + folder, path.p, path.n);
	joined[folder + path.n] = '\0';
	return joined;
}

static void read_line(
	struct reader *r, struct config_place here, struct span line, enum lexical *state)
{
	struct span path;
	if (*state != PLAIN || !parse_include(line, &path)) {
		copy_line(r->source, line, state);
		end_line(r->source, here);
		return;
	}
	char *file = resolve(here.file, path);
	if (r->depth >= SOURCE_DEPTH_MAX) {
		fail(r, here, file, "includes are nested too deeply");
	} else if (r->source->file_count >= SOURCE_FILES_MAX) {
		fail(r, here, file, "too many includes");
	} else {
		read_file(r, file, here);
	}
	free(file);
}

static void read_text(struct reader *r, const char *name, struct span text)
{
	enum lexical state = PLAIN;
	unsigned plain_until = 0; /* line where the string or comment begins, if there is one */
	for (unsigned number = 1; text.n > 0; number++) {
		struct span line = span_take_until(&text, "\n");
		(void)span_take(&text, '\n');
		if (line.n > 0 && line.p[line.n - 1] == '\r') {
			line = span_slice(line, 0, line.n - 1);
		}
		if (state == PLAIN) {
			plain_until = number;
		}
		read_line(r, (struct config_place){name, number}, line, &state);
	}
	/* libconfig would take the rest of the file for part of it without a word. */
	if (state != PLAIN) {
		config_errors_add(r->errors, (struct config_place){name, plain_until}, "",
			"a %s begins here and does not end",
			state == STRING ? "string" : "comment");
		r->is_good = false;
	}
}

/* The whole file, NUL-terminated; NULL with a reason. Folders and pipes are no configuration. */
static char *slurp(const char *file, size_t *len, const char **why)
{
	struct stat st;
	FILE *f = fopen(file, "re");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		*why = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		*why = "not a regular file";
	} else if (st.st_size > SOURCE_BYTES_MAX) {
		*why = "larger than 16 MiB (users belong into a map file)";
	} else {
		char *text = xmalloc((size_t)st.st_size + 1);
		*len = fread(text, 1, (size_t)st.st_size, f);
		text[*len] = '\0';
		if (!ferror(f) && memchr(text, '\0', *len) == NULL) {
			fclose(f);
			return text;
		}
		*why = ferror(f) ? strerror(errno) : "it holds NUL bytes";
		free(text);
	}
	if (f != NULL) {
		fclose(f);
	}
	return NULL;
}

static void read_file(struct reader *r, const char *file, struct config_place named_at)
{
	size_t len = 0;
	const char *why = "";
	char *text = slurp(file, &len, &why);
	if (text == NULL) {
		fail(r, named_at, file, why);
		return;
	}
	assert(r->depth < SOURCE_DEPTH_MAX);
	r->depth++;
	read_text(r, add_file(r->source, file), span_of(text, len));
	r->depth--;
	free(text);
}

bool source_read(struct source *s, const char *file, struct config_errors *errors)
{
	assert(s->text == NULL);
	struct reader r = {.source = s, .errors = errors, .is_good = true};
	add_bytes(s, "", 0);
	read_file(&r, file, (struct config_place){0});
	return r.is_good;
}

struct config_place source_place(const struct source *s, unsigned n)
{
	if (s->line_count == 0) {
		return (struct config_place){s->file_count > 0 ? s->files[0] : NULL, 0};
	}
	if (n == 0) {
		return (struct config_place){s->files[0], 0};
	}
	/* The parser may stand one line behind the last. */
	return s->lines[n <= s->line_count ? n - 1 : s->line_count - 1];
}

struct span source_line(const struct source *s, unsigned n)
{
	struct span rest = span_of(s->text, s->len);
	struct span line = span_of("", 0);
	/* As source_place. */
	for (n = n <= s->line_count ? n : (unsigned)s->line_count; n > 0; n--) {
		line = span_take_until(&rest, "\n");
		(void)span_take(&rest, '\n');
	}
	skip_blanks(&line);
	while (line.n > 0 && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t')) {
		line = span_slice(line, 0, line.n - 1);
	}
	return line;
}

void source_finish(struct source *s)
{
	for (size_t i = 0; i < s->file_count; i++) {
		free(s->files[i]);
	}
	free(s->files);
	free(s->lines);
	free(s->text);
	*s = (struct source){0};
}
