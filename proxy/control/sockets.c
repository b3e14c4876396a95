#include "control/sockets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/listener.h"

static bool bind_place(struct socket_place *p, const struct config_listener *l, size_t workers,
	struct config_errors *errors)
{
	const char *why = "";
	p->fds = xcalloc(workers, sizeof *p->fds);
	int error = listener_bind(l, workers, p->fds, &why);
	if (error != 0) {
		free(p->fds);
		p->fds = NULL;
		config_errors_add(errors, l->place, "listeners.address",
			"cannot listen on %s: %s: %s", l->text, why, strerror(error));
		return false;
	}
	if (l->address.kind == ADDRESS_UNIX) {
		socket_file_remember(&p->file, l->address.path);
	}
	return true;
}

bool sockets_bind(struct sockets *s, const struct config *c, const size_t *kept_from,
	size_t workers, struct config_errors *errors)
{
	assert(workers > 0);
	bool all_good = true;
	*s = (struct sockets){.count = c->listener_count, .workers = workers};
	s->places = xcalloc(s->count, sizeof *s->places);
	for (size_t i = 0; i < s->count; i++) {
		struct socket_place *p = &s->places[i];
		p->kept_from = kept_from[i];
		p->mode = c->listeners[i].mode;
		if (p->kept_from == CONFIG_PLAN_NEW) {
			all_good = bind_place(p, &c->listeners[i], workers, errors) && all_good;
		}
	}
	if (!all_good) {
		sockets_finish(s);
	}
	return all_good;
}

void sockets_keep(struct sockets *s, struct sockets *before)
{
	for (size_t i = 0; i < s->count; i++) {
		struct socket_place *p = &s->places[i];
		if (p->kept_from == CONFIG_PLAN_NEW) {
			continue;
		}
		assert(p->kept_from < before->count);
		struct socket_place *from = &before->places[p->kept_from];
		socket_file_move(&p->file, &from->file);
		bool is_changed = p->mode != from->mode && socket_file_is_ours(&p->file);
		if (is_changed && chmod(p->file.path, p->mode) != 0) {
			log_say(LOG_WARN, "socket file keeps its mode", "%s: %s", p->file.path,
				strerror(errno));
		}
	}
}

void sockets_hand_out(struct sockets *s, size_t worker, struct message *renew)
{
	assert(worker < s->workers && renew->socket_count == s->count);
	for (size_t i = 0; i < s->count; i++) {
		struct socket_place *p = &s->places[i];
		renew->sockets[i].kept_from = p->kept_from;
		if (p->fds != NULL) {
			assert(p->fds[worker] >= 0);
			renew->sockets[i].fd = p->fds[worker];
			p->fds[worker] = -1;
		}
	}
}

static void close_place(struct socket_place *p, size_t workers)
{
	for (size_t i = 0; p->fds != NULL && i < workers; i++) {
		if (p->fds[i] >= 0) {
			close(p->fds[i]);
		}
	}
	free(p->fds);
	p->fds = NULL;
}

void sockets_finish(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		socket_file_remove(&s->places[i].file); /* the file first, see there */
		close_place(&s->places[i], s->workers);
	}
	free(s->places);
	*s = (struct sockets){0};
}
