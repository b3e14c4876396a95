#include "lib/scratch.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"

static char folder[64];
static char **paths;
static size_t path_count;

const char *scratch_dir(void)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof folder, "/tmp/imapmux-test-XXXXXX");
		assert_non_null(mkdtemp(folder));
	}
	return folder;
}

const char *scratch_write_bytes(const char *name, const void *bytes, size_t n)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	paths = xrealloc(paths, (path_count + 1) * sizeof paths[0]);
	paths[path_count] = xstrdup(path);
	return paths[path_count++];
}

const char *scratch_write(const char *name, const char *text)
{
	return scratch_write_bytes(name, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void scratch_remove(void)
{
	if (folder[0] != '\0') {
		nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		folder[0] = '\0';
	}
	for (size_t i = 0; i < path_count; i++) {
		free(paths[i]);
	}
	free(paths);
	paths = NULL;
	path_count = 0;
}

struct config *scratch_config(const char *text)
{
	struct config_errors errors = {0};
	struct config *c = config_load(scratch_write("test.conf", text), &errors);
	for (size_t i = 0; i < errors.count; i++) {
		print_error("%s\n", errors.lines[i]);
	}
	assert_int_equal(errors.count, 0);
	assert_non_null(c);
	return c;
}

char *scratch_config_errors(const char *text)
{
	struct config_errors errors = {0};
	assert_null(config_load(scratch_write("test.conf", text), &errors));
	assert_true(errors.count > 0);
	char *all = xstrdup("");
	size_t len = 0;
	for (size_t i = 0; i < errors.count; i++) {
		size_t n = strlen(errors.lines[i]);
		all = xrealloc(all, len + n + 2);
		memcpy(all + len, errors.lines[i], n);
		memcpy(all + len + n, "\n", 2);
		len += n + 1;
	}
	config_errors_finish(&errors);
	return all;
}
