/*
 * Bytes, then lines, then an entry of the table, like route/userfile; but what is read here is secret: the
 * line at hand is wiped, and no message repeats a byte of it.
 */
#include "auth/passfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"

enum { PIECE = 65536 };

struct passfile {
	const char *name;
	struct passtable *table;
	struct config_errors *errors;
	char part[PASSFILE_LINE_MAX]; /* a line whose end has not come yet */
	size_t part_len;
	bool part_is_too_long;
	unsigned line; /* number of the line that is being read */
	size_t error_count;
};

struct passfile *passfile_create(
	const char *name, struct passtable *table, struct config_errors *errors)
{
	assert(name != NULL && table != NULL && errors != NULL);
	struct passfile *f = xcalloc(1, sizeof *f);
	f->name = name;
	f->table = table;
	f->errors = errors;
	return f;
}

void passfile_destroy(struct passfile **f)
{
	struct passfile *gone = *f;
	*f = NULL;
	if (gone != NULL) {
		secret_wipe(gone, sizeof *gone);
		free(gone);
	}
}

static void fail_at(struct passfile *f, unsigned line, const char *why)
{
	if (++f->error_count <= PASSFILE_SHOWN_MAX) {
		config_errors_add(f->errors, (struct config_place){f->name, line}, "", "%s", why);
	}
}

static void take_line(struct passfile *f, struct span line)
{
	struct passtable_entry e = {.line = f->line};
	const char *why = "";
	if (line.n > 0 && line.p[line.n - 1] == '\r') {
		line = span_slice(line, 0, line.n - 1);
	}
	if (line.n == 0 || line.p[0] == '#') {
		return;
	}
	if (span_find(line, '\0') < line.n) {
		fail_at(f, f->line, "the line holds a NUL byte");
		return;
	}
	e.user = span_take_until(&line, ":");
	if (!span_take(&line, ':') || e.user.n == 0) {
		fail_at(f, f->line, "not of the form: user:{SCHEME}value");
	} else if (e.user.n > PASSFILE_USER_MAX) {
		fail_at(f, f->line, "the name is too long");
	} else if (!scheme_read(line, &e.scheme, &e.value, &why)) {
		fail_at(f, f->line, why);
	} else if (!passtable_add(f->table, &e)) {
		fail_at(f, f->line, "the file is too large");
	}
}

/* Keeps the piece of a line until its end comes. */
static void keep_part(struct passfile *f, struct span piece)
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

/* A whole line; it is looked at where it stands unless its beginning came before. */
static void end_line(struct passfile *f, struct span piece)
{
	struct span line = piece;
	f->line++;
	if (f->part_len > 0 || f->part_is_too_long || piece.n > sizeof f->part) {
		keep_part(f, piece);
		line = span_of(f->part, f->part_len);
	}
	if (f->part_is_too_long) {
		fail_at(f, f->line, "the line is too long");
	} else {
		take_line(f, line);
	}
	secret_wipe(f->part, f->part_len);
	f->part_len = 0;
	f->part_is_too_long = false;
}

void passfile_feed(struct passfile *f, struct span bytes)
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
	void *owner, const struct passtable_entry *later, const struct passtable_entry *first)
{
	struct passfile *f = owner;
	if (++f->error_count <= PASSFILE_SHOWN_MAX) {
		config_errors_add(f->errors, (struct config_place){f->name, later->line}, "",
			"the user has %s in line %u already", scheme_name(later->scheme),
			first->line);
	}
}

bool passfile_end(struct passfile *f)
{
	if (f->part_len > 0 || f->part_is_too_long) {
		end_line(f, span_of(NULL, 0));
	}
	passtable_seal(f->table, on_repeated, f);
	if (f->error_count > PASSFILE_SHOWN_MAX) {
		config_errors_add(f->errors, (struct config_place){f->name, 0}, "",
			"%zu more errors", f->error_count - PASSFILE_SHOWN_MAX);
	}
	return f->error_count == 0;
}

/* 0, or the errno value of what went wrong. Not through stdio, whose buffer nobody wipes. */
static int read_all(struct passfile *f, int fd)
{
	uint8_t *bytes = xmalloc(PIECE);
	ssize_t n;
	do {
		n = read(fd, bytes, PIECE);
		if (n > 0) {
			passfile_feed(f, span_of(bytes, (size_t)n));
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	int error = n < 0 ? errno : 0;
	secret_wipe(bytes, PIECE);
	free(bytes);
	return error;
}

bool passfile_read(struct passfile *f)
{
	struct stat st;
	const char *why = NULL;
	int fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		why = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		why = "not a regular file";
	} else {
		int error = read_all(f, fd);
		why = error != 0 ? strerror(error) : NULL;
		if ((st.st_mode & S_IRWXO) != 0) {
			log_say(LOG_WARN, "password file can be read by others", "%s", f->name);
		}
	}
	if (fd >= 0) {
		close(fd);
	}
	if (why != NULL) {
		f->error_count++;
		config_errors_add(
			f->errors, (struct config_place){f->name, 0}, "", "cannot read: %s", why);
	}
	return passfile_end(f);
}
