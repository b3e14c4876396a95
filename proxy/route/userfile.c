/*
 * Lines of config/linefile, then fields, then an entry of the table.
 */
#include "route/userfile.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "config/linefile.h"
#include "route/login.h"
#include "route/table.h"

struct userfile {
	struct linefile lines;
	struct userfile_targets targets;
	struct usertable *table;
	size_t warning_count;
};

static void fail(struct userfile *f, const char *why)
{
	linefile_fail(&f->lines, why);
}

static void fail_target(struct userfile *f, const char *name)
{
	if (!linefile_count(&f->lines)) {
		return;
	}
	struct config_errors *errors = f->lines.errors;
	struct config_place place = {f->lines.name, f->lines.line};
	const char *meant = f->targets.near_miss(f->targets.owner, name);
	if (meant != NULL) {
		config_errors_add(errors, place, "",
			"unknown backend or group \"%s\" (did you mean \"%s\"?)", name, meant);
	} else {
		config_errors_add(errors, place, "", "unknown backend or group \"%s\"", name);
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

static void take_line(void *owner, struct span line)
{
	struct userfile *f = owner;
	struct usertable_entry e = {.line = f->lines.line};
	struct span target;
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

struct userfile *userfile_create(const char *name, struct userfile_targets targets,
	struct usertable *table, struct config_errors *errors)
{
	assert(table != NULL);
	struct userfile *f = xcalloc(1, sizeof *f);
	linefile_init(&f->lines, name, USERFILE_LINE_MAX, errors, take_line, f);
	f->targets = targets;
	f->table = table;
	return f;
}

void userfile_destroy(struct userfile **f)
{
	if (*f != NULL) {
		linefile_finish(&(*f)->lines);
	}
	free(*f);
	*f = NULL;
}

void userfile_feed(struct userfile *f, struct span bytes)
{
	linefile_feed(&f->lines, bytes);
}

static void on_repeated(
	void *owner, const struct usertable_entry *later, const struct usertable_entry *first)
{
	struct userfile *f = owner;
	if (++f->warning_count > LINEFILE_SHOWN_MAX) {
		return;
	}
	struct log_line line;
	log_begin(&line, LOG_WARN, "map file: user stands there twice, the first line counts");
	log_str(&line, "file", f->lines.name);
	log_number(&line, "line", later->line);
	log_number(&line, "first", first->line);
	log_span(&line, "user", later->user);
	log_end(&line);
}

bool userfile_end(struct userfile *f)
{
	linefile_end(&f->lines);
	usertable_seal(f->table, on_repeated, f);
	if (f->warning_count > LINEFILE_SHOWN_MAX) {
		log_say(LOG_WARN, "map file: more users stand there twice", "%s: %zu",
			f->lines.name, f->warning_count - LINEFILE_SHOWN_MAX);
	}
	return linefile_is_good(&f->lines);
}

bool userfile_read(struct userfile *f, struct config_place named_at)
{
	linefile_read(&f->lines, false, named_at, "users.file");
	return userfile_end(f);
}
