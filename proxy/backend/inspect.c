/*
 * The pool as rows. Connections are counted where they are, so that the numbers cannot drift; the rows of
 * users are made one a connection, sorted and added up, which stays cheap with thousands of them.
 */
#include "backend/inspect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backend/budget.h"
#include "base/alloc.h"
#include "user_priv.h"

/* Notes. */

/* The tally of one server; lives as long as the pool. As many as names were ever configured. */
struct pool_note {
	struct list_node node; /* in pool->notes */
	char *server;
	struct pool_tally tally;
};

static struct pool_note *find_note(const struct pool *p, const char *server)
{
	for (struct list_node *node = p->notes.first; node != NULL; node = node->next) {
		struct pool_note *n = LIST_OBJECT(node, struct pool_note, node);
		if (strcmp(n->server, server) == 0) {
			return n;
		}
	}
	return NULL;
}

void pool_note(struct pool *p, const char *server, enum pool_event event, enum fail why)
{
	struct pool_note *n = find_note(p, server);
	assert(event < POOL_EVENT_COUNT && (why == FAIL_NONE || event == POOL_EVENT_FAILED));
	if (n == NULL) {
		n = xcalloc(1, sizeof *n);
		n->server = xstrdup(server);
		list_push_back(&p->notes, &n->node);
	}
	n->tally.count[event]++;
	n->tally.last_ms[event] = net_loop_now(p->loop);
	if (event == POOL_EVENT_FAILED) {
		n->tally.why = why;
	}
}

void pool_notes_finish(struct pool *p)
{
	while (p->notes.first != NULL) {
		struct pool_note *n = LIST_OBJECT(p->notes.first, struct pool_note, node);
		list_remove(&n->node);
		free(n->server);
		free(n);
	}
}

/* Rows of servers. */

struct pool_server_row *pool_report_server(struct pool_report *r, struct span name)
{
	for (size_t i = 0; i < r->server_count; i++) {
		if (span_is(name, r->servers[i].server)) {
			return &r->servers[i];
		}
	}
	r->servers = xrealloc(r->servers, (r->server_count + 1) * sizeof r->servers[0]);
	struct pool_server_row *row = &r->servers[r->server_count++];
	*row = (struct pool_server_row){.server = xmemdup0(name.p, name.n)};
	return row;
}

static void add_class(struct pool_server_row *row, struct span class, size_t parked)
{
	for (size_t i = 0; i < row->class_count; i++) {
		if (span_is(class, row->classes[i].class)) {
			row->classes[i].parked += parked;
			return;
		}
	}
	row->classes = xrealloc(row->classes, (row->class_count + 1) * sizeof row->classes[0]);
	row->classes[row->class_count++] =
		(struct pool_class_row){.class = xmemdup0(class.p, class.n), .parked = parked};
}

static void add_connection(struct pool_report *r, const struct backend *b)
{
	struct pool_server_row *row = pool_report_server(r, span_str(b->server->name));
	row->states[b->state]++;
	if (b->state == BACKEND_PARKED) {
		add_class(row, buf_peek(&b->enabled), 1);
	}
}

static void add_note(const struct pool *p, struct pool_report *r, const struct pool_note *n)
{
	struct pool_server_row *row = pool_report_server(r, span_str(n->server));
	row->tally = n->tally;
	for (int e = 0; e < POOL_EVENT_COUNT; e++) {
		if (n->tally.count[e] > 0) {
			row->tally.last_ms[e] = net_loop_now(p->loop) - n->tally.last_ms[e];
		}
	}
}

static void add_offer(struct pool_report *r, const struct pool_server *s)
{
	struct pool_server_row *row = pool_report_server(r, span_str(s->name));
	struct buf list;
	buf_init(&list, SIGNIN_MAX_LINE);
	row->offer = offer_read(budget_offer(s->place), &list);
	if (buf_len(&list) > 0 && row->offered == NULL) {
		row->offered = xmemdup0(buf_peek(&list).p, buf_len(&list));
	}
	buf_finish(&list);
}

/* Workers know the same, but one may have been asked before it was learnt, or reloaded. */
static void merge_offer(struct pool_server_row *to, const struct pool_server_row *from)
{
	if (to->offer == OFFER_UNKNOWN) {
		to->offer = from->offer;
	}
	if (to->offered == NULL && from->offered != NULL) {
		to->offered = xstrdup(from->offered);
	}
}

static void merge_tally(struct pool_tally *to, const struct pool_tally *from)
{
	for (int e = 0; e < POOL_EVENT_COUNT; e++) {
		bool is_later = from->count[e] > 0 &&
				(to->count[e] == 0 || from->last_ms[e] < to->last_ms[e]);
		to->count[e] += from->count[e];
		if (is_later) {
			to->last_ms[e] = from->last_ms[e];
			to->why = e == POOL_EVENT_FAILED ? from->why : to->why;
		}
	}
}

