/*
 * Rows of servers: those of the configuration in its order, then those that a reload took away and that
 * still have connections.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "answer_priv.h"

static const char *const tls_names[] = {
	[TLS_NONE] = "none", [TLS_STARTTLS] = "starttls", [TLS_IMPLICIT] = "implicit"};

static size_t signing_in(const struct pool_server_row *row)
{
	return row->states[BACKEND_DIALING] + row->states[BACKEND_HANDSHAKE] +
	       row->states[BACKEND_SIGNIN] + row->states[BACKEND_ENABLING];
}

/* Open, or on the way to be. */
static size_t connections(const struct pool_server_row *row)
{
	size_t sum = 0;
	for (int s = 0; s < BACKEND_STATE_COUNT; s++) {
		sum += s != BACKEND_CLOSING ? row->states[s] : 0;
	}
	return sum;
}

static json_t *classes_of(const struct pool_server_row *row)
{
	json_t *classes = json_array();
	for (size_t i = 0; i < row->class_count; i++) {
		json_t *class = json_object();
		answer_set(class, "enabled", answer_text(row->classes[i].class));
		answer_set(class, "parked", answer_number(row->classes[i].parked));
		json_array_append_new(classes, class);
	}
	return classes;
}

static json_t *hit_rate(const struct pool_tally *t)
{
	uint64_t hits = t->count[POOL_EVENT_HIT];
	uint64_t all = hits + t->count[POOL_EVENT_MISS];
	return all > 0 ? json_real((double)hits / (double)all) : json_null();
}

static json_t *pool_row(const struct pool_server_row *row)
{
	json_t *r = json_object();
	answer_set(r, "backend", answer_text(row->server));
	answer_set(r, "active", answer_number(row->states[BACKEND_LENT]));
	answer_set(r, "waiting", answer_number(row->waiting));
	answer_set(r, "parked", answer_number(row->states[BACKEND_PARKED]));
	answer_set(r, "classes", classes_of(row));
	answer_set(r, "spare", answer_number(row->states[BACKEND_SPARE]));
	answer_set(r, "signing_in", answer_number(signing_in(row)));
	answer_set(r, "cleaning", answer_number(row->states[BACKEND_SCRUBBING]));
	answer_set(r, "hits", answer_number(row->tally.count[POOL_EVENT_HIT]));
	answer_set(r, "misses", answer_number(row->tally.count[POOL_EVENT_MISS]));
	answer_set(r, "hit_rate", hit_rate(&row->tally));
	answer_set(r, "longest_wait_ms", answer_number(row->longest_wait_ms));
	return r;
}

/* The rows that are there, in the order of the file; idle servers have none yet. */
static struct pool_server_row *row_of(struct inspect_report *report, const struct config_backend *b)
{
	return pool_report_server(&report->pool, span_str(b->name));
}

static bool is_configured(const struct config *c, const char *server)
{
	bool is_group = false;
	size_t index;
	return config_find_target(c, server, &is_group, &index) && !is_group;
}

json_t *answer_pools(struct inspect_report *report, const struct config *c)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < c->backend_count; i++) {
		json_array_append_new(rows, pool_row(row_of(report, &c->backends[i])));
	}
	for (size_t i = 0; i < report->pool.server_count; i++) {
		const struct pool_server_row *row = &report->pool.servers[i];
		if (!is_configured(c, row->server) && connections(row) > 0) {
			json_array_append_new(rows, pool_row(row));
		}
	}
	return rows;
}

/* The words of a list, one by one. */
static json_t *words_of(const char *list)
{
	json_t *words = json_array();
	struct span rest = span_str(list);
	while (rest.n > 0) {
		struct span word = span_take_until(&rest, " ");
		if (word.n > 0) {
			char *text = xmemdup0(word.p, word.n);
			json_array_append_new(words, answer_text(text));
			free(text);
		}
		(void)span_take(&rest, ' ');
	}
	return words;
}

/* Whether it could be reached the last time that anybody tried, and what it offered then. */
static void add_offer(json_t *r, const struct pool_server_row *row)
{
	bool is_known = row->offer != OFFER_UNKNOWN;
	answer_set(r, "reachable",
		is_known ? json_boolean(row->offer == OFFER_REACHABLE) : json_null());
	answer_set(r, "offers", row->offered != NULL ? words_of(row->offered) : json_null());
}

/* By the latest attempt of a user. */
static void add_health(json_t *r, const struct pool_tally *t)
{
	bool has_failed = t->count[POOL_EVENT_FAILED] > 0;
	bool has_worked = t->count[POOL_EVENT_UP] > 0;
	bool is_failing = has_failed && (!has_worked || t->last_ms[POOL_EVENT_FAILED] <
								t->last_ms[POOL_EVENT_UP]);
	const char *health = has_worked ? "ok" : "unknown";
	answer_set(r, "health", answer_text(is_failing ? "failing" : health));
	answer_set(r, "failures", answer_number(t->count[POOL_EVENT_FAILED]));
	answer_set(r, "last_failure", answer_text(has_failed ? fail_name(t->why) : NULL));
	answer_set(r, "last_failure_ms",
		has_failed ? answer_number(t->last_ms[POOL_EVENT_FAILED]) : json_null());
}

json_t *answer_backends(struct inspect_report *report, const struct config *c)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct config_backend *b = &c->backends[i];
		const struct pool_server_row *row = row_of(report, b);
		json_t *r = json_object();
		assert(b->tls <= TLS_IMPLICIT);
		answer_set(r, "name", answer_text(b->name));
		answer_set(r, "address", answer_text(b->address.text));
		answer_set(r, "tls", answer_text(tls_names[b->tls]));
		answer_set(r, "weight", answer_number(b->weight));
		answer_set(r, "connections", answer_number(connections(row)));
		answer_set(r, "active", answer_number(row->states[BACKEND_LENT]));
		answer_set(r, "parked", answer_number(row->states[BACKEND_PARKED]));
		answer_set(r, "signins", answer_number(row->tally.count[POOL_EVENT_UP]));
		add_offer(r, row);
		add_health(r, &row->tally);
		json_array_append_new(rows, r);
	}
	return rows;
}
