/*
 * Which member of a row goes into which column, and how. An empty list is told in words: a line of titles
 * with nothing below looks like an error.
 */
#include "control/show.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/counter.h"
#include "control/table.h"

/* Text in a cell that is put together here. */
#define SHOW_TEXT_MAX 1024

enum form {
	FORM_TEXT,
	FORM_NUMBER,
	FORM_TIME,    /* milliseconds */
	FORM_AGO,     /* the same, of something past */
	FORM_SIZE,    /* bytes */
	FORM_RATE,    /* 0 to 1 */
	FORM_YES,     /* true or false */
	FORM_CLASSES, /* of show pools */
	FORM_WORDS,   /* a list of texts */
};

struct column {
	const char *title, *key;
	enum form form;
};

/* clang-format off */
static const struct column pools[] = {
	{"BACKEND", "backend", FORM_TEXT},
	{"ACTIVE", "active", FORM_NUMBER},
	{"WAITING", "waiting", FORM_NUMBER},
	{"PARKED", "parked", FORM_NUMBER},
	{"SPARE", "spare", FORM_NUMBER},
	{"SIGNING IN", "signing_in", FORM_NUMBER},
	{"CLEANING", "cleaning", FORM_NUMBER},
	{"HITS", "hits", FORM_NUMBER},
	{"MISSES", "misses", FORM_NUMBER},
	{"HIT RATE", "hit_rate", FORM_RATE},
	{"LONGEST WAIT", "longest_wait_ms", FORM_TIME},
	{"PARKED BY CLASS", "classes", FORM_CLASSES},
};
static const struct column clients[] = {
	{"ID", "id", FORM_TEXT},
	{"STATE", "state", FORM_TEXT},
	{"USER", "user", FORM_TEXT},
	{"ADDRESS", "address", FORM_TEXT},
	{"PORT", "port", FORM_NUMBER},
	{"TLS", "tls", FORM_TEXT},
	{"WORKER", "worker", FORM_NUMBER},
	{"AGE", "age_ms", FORM_TIME},
	{"LISTENER", "listener", FORM_TEXT},
};
static const struct column sessions[] = {
	{"ID", "id", FORM_TEXT},
	{"USER", "user", FORM_TEXT},
	{"BACKEND", "backend", FORM_TEXT},
	{"CONNECTION", "connection", FORM_TEXT},
	{"ATTACHED", "attached", FORM_YES},
	{"TO CLIENT", "bytes_to_client", FORM_SIZE},
	{"TO SERVER", "bytes_to_server", FORM_SIZE},
	{"IDLE", "idle_ms", FORM_TIME},
	{"AGE", "age_ms", FORM_TIME},
};
static const struct column backends[] = {
	{"NAME", "name", FORM_TEXT},
	{"ADDRESS", "address", FORM_TEXT},
	{"TLS", "tls", FORM_TEXT},
	{"WEIGHT", "weight", FORM_NUMBER},
	{"CONNECTIONS", "connections", FORM_NUMBER},
	{"ACTIVE", "active", FORM_NUMBER},
	{"PARKED", "parked", FORM_NUMBER},
	{"SIGN-INS", "signins", FORM_NUMBER},
	{"FAILURES", "failures", FORM_NUMBER},
	{"REACHABLE", "reachable", FORM_YES},
	{"HEALTH", "health", FORM_TEXT},
	{"LAST FAILURE", "last_failure", FORM_TEXT},
	{"WHEN", "last_failure_ms", FORM_AGO},
	{"OFFERS BEFORE SIGN-IN", "offers", FORM_WORDS},
};
static const struct column users[] = {
	{"LOGIN", "login", FORM_TEXT},
	{"BACKEND", "backend", FORM_TEXT},
	{"SESSIONS", "sessions", FORM_NUMBER},
	{"ATTACHED", "attached", FORM_NUMBER},
	{"CONNECTIONS", "connections", FORM_NUMBER},
	{"PARKED", "parked", FORM_NUMBER},
	{"SIGNED IN AS", "user", FORM_TEXT},
};
/* clang-format on */

