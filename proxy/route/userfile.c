/*
 * Bytes, then lines, then fields, then an entry of the table. Only the last line of a piece is copied
 * aside, and only until its end has come. A line with a mistake is counted and skipped, so that one
 * run shows the mistakes of the whole file (the first of them: a wrong separator is in every line).
 */
#include "route/userfile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "route/login.h"
#include "route/table.h"

struct userfile {
	const char *name;
	struct userfile_targets targets;
	struct usertable *table;
	struct config_errors *errors;
	char part[USERFILE_LINE_MAX]; /* a line whose end has not come yet */
	size_t part_len;
	bool part_is_too_long;
	unsigned line; /* number of the line that is being read */
	size_t error_count, warning_count;
};

struct userfile *userfile_create(const char *name, struct userfile_targets targets,
	struct usertable *table, struct config_errors *errors)
{
	assert(name != NULL && table != NULL && errors != NULL);
	struct userfile *f = xcalloc(1, sizeof *f);
	f->name = name;
	f->targets = targets;
	f->table = table;
	f->errors = errors;
	return f;
}

void userfile_destroy(struct userfile **f)
{
	free(*f);
	*f = NULL;
}

/* Counts an error; true while errors are still shown. */
static bool count_error(struct userfile *f)
{
	return ++f->error_count <= USERFILE_SHOWN_MAX;
}

static void fail(struct userfile *f, const char *why)
{
	if (count_error(f)) {
		config_errors_add(
			f->errors, (struct config_place){f->name, f->line}, "", "%s", why);
	}
}

static void fail_target(struct userfile *f, const char *name)
{
	if (!count_error(f)) {
		return;
	}
	struct config_place place = {f->name, f->line};
	const char *meant = f->targets.near_miss(f->targets.owner, name);
	if (meant != NULL) {
		config_errors_add(f->errors, place, "",
			"unknown backend or group \"%s\" (did you mean \"%s\"?)", name, meant);
	} else {
		config_errors_add(f->errors, place, "", "unknown backend or group \"%s\"", name);
	}
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s = span_slice(s, 1, s.n);
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1])) {
		s = span_slice(s, 0, s.n - 1);
	}
	return s;
}

/* A # inside a word is part of the name. */
static struct span cut_comment(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '#' && (i == 0 || is_blank(line.p[i - 1]))) {
			return span_slice(line, 0, i);
		}
	}
	return line;
}

/* The next field, without blanks around it; several separators in a row are one. */
static struct span take_field(struct span *rest, const char *separators)
{
	struct span field = trim(span_take_until(rest, separators));
	*rest = trim(*rest);
	return field;
}

/* Splits a line; false: it is not of the form. */
static bool split(struct span line, struct usertable_entry *e, struct span *target)
{
	/* One tab makes all blanks of the line part of names. */
	const char *separators = span_find(line, '\t') < line.n ? "\t" : " ";
	e->user = take_field(&line, separators);
	*target = take_field(&line, separators);
	e->login = take_field(&line, separators);
	return target->n > 0 && line.n == 0;
}

static void take_entry(struct userfile *f, struct usertable_entry *e, struct span target)
{
	char name[USERFILE_LINE_MAX]; /* the lookup wants a NUL */
	const char *why = "";
	assert(e->user.n > 0 && target.n > 0 && target.n < sizeof name);
	memcpy(name, target.p, target.n);
	name[target.n] = '\0';
	if (e->user.n > ROUTE_USER_MAX || e->login.n > LOGIN_MAX) {
		fail(f, "the name is too long");
	} else if (!f->targets.find(f->targets.owner, name, &e->target)) {
		fail_target(f, name);
	} else if (!login_check(e->login, 0, &why)) {
		fail(f, why);
	} else if (!usertable_add(f->table, e)) {
		fail(f, "the file is too large");
	}
}

