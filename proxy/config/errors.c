/*
 * A message is put together in a line on the stack, cleaned there, and kept as a copy: what it quotes
 * (names, paths, a parser's words) need not live longer than the call.
 */
#include "config/errors.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Longer than any message with a path and a value in it; what is beyond is cut. */
#define ERROR_LINE_MAX 4096

/* Appends to a line of ERROR_LINE_MAX bytes; len never leaves it. */
static size_t append(char *line, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static size_t clamp(size_t len, int added)
{
	assert(len < ERROR_LINE_MAX);
	size_t sum = len + (added > 0 ? (size_t)added : 0);
	return sum < ERROR_LINE_MAX ? sum : ERROR_LINE_MAX - 1;
}

static size_t append(char *line, size_t len, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line + len, ERROR_LINE_MAX - len, format, args);
	va_end(args);
	return clamp(len, n);
}

void config_errors_add(struct config_errors *e, struct config_place where, const char *key,
	const char *format, ...)
{
	char line[ERROR_LINE_MAX];
	size_t len = 0;
	assert((e->lines == NULL) == (e->count == 0));
	line[0] = '\0';
	if (where.file != NULL && where.line > 0) {
		len = append(line, len, "%s:%u: ", where.file, where.line);
	} else if (where.file != NULL) {
		len = append(line, len, "%s: ", where.file);
	}
	if (key != NULL && key[0] != '\0') {
		len = append(line, len, "%s: ", key);
	}
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line + len, sizeof line - len, format, args);
	va_end(args);
	len = clamp(len, n);
	/* A newline inside would make two errors of one; escape sequences would reach a terminal. */
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];
		if (c < ' ' || c == 0x7f) {
			line[i] = '?';
		}
	}
	e->lines = xrealloc(e->lines, (e->count + 1) * sizeof e->lines[0]);
	e->lines[e->count++] = xmemdup0(line, len);
}

void config_errors_finish(struct config_errors *e)
{
	for (size_t i = 0; i < e->count; i++) {
		free(e->lines[i]);
	}
	free(e->lines);
	*e = (struct config_errors){0};
}