#define COLUMNS(array) .columns = (array), .count = sizeof(array) / sizeof *(array)

static const struct list_form {
	const struct column *columns;
	size_t count;
	const char *if_empty;
} lists[] = {
	[REQUEST_POOLS] = {COLUMNS(pools), "no backends"},
	[REQUEST_CLIENTS] = {COLUMNS(clients), "no clients"},
	[REQUEST_SESSIONS] = {COLUMNS(sessions), "no sessions"},
	[REQUEST_BACKENDS] = {COLUMNS(backends), "no backends"},
	[REQUEST_USERS] = {COLUMNS(users), "no users"},
};

/* "2 clean, 1 CONDSTORE QRESYNC" */
static void add_classes(struct table *t, const json_t *classes)
{
	struct buf text;
	size_t index;
	const json_t *class;
	bool fits = true;
	buf_init(&text, SHOW_TEXT_MAX);
	json_array_foreach((json_t *)(uintptr_t)classes, index, class)
	{
		const char *enabled = json_string_value(json_object_get(class, "enabled"));
		bool is_clean = enabled == NULL || enabled[0] == '\0';
		fits = fits &&
		       buf_addf(&text, "%s%lld %s", index > 0 ? ", " : "",
			       (long long)json_integer_value(json_object_get(class, "parked")),
			       is_clean ? "clean" : enabled);
	}
	fits = buf_add(&text, span_of("", 1)) && fits;
	table_add(t, fits ? (const char *)buf_peek(&text).p : "...");
	buf_finish(&text);
}

/* The words of a list; too many to be shown are cut. */
static void add_words(struct table *t, const json_t *words)
{
	struct buf text;
	size_t index;
	const json_t *word;
	bool fits = true;
	buf_init(&text, SHOW_TEXT_MAX);
	json_array_foreach((json_t *)(uintptr_t)words, index, word)
	{
		const char *value = json_string_value(word);
		fits = fits && buf_addf(&text, "%s%s", index > 0 ? " " : "", value);
	}
	fits = buf_add(&text, span_of("", 1)) && fits;
	table_add(t, fits ? (const char *)buf_peek(&text).p : "...");
	buf_finish(&text);
}

static void add_number(struct table *t, const json_t *value, enum form form)
{
	char value_text[TABLE_VALUE_MAX];
	char text[TABLE_VALUE_MAX + sizeof " ago"];
	uint64_t n = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
	switch (form) {
	case FORM_TIME:
		table_format_time(n, value_text);
		/* A wait of nothing is told without a unit. */
		snprintf(text, sizeof text, "%s", n > 0 ? value_text : "0");
		break;
	case FORM_AGO:
		table_format_time(n, value_text);
		snprintf(text, sizeof text, "%s ago", value_text);
		break;
	case FORM_SIZE:
		table_format_size(n, text);
		break;
	default:
		snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	}
	table_add(t, text);
}

static void add_rate(struct table *t, double rate)
{
	char text[TABLE_VALUE_MAX];
	table_format_rate(rate < 0 ? 0 : rate > 1 ? 1 : rate, text);
	table_add(t, text);
}

static void add_cell(struct table *t, const json_t *value, enum form form)
{
	if (form == FORM_CLASSES) {
		add_classes(t, value);
	} else if (form == FORM_WORDS) {
		add_words(t, value);
	} else if (form == FORM_YES && json_is_null(value)) {
		table_add(t, "unknown");
	} else if (form == FORM_YES) {
		table_add(t, json_is_true(value) ? "yes" : "no");
	} else if (form == FORM_RATE && json_is_number(value)) {
		add_rate(t, json_number_value(value));
	} else if (json_is_integer(value)) {
		add_number(t, value, form);
	} else {
		const char *text = json_string_value(value);
		table_add(t, text != NULL ? text : "");
	}
}

static bool is_text(enum form form)
{
	return form == FORM_TEXT || form == FORM_YES || form == FORM_CLASSES || form == FORM_WORDS;
}

