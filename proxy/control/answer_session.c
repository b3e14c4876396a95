/*
 * Rows of clients, the oldest first; and of users, by server and name.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "answer_priv.h"
#include "base/alloc.h"

static int compare_ages(const void *a, const void *b)
{
	const struct inspect_client *x = a;
	const struct inspect_client *y = b;
	if (x->age_ms != y->age_ms) {
		return x->age_ms > y->age_ms ? -1 : 1;
	}
	return strcmp(x->id, y->id);
}

static void sort(struct inspect_report *report)
{
	if (report->client_count > 0) {
		qsort(report->clients, report->client_count, sizeof report->clients[0],
			compare_ages);
	}
}

static json_t *client_row(const struct inspect_client *c)
{
	json_t *r = json_object();
	answer_set(r, "id", answer_text(c->id));
	answer_set(r, "state", answer_text(c->state));
	answer_set(r, "user", answer_text(c->user));
	answer_set(r, "address", answer_text(c->peer.address));
	answer_set(r, "port", answer_text(c->peer.port));
	answer_set(r, "tls", answer_text(c->tls[0] != '\0' ? c->tls : "none"));
	answer_set(r, "listener", answer_text(c->listener));
	answer_set(r, "worker", answer_number(c->worker));
	answer_set(r, "age_ms", answer_number(c->age_ms));
	return r;
}

json_t *answer_clients(struct inspect_report *report)
{
	json_t *rows = json_array();
	sort(report);
	for (size_t i = 0; i < report->client_count; i++) {
		json_array_append_new(rows, client_row(&report->clients[i]));
	}
	return rows;
}

static json_t *session_row(const struct inspect_client *c)
{
	json_t *r = json_object();
	answer_set(r, "id", answer_text(c->id));
	answer_set(r, "user", answer_text(c->user));
	answer_set(r, "login", answer_text(c->login));
	answer_set(r, "backend", answer_text(c->server));
	answer_set(r, "connection", answer_text(c->is_pooled ? "pooled" : "new"));
	answer_set(r, "attached", json_boolean(c->is_attached));
	answer_set(r, "address", answer_text(c->peer.address));
	answer_set(r, "worker", answer_number(c->worker));
	answer_set(r, "bytes_to_client", answer_number(c->bytes_to_client));
	answer_set(r, "bytes_to_server", answer_number(c->bytes_to_server));
	answer_set(r, "idle_ms", answer_number(c->idle_ms));
	answer_set(r, "age_ms", answer_number(c->session_ms));
	return r;
}

json_t *answer_sessions(struct inspect_report *report)
{
	json_t *rows = json_array();
	sort(report);
	for (size_t i = 0; i < report->client_count; i++) {
		if (report->clients[i].is_signed_in) {
			json_array_append_new(rows, session_row(&report->clients[i]));
		}
	}
	return rows;
}

/* A user at a server. Text belongs to the report. */
struct user_row {
	const char *server, *login;
	const char *user; /* as a client called himself; NULL: nobody is signed in */
	size_t sessions, attached, connections, parked;
};

static int compare_users(const void *a, const void *b)
{
	const struct user_row *x = a;
	const struct user_row *y = b;
	int by_login = strcmp(x->login, y->login);
	return by_login != 0 ? by_login : strcmp(x->server, y->server);
}

/* One row for each connection and each session, not added up yet. */
static size_t gather(const struct inspect_report *report, struct user_row *rows)
{
	size_t count = 0;
	for (size_t i = 0; i < report->pool.user_count; i++) {
		const struct pool_user_row *u = &report->pool.users[i];
		rows[count++] = (struct user_row){.server = u->server,
			.login = u->login,
			.connections = u->connections,
			.parked = u->parked};
	}
	for (size_t i = 0; i < report->client_count; i++) {
		const struct inspect_client *c = &report->clients[i];
		if (c->is_signed_in) {
			rows[count++] = (struct user_row){.server = c->server,
				.login = c->login,
				.user = c->user,
				.sessions = 1,
				.attached = c->is_attached};
		}
	}
	return count;
}

static void add_up(struct user_row *to, const struct user_row *from)
{
	to->user = to->user != NULL ? to->user : from->user;
	to->sessions += from->sessions;
	to->attached += from->attached;
	to->connections += from->connections;
	to->parked += from->parked;
}

static json_t *user_row(const struct user_row *u)
{
	json_t *r = json_object();
	answer_set(r, "login", answer_text(u->login));
	answer_set(r, "user", answer_text(u->user));
	answer_set(r, "backend", answer_text(u->server));
	answer_set(r, "sessions", answer_number(u->sessions));
	answer_set(r, "attached", answer_number(u->attached));
	answer_set(r, "connections", answer_number(u->connections));
	answer_set(r, "parked", answer_number(u->parked));
	return r;
}

json_t *answer_users(struct inspect_report *report)
{
	json_t *rows = json_array();
	struct user_row *users =
		xcalloc(report->pool.user_count + report->client_count, sizeof users[0]);
	size_t count = gather(report, users);
	if (count > 0) {
		qsort(users, count, sizeof users[0], compare_users);
	}
	for (size_t i = 0; i < count;) {
		struct user_row sum = users[i++];
		while (i < count && compare_users(&sum, &users[i]) == 0) {
			add_up(&sum, &users[i++]);
		}
		json_array_append_new(rows, user_row(&sum));
	}
	free(users);
	return rows;
}
