#include "control/socket_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

void socket_file_remember(struct socket_file *f, const char *path)
{
	struct stat made;
	assert(f->path == NULL);
	if (lstat(path, &made) == 0) {
		f->path = xstrdup(path);
		f->device = made.st_dev;
		f->inode = made.st_ino;
	}
}

bool socket_file_is_ours(const struct socket_file *f)
{
	struct stat now;
	return f->path != NULL && lstat(f->path, &now) == 0 && now.st_dev == f->device &&
	       now.st_ino == f->inode;
}

void socket_file_remove(struct socket_file *f)
{
	if (socket_file_is_ours(f) && unlink(f->path) != 0) {
		/* Without rights in that folder after the change of user; the next start replaces it. */
		log_say(LOG_INFO, "socket file stays", "%s: %s", f->path, strerror(errno));
	}
	free(f->path);
	*f = (struct socket_file){0};
}

void socket_file_move(struct socket_file *to, struct socket_file *from)
{
	assert(to->path == NULL);
	*to = *from;
	*from = (struct socket_file){0};
}