static void print_list(const struct list_form *list, const json_t *rows, FILE *out)
{
	struct table_column titles[TABLE_COLUMNS_MAX];
	struct table t;
	if (json_array_size(rows) == 0) {
		fprintf(out, "%s\n", list->if_empty);
		return;
	}
	assert(list->count <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < list->count; i++) {
		enum form form = list->columns[i].form;
		titles[i] = (struct table_column){
			.title = list->columns[i].title, .is_right = !is_text(form)};
	}
	table_init(&t, titles, list->count);
	for (size_t row = 0; row < json_array_size(rows); row++) {
		for (size_t i = 0; i < list->count; i++) {
			const struct column *c = &list->columns[i];
			add_cell(&t, json_object_get(json_array_get(rows, row), c->key), c->form);
		}
	}
	table_print(&t, out);
	table_finish(&t);
}

/* The program that prints need not be the version that answered: unknown counters have no help. */
static const char *help_of(const char *counter)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (strcmp(counter_name((enum counter)i), counter) == 0) {
			return counter_help((enum counter)i);
		}
	}
	return "";
}

static void print_stats(const json_t *stats, FILE *out)
{
	static const struct table_column titles[] = {
		{"NAME", false}, {"VALUE", true}, {"MEANING", false}};
	char uptime[TABLE_VALUE_MAX];
	struct table t;
	const char *name;
	json_t *value;
	table_init(&t, titles, 3);
	table_format_time(
		(uint64_t)json_integer_value(json_object_get(stats, "uptime_ms")), uptime);
	table_add(&t, "uptime");
	table_add(&t, uptime);
	table_add(&t, "Since the start");
	table_add(&t, "clients");
	add_number(&t, json_object_get(stats, "clients"), FORM_NUMBER);
	table_add(&t, "Client connections now");
	json_object_foreach(json_object_get(stats, "counters"), name, value)
	{
		table_add(&t, name);
		add_number(&t, value, FORM_NUMBER);
		table_add(&t, help_of(name));
	}
	table_print(&t, out);
	table_finish(&t);
}

/* Settings that differ from their default are marked: those are what one looks for. */
static void print_config(const json_t *settings, FILE *out)
{
	static const struct table_column titles[] = {
		{"SETTING", false}, {"", false}, {"VALUE", false}};
	struct table t;
	table_init(&t, titles, 3);
	for (size_t i = 0; i < json_array_size(settings); i++) {
		const json_t *row = json_array_get(settings, i);
		add_cell(&t, json_object_get(row, "key"), FORM_TEXT);
		table_add(&t, json_is_true(json_object_get(row, "default")) ? " " : "*");
		add_cell(&t, json_object_get(row, "value"), FORM_TEXT);
	}
	table_print(&t, out);
	fputs("\n*  differs from the default\n", out);
	table_finish(&t);
}

static void print_version(const json_t *version, FILE *out)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)version, key, value)
	{
		char uptime[TABLE_VALUE_MAX];
		if (json_is_string(value)) {
			fprintf(out, "%s: ", key);
			table_print_text(json_string_value(value), out);
			fputc('\n', out);
		} else if (strcmp(key, "uptime_ms") == 0) {
			table_format_time((uint64_t)json_integer_value(value), uptime);
			fprintf(out, "uptime: %s\n", uptime);
		} else {
			fprintf(out, "%s: %lld\n", key, (long long)json_integer_value(value));
		}
	}
}

void show_answer(enum request_kind kind, const json_t *document, FILE *out)
{
	const json_t *shown = json_object_get(document, request_show_name(kind));
	switch (kind) {
	case REQUEST_STATS:
		print_stats(shown, out);
		break;
	case REQUEST_CONFIG:
		print_config(shown, out);
		break;
	case REQUEST_VERSION:
		print_version(shown, out);
		break;
	default:
		assert((size_t)kind < sizeof lists / sizeof *lists);
		print_list(&lists[kind], shown, out);
	}
}
