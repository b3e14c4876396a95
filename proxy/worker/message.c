#include "worker/message.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

static struct message *message_create(enum message_kind kind)
{
	struct message *m = xcalloc(1, sizeof *m);
	m->kind = kind;
	return m;
}

struct message *message_renew(struct generation *g)
{
	struct message *m = message_create(MESSAGE_RENEW);
	m->generation = generation_ref(g);
	m->socket_count = g->config->listener_count;
	m->sockets = xcalloc(m->socket_count, sizeof *m->sockets);
	for (size_t i = 0; i < m->socket_count; i++) {
		m->sockets[i] = (struct message_socket){.fd = -1, .kept_from = CONFIG_PLAN_NEW};
	}
	return m;
}

struct message *message_order(enum message_kind kind)
{
	assert(kind == MESSAGE_DRAIN || kind == MESSAGE_STOP || kind == MESSAGE_SCARCE);
	return message_create(kind);
}

struct message *message_query(uint64_t number, const struct inspect_query *q)
{
	struct message *m = message_create(MESSAGE_QUERY);
	m->number = number;
	inspect_query_init(&m->query, q->kind, q->server, q->who);
	return m;
}

struct message *message_report(enum message_kind kind, unsigned worker)
{
	assert(kind == MESSAGE_RENEWED || kind == MESSAGE_ANSWER || kind == MESSAGE_ENDED);
	struct message *m = message_create(kind);
	m->worker = worker;
	return m;
}

void message_destroy(struct message **m)
{
	struct message *old = *m;
	*m = NULL;
	if (old == NULL) {
		return;
	}
	assert(old->node.list == NULL); /* an inbox still holds it otherwise */
	for (size_t i = 0; i < old->socket_count; i++) {
		if (old->sockets[i].fd >= 0) {
			close(old->sockets[i].fd);
		}
	}
	free(old->sockets);
	inspect_query_finish(&old->query);
	inspect_report_finish(&old->report);
	generation_unref(&old->generation);
	free(old);
}

struct message *message_of(struct list_node *node)
{
	return LIST_OBJECT(node, struct message, node);
}
