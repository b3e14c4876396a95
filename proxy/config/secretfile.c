#include "config/secretfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

/* 0, or the errno value of what went wrong. Not through stdio, whose buffer nobody wipes. */
static int read_all(int fd, size_t most, struct secret *out)
{
	uint8_t *bytes = xmalloc(most);
	size_t n = 0;
	ssize_t got;
	do {
		got = read(fd, bytes + n, most - n);
		n += got > 0 ? (size_t)got : 0;
	} while (n < most && (got > 0 || (got < 0 && errno == EINTR)));
	int error = got < 0 ? errno : 0;
	if (error == 0) {
		secret_set(out, span_of(bytes, n));
	}
	secret_wipe(bytes, most);
	free(bytes);
	return error;
}

const char *secretfile_read(const char *name, size_t most, const char *warning, struct secret *out)
{
	struct stat st;
	assert(most > 0);
	/* Whatever it is, opening it neither waits nor takes a terminal. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		return strerrordesc_np(errno);
	}
	int error = read_all(fd, most, out);
	if (error == 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		log_say(LOG_WARN, warning, "%s", name);
	}
	close(fd);
	return error != 0 ? strerrordesc_np(error) : NULL;
}
