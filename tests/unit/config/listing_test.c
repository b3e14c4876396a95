/* What is told of a configuration is what stands in it, and every supported key of the schema is told. */
#include "config/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/schema.h"
#include "lib/scratch.h"

static void note(void *owner, const char *path, const char *value, bool is_default)
{
	assert_true(buf_addf(owner, "%s=%s%s\n", path, value, is_default ? " (default)" : ""));
}

/* All lines, with a line end before the first, too. */
static char *listed(const char *text)
{
	struct buf lines;
	struct config *c = scratch_config(text);
	buf_init(&lines, 1 << 20);
	assert_true(buf_add_str(&lines, "\n"));
	config_list(c, note, &lines);
	assert_true(buf_add(&lines, span_of("", 1)));
	char *all = strdup((const char *)buf_peek(&lines).p);
	buf_finish(&lines);
	config_unref(&c);
	return all;
}

static void has(const char *all, const char *line)
{
	if (strstr(all, line) == NULL) {
		fail_msg("no line %s in:%s", line, all);
	}
}

#define SMALL                                                                                      \
	"listeners = ( { address = \"127.0.0.1:10143\"; } );\n"                                    \
	"backends = ( { name = \"mail1\"; address = \"127.0.0.1:2143\"; } );\n"

static void test_defaults(void **state)
{
	(void)state;
	char *all = listed(SMALL);
	has(all, "\nlog.level=info (default)\n");
	has(all, "\nlisteners[0].address=127.0.0.1:10143\n");
	has(all, "\nlisteners[0].mode=0660 (default)\n");
	has(all, "\nbackends[0].verify=true (default)\n");
	has(all, "\nbackends[0].server_name=127.0.0.1 (default)\n");
	has(all, "\npool.idle_timeout=5m (default)\n");
	has(all, "\nlimits.preauth_timeout=1m (default)\n");
	has(all, "\nlimits.line=64k (default)\n");
	has(all, "\ncapabilities.hide= (default)\n");
	has(all, "\ntls.certificate= (default)\n");
	has(all, "\nadmin.socket=/run/imapmux/admin.sock (default)\n");
	free(all);
}

static void test_what_was_set(void **state)
{
	(void)state;
	char *all = listed(
		"workers = 3;\n"
		"log = { format = \"json\"; };\n"
		"listeners = ( { address = \"unix:/tmp/x\"; mode = \"0600\";\n"
		"  trusted = ( \"unix\", \"10.0.0.0/8\" ); } );\n"
		"backends = ( { name = \"a\"; address = \"127.0.0.1:1\"; },\n"
		"  { name = \"b\"; address = \"127.0.0.1:2\"; weight = 7; send_id = false; } );\n"
		"groups = ( { name = \"g\"; backends = ( \"b\", \"a\" ); } );\n"
		"users = ( { match = \"x@*\"; backend = \"a\"; login = \"%n\"; },\n"
		"  { regex = \"^y\"; group = \"g\"; } );\n"
		"pool = { idle_timeout = \"90s\"; };\n"
		"limits = { line = \"1m\"; };\n"
		"capabilities = { hide = ( \"idle\", \"sort\" ); };\n"
		"admin = { socket = \"\"; };\n");
	has(all, "\nworkers=3\n");
	has(all, "\nlog.format=json\n");
	has(all, "\nlisteners[0].address=unix:/tmp/x\n");
	has(all, "\nlisteners[0].mode=0600\n");
	has(all, "\nlisteners[0].proxy_protocol=false (default)\n");
	has(all, "\nlisteners[0].trusted=unix 10.0.0.0/8\n");
	has(all, "\nbackends[0].max_connections=0 (default)\n");
	has(all, "\nbackends[1].weight=7\n");
	has(all, "\nbackends[1].send_id=false\n");
	has(all, "\ngroups[0].name=g\ngroups[0].backends=b a\n");
	has(all, "\nusers[0].match=x@*\nusers[0].backend=a\nusers[0].login=%n\n");
	has(all, "\nusers[1].regex=^y\nusers[1].group=g\n");
	has(all, "\npool.idle_timeout=90s\n");
	has(all, "\nlimits.line=1m\n");
	has(all, "\ncapabilities.hide=IDLE SORT\n");
	has(all, "\nadmin.socket=\n");
	free(all);
}

static void test_every_key_is_told(void **state)
{
	(void)state;
	size_t count;
	char *all = listed(SMALL);
	const struct schema_key *keys = schema_keys(&count);
	for (size_t i = 0; i < count; i++) {
		char line[128];
		bool is_section = keys[i].type == SCHEMA_GROUP || keys[i].type == SCHEMA_LIST;
		/* Elements of lists are in test_what_was_set. */
		if (is_section || keys[i].use == SCHEMA_LATER || keys[i].in == SCHEMA_IN_ELEMENT) {
			continue;
		}
		snprintf(line, sizeof line, "\n%s=", keys[i].path);
		has(all, line);
	}
	free(all);
}

static int remove_files(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_was_set),
		cmocka_unit_test(test_every_key_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, remove_files);
}
