#include "config/linefile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"

/* Read at once. */
enum { PIECE = 65536 };

void linefile_init(struct linefile *f, const char *name, size_t max_line,
	struct config_errors *errors, void (*take)(void *owner, struct span line), void *owner)
{
	assert(name != NULL && errors != NULL && max_line > 0);
	*f = (struct linefile){
		.name = name,
		.errors = errors,
		.max_line = max_line,
		.take = take,
		.owner = owner,
		.part = xmalloc(max_line),
	};
}

void linefile_finish(struct linefile *f)
{
	secret_wipe(f->part, f->part_len);
	free(f->part);
	*f = (struct linefile){0};
}

bool linefile_count(struct linefile *f)
{
	return ++f->mistakes <= LINEFILE_SHOWN_MAX;
}

void linefile_fail(struct linefile *f, const char *why)
{
	if (linefile_count(f)) {
		config_errors_add(
			f->errors, (struct config_place){f->name, f->line}, "", "%s", why);
	}
}

/* Keeps the piece of a line until its end comes. */
static void keep_part(struct linefile *f, struct span piece)
{
	assert(f->part_len <= f->max_line);
	if (piece.n > f->max_line - f->part_len) {
		f->part_is_too_long = true;
	}
	if (!f->part_is_too_long && piece.n > 0) {
		memcpy(f->part + f->part_len, piece.p, piece.n);
		f->part_len += piece.n;
	}
}

static void take(struct linefile *f, struct span line)
{
	static const char mark[] = "\xef\xbb\xbf";
	if (f->line == 1) {
		(void)span_take_nocase(&line, mark);
	}
	if (line.n > 0 && line.p[line.n - 1] == '\r') {
		line = span_slice(line, 0, line.n - 1);
	}
	f->take(f->owner, line);
}

/* A whole line; it is looked at where it stands unless its beginning came before. */
static void end_line(struct linefile *f, struct span piece)
{
	struct span line = piece;
	f->line++;
	if (f->part_len > 0 || f->part_is_too_long || piece.n > f->max_line) {
		keep_part(f, piece);
		line = span_of(f->part, f->part_len);
	}
	if (f->part_is_too_long) {
		linefile_fail(f, "the line is too long");
	} else {
		take(f, line);
	}
	secret_wipe(f->part, f->part_len);
	f->part_len = 0;
	f->part_is_too_long = false;
}

void linefile_feed(struct linefile *f, struct span bytes)
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

void linefile_end(struct linefile *f)
{
	if (f->part_len > 0 || f->part_is_too_long) {
		end_line(f, span_of(NULL, 0));
	}
}

bool linefile_is_good(struct linefile *f)
{
	if (f->mistakes > LINEFILE_SHOWN_MAX) {
		config_errors_add(f->errors, (struct config_place){f->name, 0}, "",
			"%zu more errors", f->mistakes - LINEFILE_SHOWN_MAX);
	}
	return f->mistakes == 0;
}

/* 0, or the errno value of what went wrong. Not through stdio, whose buffer nobody wipes. */
static int read_all(struct linefile *f, int fd)
{
	uint8_t *bytes = xmalloc(PIECE);
	ssize_t n;
	do {
		n = read(fd, bytes, PIECE);
		if (n > 0) {
			linefile_feed(f, span_of(bytes, (size_t)n));
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	int error = n < 0 ? errno : 0;
	secret_wipe(bytes, PIECE);
	free(bytes);
	return error;
}

void linefile_read(
	struct linefile *f, bool is_secret, struct config_place named_at, const char *key)
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
		if (is_secret && (st.st_mode & S_IRWXO) != 0) {
			log_say(LOG_WARN, "password file can be read by others", "%s", f->name);
		}
	}
	if (fd >= 0) {
		close(fd);
	}
	if (why != NULL) {
		f->mistakes++;
		config_errors_add(f->errors, named_at, key, "cannot read %s: %s", f->name, why);
	}
}
