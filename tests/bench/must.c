#include "bench/must.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must_die(const char *format, ...)
{
	int code = errno;
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	size_t n = strlen(format);
	if (n > 0 && format[n - 1] == '?') {
		fprintf(stderr, " %s", strerror(code));
	}
	fprintf(stderr, "\n");
	exit(1);
}

void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);
	if (memory == NULL) {
		must_die("no memory for %zu bytes", size);
	}
	return memory;
}

void *must_grow(void *memory, size_t *capacity, size_t need, size_t size)
{
	assert(size > 0);
	if (need <= *capacity) {
		return memory;
	}
	size_t more = *capacity < 16 ? 16 : *capacity * 2;
	if (more < need) {
		more = need;
	}
	void *grown = more <= SIZE_MAX / size ? realloc(memory, more * size) : NULL;
	if (grown == NULL) {
		must_die("no memory for %zu elements", more);
	}
	*capacity = more;
	return grown;
}

char *must_copy(const char *bytes, size_t n)
{
	char *copy = must_alloc(n + 1);
	memcpy(copy, bytes, n);
	return copy;
}