static void take_line(struct userfile *f, struct span line)
{
	struct usertable_entry e = {.line = f->line};
	struct span target;
	if (line.n > 0 && line.p[line.n - 1] == '\r') {
		line = span_slice(line, 0, line.n - 1);
	}
	line = trim(cut_comment(line));
	if (line.n == 0) {
		return;
	}
	if (span_find(line, '\0') < line.n) {
		fail(f, "the line holds a NUL byte");
	} else if (!split(line, &e, &target)) {
		fail(f, "not of the form: user TAB backend-or-group [TAB login]");
	} else {
		take_entry(f, &e, target);
	}
}

/* Keeps the piece of a line until its end comes. */
static void keep_part(struct userfile *f, struct span piece)
{
	assert(f->part_len <= sizeof f->part);
	if (piece.n > sizeof f->part - f->part_len) {
		f->part_is_too_long = true;
		f->part_len = 0;
	}
	if (!f->part_is_too_long && piece.n > 0) {
		memcpy(f->part + f->part_len, piece.p, piece.n);
		f->part_len += piece.n;
	}
}

static void end_line(struct userfile *f, struct span piece)
{
	static const char mark[] = "\xef\xbb\xbf";
	f->line++;
	keep_part(f, piece);
	struct span line = span_of(f->part, f->part_len);
	/* Editors of some systems begin each file with this. */
	if (f->line == 1) {
		(void)span_take_nocase(&line, mark);
	}
	if (f->part_is_too_long) {
		fail(f, "the line is too long");
	} else {
		take_line(f, line);
	}
	f->part_len = 0;
	f->part_is_too_long = false;
}

void userfile_feed(struct userfile *f, struct span bytes)
{
	while (bytes.n > 0) {
		size_t end = span_find(bytes, '\n');
		if (end == bytes.n) {
			keep_part(f, bytes);
			return;
		}
		end_line(f, span_slice(bytes, 0, end));
		bytes = span_slice(bytes, end + 1, bytes.n);
	}
}

static void on_repeated(
	void *owner, const struct usertable_entry *later, const struct usertable_entry *first)
{
	struct userfile *f = owner;
	if (++f->warning_count > USERFILE_SHOWN_MAX) {
		return;
	}
	struct log_line line;
	log_begin(&line, LOG_WARN, "map file: user stands there twice, the first line counts");
	log_str(&line, "file", f->name);
	log_number(&line, "line", later->line);
	log_number(&line, "first", first->line);
	log_span(&line, "user", later->user);
	log_end(&line);
}

bool userfile_end(struct userfile *f)
{
	if (f->part_len > 0 || f->part_is_too_long) {
		end_line(f, span_of(NULL, 0));
	}
	usertable_seal(f->table, on_repeated, f);
	if (f->error_count > USERFILE_SHOWN_MAX) {
		config_errors_add(f->errors, (struct config_place){f->name, 0}, "",
			"%zu more errors", f->error_count - USERFILE_SHOWN_MAX);
	}
	if (f->warning_count > USERFILE_SHOWN_MAX) {
		log_say(LOG_WARN, "map file: more users stand there twice", "%s: %zu", f->name,
			f->warning_count - USERFILE_SHOWN_MAX);
	}
	return f->error_count == 0;
}

static void read_all(struct userfile *f, FILE *in)
{
	char bytes[16384];
	size_t n;
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0) {
		userfile_feed(f, span_of(bytes, n));
	}
}

bool userfile_read(struct userfile *f)
{
	struct stat st;
	const char *why = NULL;
	FILE *in = fopen(f->name, "re");
	if (in == NULL || fstat(fileno(in), &st) != 0) {
		why = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		why = "not a regular file";
	} else {
		read_all(f, in);
		why = ferror(in) ? strerror(errno) : NULL;
	}
	if (in != NULL) {
		fclose(in);
	}
	if (why != NULL) {
		f->error_count++;
		config_errors_add(
			f->errors, (struct config_place){f->name, 0}, "", "cannot read: %s", why);
	}
	return userfile_end(f);
}
