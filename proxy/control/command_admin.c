#include "control/command_admin.h"

#include <assert.h>
#include <stdio.h>

#include <jansson.h>

#include "config/nearest.h"
#include "control/ask.h"
#include "control/control.h"
#include "control/request.h"
#include "control/show.h"

/* An error in the answer, told as one. */
static bool tell_error(const json_t *document)
{
	const char *error = json_string_value(json_object_get(document, "error"));
	if (error != NULL) {
		fprintf(stderr, "imapmux: %s\n", error);
	}
	return error != NULL;
}

/* The answer; its text is printed when that is wanted. NULL: *status says how it went wrong, and stderr
 * why. */
static json_t *ask(
	const struct command_admin *a, const char *const *words, size_t count, int *status)
{
	struct buf answer;
	json_error_t where;
	json_t *document = NULL;
	buf_init(&answer, ASK_ANSWER_MAX);
	*status = ask_proxy(a, words, count, &answer);
	if (*status == CONTROL_OK) {
		struct span text = buf_peek(&answer);
		document = json_loadb((const char *)text.p, text.n, 0, &where);
		*status = document != NULL ? CONTROL_OK : CONTROL_FAILED;
		if (document == NULL) {
			fprintf(stderr, "imapmux: the answer is no JSON: %s\n", where.text);
		} else if (tell_error(document)) {
			*status = CONTROL_FAILED;
			json_decref(document);
			document = NULL;
		} else if (a->wants_json) {
			fwrite(text.p, 1, text.n, stdout);
		}
	}
	buf_finish(&answer);
	assert((document != NULL) == (*status == CONTROL_OK));
	return document;
}

static int complain_about(const char *what)
{
	struct nearest nearest;
	nearest_init(&nearest, what);
	for (int i = 0; i < REQUEST_KIND_COUNT; i++) {
		const char *name = request_show_name((enum request_kind)i);
		if (name != NULL) {
			nearest_try(&nearest, name);
		}
	}
	fprintf(stderr, "imapmux: there is nothing to show by that name: %s", what);
	if (nearest.best != NULL) {
		fprintf(stderr, " (did you mean \"%s\"?)", nearest.best);
	}
	fputs("\nTry: imapmux --help\n", stderr);
	return CONTROL_INVALID;
}

int command_show(const struct command_admin *a, const char *what)
{
	enum request_kind kind;
	int status;
	if (!request_find_show(span_str(what), &kind)) {
		return complain_about(what);
	}
	const char *const words[] = {"show", request_show_name(kind)};
	json_t *document = ask(a, words, 2, &status);
	if (document != NULL && !a->wants_json) {
		show_answer(kind, document, stdout);
	}
	json_decref(document);
	return status;
}

static long long number_in(const json_t *document, const char *key)
{
	return (long long)json_integer_value(json_object_get(document, key));
}

/* The variable of a script that is empty must not stand for everybody. */
static bool is_empty(const char *name)
{
	if (name == NULL || name[0] != '\0') {
		return false;
	}
	fputs("imapmux: a name is empty\nTry: imapmux --help\n", stderr);
	return true;
}

int command_kick(const struct command_admin *a, const char *who)
{
	int status;
	if (is_empty(who)) {
		return CONTROL_INVALID;
	}
	const char *const words[] = {"kick", who};
	json_t *document = ask(a, words, 2, &status);
	if (document == NULL) {
		return status;
	}
	long long kicked = number_in(document, "kicked");
	if (!a->wants_json && kicked > 0) {
		printf("%lld %s ended\n", kicked, kicked == 1 ? "session" : "sessions");
	}
	if (kicked == 0) {
		fputs("imapmux: no session of that user or with that id\n", stderr);
		status = CONTROL_FAILED;
	}
	json_decref(document);
	return status;
}

int command_flush(const struct command_admin *a, const char *server, const char *user)
{
	int status;
	if (is_empty(server) || is_empty(user)) {
		return CONTROL_INVALID;
	}
	const char *const words[] = {
		"flush", server != NULL ? server : "-", user != NULL ? user : "-"};
	json_t *document = ask(a, words, 3, &status);
	if (document != NULL && !a->wants_json) {
		long long closed = number_in(document, "flushed");
		long long forgotten = number_in(document, "forgotten");
		printf("%lld parked %s closed, %lld %s forgotten\n", closed,
			closed == 1 ? "connection" : "connections", forgotten,
			forgotten == 1 ? "credential" : "credentials");
	}
	json_decref(document);
	return status;
}
