/*
 * Who may come in, and the way of the workers' answers to those who wait for them (admin_peer.c).
 */
#include "admin_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "control/answer.h"
#include "net/listener.h"

/* Answers of workers. */

void admin_on_answer(struct admin *a, struct message *m)
{
	LIST_FOREACH_SAFE(node, &a->peers)
	{
		struct peer *p = LIST_OBJECT(node, struct peer, node);
		if (p->state == PEER_ASKING && p->number == m->number) {
			inspect_report_merge(&p->report, &m->report);
			peer_note_answer(p, m->worker);
			return;
		}
	}
}

void admin_on_worker_ended(struct admin *a, unsigned worker)
{
	assert(worker < a->options.now->worker_count);
	a->has_ended[worker] = true;
	LIST_FOREACH_SAFE(node, &a->peers)
	{
		peer_note_answer(LIST_OBJECT(node, struct peer, node), worker);
	}
}

/* The door. */

/* A line that fits into any empty socket: nobody is waited for. */
static void turn_away(int fd, const char *why)
{
	char *text = answer_error(why);
	ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent;
	free(text);
	close(fd);
}

static bool may_enter(int fd, uid_t *uid)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t size = sizeof who;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
		return false;
	}
	*uid = who.uid;
	return who.uid == 0 || who.uid == geteuid();
}

static void on_accept(void *owner, int fd)
{
	struct admin *a = owner;
	uid_t uid = (uid_t)-1;
	if (!may_enter(fd, &uid)) {
		log_say(LOG_WARN, "admin connection refused", "uid %u", (unsigned)uid);
		turn_away(fd, "not allowed: only root and the user that imapmux runs as");
		return;
	}
	if (a->peers.len >= ADMIN_CONNECTIONS_MAX) {
		turn_away(fd, "too many admin connections");
		return;
	}
	peer_create(a, fd, uid);
}

struct admin *admin_create(const struct admin_options *options)
{
	struct admin *a = xcalloc(1, sizeof *a);
	a->options = *options;
	a->door.fd = -1;
	a->started_ms = net_loop_now(options->loop);
	return a;
}

static void close_door(struct admin *a)
{
	/* The file first, see control/socket_file. */
	door_finish(&a->door);
	listener_stop(&a->listener);
}

void admin_listen(struct admin *a, struct door *d)
{
	if (d->is_kept) {
		assert(a->listener != NULL && d->fd < 0);
		return;
	}
	close_door(a);
	if (a->has_ended == NULL) {
		a->has_ended = xcalloc(a->options.now->worker_count, sizeof *a->has_ended);
	}
	if (d->fd >= 0) {
		a->listener = listener_start(a->options.loop, d->fd, on_accept, a);
		d->fd = -1; /* the listener's, also when it failed */
		socket_file_move(&a->door.file, &d->file);
	}
	if (a->listener == NULL) {
		socket_file_remove(&a->door.file);
	}
}

const struct door *admin_door(const struct admin *a)
{
	return &a->door;
}

void admin_stop(struct admin *a)
{
	close_door(a);
	LIST_FOREACH_SAFE(node, &a->peers)
	{
		peer_close(LIST_OBJECT(node, struct peer, node), 0);
	}
}

void admin_destroy(struct admin **admin)
{
	struct admin *a = *admin;
	*admin = NULL;
	if (a == NULL) {
		return;
	}
	assert(a->listener == NULL && a->peers.len == 0);
	free(a->has_ended);
	free(a);
}
