/*
 * Lines of config/linefile, then an entry of the table. What is read here is secret: no message repeats a
 * byte of it.
 */
#include "auth/passfile.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "config/linefile.h"

struct passfile {
	struct linefile lines;
	struct passtable *table;
};

static void take_line(void *owner, struct span line)
{
	struct passfile *f = owner;
	struct passtable_entry e = {.line = f->lines.line};
	const char *why = "";
	if (line.n == 0 || line.p[0] == '#') {
		return;
	}
	if (span_find(line, '\0') < line.n) {
		linefile_fail(&f->lines, "the line holds a NUL byte");
		return;
	}
	e.user = span_take_until(&line, ":");
	if (!span_take(&line, ':') || e.user.n == 0) {
		linefile_fail(&f->lines, "not of the form: user:{SCHEME}value");
	} else if (e.user.n > PASSFILE_USER_MAX) {
		linefile_fail(&f->lines, "the name is too long");
	} else if (!scheme_read(line, &e.scheme, &e.value, &why)) {
		linefile_fail(&f->lines, why);
	} else if (!passtable_add(f->table, &e)) {
		linefile_fail(&f->lines, "the file is too large");
	}
}

struct passfile *passfile_create(
	const char *name, struct passtable *table, struct config_errors *errors)
{
	assert(table != NULL);
	struct passfile *f = xcalloc(1, sizeof *f);
	linefile_init(&f->lines, name, PASSFILE_LINE_MAX, errors, take_line, f);
	f->table = table;
	return f;
}

void passfile_destroy(struct passfile **f)
{
	if (*f != NULL) {
		linefile_finish(&(*f)->lines);
	}
	free(*f);
	*f = NULL;
}

void passfile_feed(struct passfile *f, struct span bytes)
{
	linefile_feed(&f->lines, bytes);
}

static void on_repeated(
	void *owner, const struct passtable_entry *later, const struct passtable_entry *first)
{
	struct passfile *f = owner;
	struct config_place place = {f->lines.name, later->line};
	if (linefile_count(&f->lines)) {
		config_errors_add(f->lines.errors, place, "", "the user has %s in line %u already",
			scheme_name(later->scheme), first->line);
	}
}

bool passfile_end(struct passfile *f)
{
	linefile_end(&f->lines);
	passtable_seal(f->table, on_repeated, f);
	return linefile_is_good(&f->lines);
}

bool passfile_read(struct passfile *f, struct config_place named_at)
{
	linefile_read(&f->lines, true, named_at, "auth.password_file");
	return passfile_end(f);
}
