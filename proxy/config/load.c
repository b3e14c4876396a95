/*
 * The way: source (text with includes) -> libconfig's tree -> read by the schema -> resolve names
 * -> cross checks -> snapshot. A file that cannot be read or parsed ends the way early; all later
 * steps run whatever the ones before found, so that one run shows all errors.
 */
#include <assert.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "raw.h"

/* Of a line that is quoted; what is beyond is cut. */
#define LINE_SHOWN_MAX 60

static bool parse(struct raw *r)
{
	if (config_read_string(&r->tree, r->source.text) == CONFIG_TRUE) {
		return true;
	}
	int line = config_error_line(&r->tree);
	const char *text = config_error_text(&r->tree);
	unsigned number = line > 0 ? (unsigned)line : 0;
	struct span at = source_line(&r->source, number);
	/* libconfig names no key. It sees an error by the word behind it, perhaps in a later line. */
	config_errors_add(r->errors, source_place(&r->source, number), "", "%s%s%.*s",
		text != NULL ? text : "syntax error", at.n > 0 ? " at or before: " : "",
		at.n < LINE_SHOWN_MAX ? (int)at.n : LINE_SHOWN_MAX, (const char *)at.p);
	return false;
}

/* The snapshot owns the names that its places point to. */
static void take_files(struct raw *r)
{
	r->config->files = r->source.files;
	r->config->file_count = r->source.file_count;
	r->source.files = NULL;
	r->source.file_count = 0;
}

struct config *config_load_to_check(const char *file, struct config_errors *errors)
{
	struct config *c = xcalloc(1, sizeof *c);
	struct raw r = {.config = c, .errors = errors};
	atomic_init(&c->refs, 1);
	c->file = xstrdup(file);
	config_init(&r.tree);
	/* libconfig stops at the first error of syntax: there is no tree to look at then. */
	bool is_parsed = source_read(&r.source, file, errors) && parse(&r);
	if (is_parsed) {
		raw_read(&r);
		raw_resolve(&r);
		raw_check(&r);
	}
	take_files(&r);
	raw_finish(&r);
	assert(is_parsed || errors->count > 0);
	if (!is_parsed) {
		config_unref(&c);
	}
	return c;
}

struct config *config_load(const char *file, struct config_errors *errors)
{
	size_t errors_before = errors->count;
	struct config *c = config_load_to_check(file, errors);
	if (errors->count > errors_before) {
		config_unref(&c);
	}
	assert(c != NULL || errors->count > errors_before);
	return c;
}
