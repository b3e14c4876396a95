#include "control/sockets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/listener.h"

/* Which file it was that bind has made. The number stays taken while the socket is open. */
static void remember_file(struct socket_place *p, const struct config_listener *l)
{
	struct stat made;
	if (l->address.kind == ADDRESS_UNIX && lstat(l->address.path, &made) == 0) {
		p->path = xstrdup(l->address.path);
		p->device = made.st_dev;
		p->inode = made.st_ino;
	}
}

static bool is_ours(const struct socket_place *p)
{
	struct stat now;
	return lstat(p->path, &now) == 0 && now.st_dev == p->device && now.st_ino == p->inode;
}

static void remove_file(struct socket_place *p)
{
	struct stat now;
	if (p->path == NULL) {
		return;
	}
	bool is_ours =
		lstat(p->path, &now) == 0 && now.st_dev == p->device && now.st_ino == p->inode;
	if (is_ours && unlink(p->path) != 0) {
		/* Without rights in that folder after the change of user; the next start replaces it. */
		log_say(LOG_INFO, "socket file stays", "%s: %s", p->path, strerror(errno));
	}
	free(p->path);
	p->path = NULL;
}

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
	remember_file(p, l);
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
		assert(p->kept_from < before->count && p->path == NULL);
		struct socket_place *from = &before->places[p->kept_from];
		p->path = from->path;
		p->device = from->device;
		p->inode = from->inode;
		from->path = NULL;
		bool is_changed = p->path != NULL && p->mode != from->mode && is_ours(p);
		if (is_changed && chmod(p->path, p->mode) != 0) {
			log_say(LOG_WARN, "socket file keeps its mode", "%s: %s", p->path,
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
		/* The file first: once the socket is closed, another file may get its number. */
		remove_file(&s->places[i]);
		close_place(&s->places[i], s->workers);
	}
	free(s->places);
	*s = (struct sockets){0};
}
