/*
 * One function for each request. jansson is given the memory functions that end the process, so that
 * none of its calls can fail but for text that is no UTF-8, which answer_text sees to.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer_priv.h"
#include "base/alloc.h"
#include "base/version.h"
#include "config/listing.h"

/* Text. */

/* Room for "\xNN" of each byte. */
static json_t *escaped(const char *s)
{
	size_t n = strlen(s);
	char *text = xmalloc(4 * n + 1);
	char *to = text;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c < 0x80) {
			*to++ = (char)c;
		} else {
			to += snprintf(to, sizeof "\\xNN", "\\x%02x", c);
		}
	}
	*to = '\0';
	json_t *value = json_string(text);
	free(text);
	return value;
}

json_t *answer_text(const char *s)
{
	if (s == NULL) {
		return json_null();
	}
	json_t *value = json_string(s);
	return value != NULL ? value : escaped(s);
}

json_t *answer_number(uint64_t n)
{
	return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX);
}

void answer_set(json_t *object, const char *key, json_t *value)
{
	int failed = json_object_set_new(object, key, value);
	assert(failed == 0);
	(void)failed;
}

static char *finish(json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(4));
	json_decref(document);
	if (text == NULL) {
		abort(); /* a document that was never complete */
	}
	size_t n = strlen(text);
	text = xrealloc(text, n + sizeof "\n");
	memcpy(text + n, "\n", sizeof "\n");
	return text;
}

static json_t *begin(void)
{
	json_set_alloc_funcs(xmalloc, free);
	return json_object();
}

char *answer_error(const char *why)
{
	json_t *document = begin();
	answer_set(document, "error", answer_text(why));
	return finish(document);
}

/* Requests that no worker is asked for. */

static json_t *counters_of(const struct worker *w)
{
	json_t *row = json_object();
	for (int i = 0; i < COUNTER_COUNT; i++) {
		uint64_t value = counter_get(worker_counters(w), (enum counter)i);
		answer_set(row, counter_name((enum counter)i), answer_number(value));
	}
	return row;
}

static json_t *totals_of(const struct running *now)
{
	json_t *row = json_object();
	for (int i = 0; i < COUNTER_COUNT; i++) {
		uint64_t sum = 0;
		for (unsigned w = 0; w < now->worker_count; w++) {
			sum += counter_get(worker_counters(now->workers[w]), (enum counter)i);
		}
		answer_set(row, counter_name((enum counter)i), answer_number(sum));
	}
	return row;
}

static json_t *stats(const struct answer_context *c)
{
	json_t *document = json_object();
	json_t *workers = json_array();
	answer_set(document, "uptime_ms", answer_number(c->uptime_ms));
	answer_set(document, "clients", answer_number(c->clients));
	answer_set(document, "counters", totals_of(c->now));
	for (unsigned w = 0; w < c->now->worker_count; w++) {
		json_array_append_new(workers, counters_of(c->now->workers[w]));
	}
	answer_set(document, "workers", workers);
	return document;
}

static void add_setting(void *owner, const char *path, const char *value, bool is_default)
{
	json_t *row = json_object();
	answer_set(row, "key", answer_text(path));
	answer_set(row, "value", answer_text(value));
	answer_set(row, "default", json_boolean(is_default));
	json_array_append_new(owner, row);
}

static json_t *settings(const struct answer_context *c)
{
	json_t *rows = json_array();
	config_list(c->now->generation->config, add_setting, rows);
	return rows;
}

static json_t *version(const struct answer_context *c)
{
	json_t *row = json_object();
	answer_set(row, "version", answer_text(IMAPMUX_VERSION));
	answer_set(row, "pid", answer_number((uint64_t)getpid()));
	answer_set(row, "uptime_ms", answer_number(c->uptime_ms));
	answer_set(row, "workers", answer_number(c->now->worker_count));
	answer_set(row, "generation", answer_number(c->now->generation->number));
	answer_set(row, "config", answer_text(c->now->generation->config->file));
	answer_set(row, "libuv", answer_text(uv_version_string()));
	answer_set(row, "jansson", answer_text(jansson_version_str()));
	return row;
}

static json_t *shown(
	enum request_kind kind, struct inspect_report *report, const struct answer_context *c)
{
	const struct config *config = c->now->generation->config;
	switch (kind) {
	case REQUEST_POOLS:
		return answer_pools(report, config);
	case REQUEST_CLIENTS:
		return answer_clients(report);
	case REQUEST_SESSIONS:
		return answer_sessions(report);
	case REQUEST_BACKENDS:
		return answer_backends(report, config);
	case REQUEST_USERS:
		return answer_users(report);
	case REQUEST_STATS:
		return stats(c);
	case REQUEST_CONFIG:
		return settings(c);
	case REQUEST_VERSION:
		return version(c);
	case REQUEST_KICK:
	case REQUEST_FLUSH:
	case REQUEST_KIND_COUNT:
		break;
	}
	assert(!"nothing that is shown");
	return json_null();
}

char *answer_make(
	const struct request *r, struct inspect_report *report, const struct answer_context *c)
{
	const char *name = request_show_name(r->kind);
	json_t *document = begin();
	if (name != NULL) {
		answer_set(document, name, shown(r->kind, report, c));
	} else if (r->kind == REQUEST_KICK) {
		answer_set(document, "kicked", answer_number(report->done));
	} else {
		answer_set(document, "flushed", answer_number(report->done));
		answer_set(document, "forgotten", answer_number(report->forgotten));
	}
	return finish(document);
}