static void merge_server(struct pool_server_row *to, const struct pool_server_row *from)
{
	for (int s = 0; s < BACKEND_STATE_COUNT; s++) {
		to->states[s] += from->states[s];
	}
	for (size_t i = 0; i < from->class_count; i++) {
		add_class(to, span_str(from->classes[i].class), from->classes[i].parked);
	}
	to->waiting += from->waiting;
	if (from->longest_wait_ms > to->longest_wait_ms) {
		to->longest_wait_ms = from->longest_wait_ms;
	}
	merge_tally(&to->tally, &from->tally);
	merge_offer(to, from);
}

/* Rows of users. */

static int compare_users(const void *a, const void *b)
{
	const struct pool_user_row *x = a;
	const struct pool_user_row *y = b;
	int by_server = strcmp(x->server, y->server);
	return by_server != 0 ? by_server : strcmp(x->login, y->login);
}

/* Sorts, then adds up what is of the same user. */
static void fold_users(struct pool_report *r)
{
	size_t kept = 0;
	if (r->user_count == 0) {
		return;
	}
	qsort(r->users, r->user_count, sizeof r->users[0], compare_users);
	for (size_t i = 1; i < r->user_count; i++) {
		struct pool_user_row *last = &r->users[kept];
		struct pool_user_row *u = &r->users[i];
		if (compare_users(last, u) != 0) {
			r->users[++kept] = *u;
			continue;
		}
		last->connections += u->connections;
		last->lent += u->lent;
		last->parked += u->parked;
		free(u->server);
		free(u->login);
	}
	r->user_count = kept + 1;
}

static void add_user(struct pool_report *r, const struct backend *b)
{
	struct span login = user_login(b->user);
	r->users[r->user_count++] = (struct pool_user_row){
		.server = xstrdup(b->server->name),
		.login = xmemdup0(login.p, login.n),
		.connections = 1,
		.lent = b->state == BACKEND_LENT,
		.parked = b->state == BACKEND_PARKED,
	};
}

static size_t count_all(const struct pool *p)
{
	size_t count = 0;
	for (int s = 0; s < BACKEND_STATE_COUNT; s++) {
		count += p->states[s].len;
	}
	return count;
}

void pool_inspect(const struct pool *p, bool with_users, struct pool_report *out)
{
	assert(out->server_count == 0 && out->user_count == 0);
	if (with_users) {
		out->users = xcalloc(count_all(p), sizeof out->users[0]);
	}
	for (int s = 0; s < BACKEND_STATE_COUNT; s++) {
		for (struct list_node *n = p->states[s].first; n != NULL; n = n->next) {
			const struct backend *b = LIST_OBJECT(n, struct backend, node);
			add_connection(out, b);
			if (with_users && b->capabilities != NULL && b->user != NULL) {
				add_user(out, b);
			}
		}
	}
	for (struct list_node *n = p->servers.first; n != NULL; n = n->next) {
		const struct pool_server *s = LIST_OBJECT(n, struct pool_server, node);
		if (s->config != NULL) {
			add_offer(out, s);
		}
	}
	for (struct list_node *n = p->notes.first; n != NULL; n = n->next) {
		add_note(p, out, LIST_OBJECT(n, struct pool_note, node));
	}
	fold_users(out);
}

bool loan_is_waiting(const struct loan *l)
{
	return !l->is_ready && l->backend == NULL;
}

/* Flush. */

struct pool_flushed pool_flush(struct pool *p, const char *server, const char *login)
{
	struct pool_flushed done = users_flush(p, server, login);
	done.connections += login == NULL ? spares_flush(p, server) : 0;
	return done;
}

/* Reports. */

void pool_report_merge(struct pool_report *to, const struct pool_report *from)
{
	for (size_t i = 0; i < from->server_count; i++) {
		struct span name = span_str(from->servers[i].server);
		merge_server(pool_report_server(to, name), &from->servers[i]);
	}
	if (from->user_count == 0) {
		return;
	}
	size_t count = to->user_count + from->user_count;
	to->users = xrealloc(to->users, count * sizeof to->users[0]);
	for (size_t i = 0; i < from->user_count; i++) {
		struct pool_user_row *u = &to->users[to->user_count++];
		*u = from->users[i];
		u->server = xstrdup(u->server);
		u->login = xstrdup(u->login);
	}
	fold_users(to);
}

void pool_report_finish(struct pool_report *r)
{
	for (size_t i = 0; i < r->server_count; i++) {
		for (size_t k = 0; k < r->servers[i].class_count; k++) {
			free(r->servers[i].classes[k].class);
		}
		free(r->servers[i].classes);
		free(r->servers[i].offered);
		free(r->servers[i].server);
	}
	for (size_t i = 0; i < r->user_count; i++) {
		free(r->users[i].server);
		free(r->users[i].login);
	}
	free(r->servers);
	free(r->users);
	*r = (struct pool_report){0};
}
