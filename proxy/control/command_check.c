/*
 * The same way as a start: what passes here starts, but for sockets and rights.
 */
#include "control/command_check.h"

#include <assert.h>
#include <stdio.h>

#include "session/generation.h"

void command_print_errors(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		fprintf(stderr, "%s\n", errors->lines[i]);
	}
}

/* Of a configuration that is good. */
static void print_notes(const struct config_errors *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		fprintf(stderr, "note: %s\n", notes->lines[i]);
	}
}

int command_check(const char *config_file)
{
	struct config_errors errors = {0};
	struct generation *g = generation_create(config_file, 1, &errors);
	assert((g == NULL) == (errors.count > 0));
	command_print_errors(&errors);
	int status = g != NULL ? 0 : 2;
	if (g != NULL) {
		print_notes(&g->config->notes);
		puts("ok");
	}
	generation_unref(&g);
	config_errors_finish(&errors);
	return status;
}
