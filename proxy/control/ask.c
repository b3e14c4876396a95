#include "control/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/schema.h"
#include "control/command_check.h"
#include "control/control.h"
#include "control/request.h"

/* Read at once. */
#define ASK_PIECE 65536

static int fail(const char *path, const char *why, const char *hint)
{
	fprintf(stderr, "imapmux: %s: %s%s\n", path, why, hint);
	return CONTROL_FAILED;
}

/* The path that the configuration names. A file with errors still tells: the running proxy may have read a
 * better one, and where it listens is all that is asked. */
static int find_in_config(const char *file, char **path)
{
	struct config_errors errors = {0};
	struct config *c = config_load_to_check(file, &errors);
	int status = CONTROL_OK;
	if (c == NULL) {
		command_print_errors(&errors);
		status = CONTROL_INVALID;
	} else if (c->admin_socket[0] == '\0') {
		fprintf(stderr, "imapmux: %s: admin.socket is empty: it is switched off\n", file);
		status = CONTROL_INVALID;
	} else {
		*path = xstrdup(c->admin_socket);
	}
	config_unref(&c);
	config_errors_finish(&errors);
	return status;
}

static int find_socket(const struct command_admin *a, char **path)
{
	if (a->socket == NULL && a->config != NULL) {
		return find_in_config(a->config, path);
	}
	*path = xstrdup(a->socket != NULL ? a->socket : schema_find("admin.socket")->initial);
	return CONTROL_OK;
}

static const char *hint_for(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return " (is imapmux running?)";
	case EACCES:
		return " (only root and the user that imapmux runs as may connect)";
	default:
		return "";
	}
}

static int open_socket(const char *path, int *fd)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ASK_PATIENCE_S};
	if (strlen(path) >= sizeof to.sun_path) {
		return fail(path, "path too long", "");
	}
	memcpy(to.sun_path, path, strlen(path));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
		setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
		connect(s, (const struct sockaddr *)&to, sizeof to) != 0) {
		int error = errno;
		if (s >= 0) {
			close(s);
		}
		return fail(path, strerror(error), hint_for(error));
	}
	*fd = s;
	return CONTROL_OK;
}

static int send_request(int fd, const char *path, const char *const *words, size_t count)
{
	struct buf line;
	buf_init(&line, (size_t)2 * REQUEST_LINE_MAX);
	if (!request_write(&line, words, count)) {
		buf_finish(&line);
		fputs("imapmux: a name is too long, or has control characters in it\n", stderr);
		return CONTROL_INVALID;
	}
	struct span out = buf_peek(&line);
	ssize_t sent = send(fd, out.p, out.n, MSG_NOSIGNAL);
	bool is_sent = sent == (ssize_t)out.n;
	/* Who is turned away is told so before he has said anything: the answer counts. */
	int error = sent < 0 ? errno : 0;
	buf_finish(&line);
	return is_sent || error == EPIPE || error == ECONNRESET ? CONTROL_OK
								: fail(path, strerror(error), "");
}

static int read_answer(int fd, const char *path, struct buf *answer)
{
	for (;;) {
		uint8_t *to = buf_reserve(answer, ASK_PIECE);
		if (to == NULL) {
			return fail(path, "the answer is too long", "");
		}
		ssize_t n = recv(fd, to, ASK_PIECE, 0);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			bool is_late = errno == EAGAIN || errno == EWOULDBLOCK;
			return fail(path, is_late ? "no answer in time" : strerror(errno), "");
		}
		if (n == 0) {
			return fail(path, "closed before it had answered", "");
		}
		buf_commit(answer, (size_t)n);
		if (to[n - 1] == '\n') {
			return CONTROL_OK;
		}
	}
}

int ask_proxy(
	const struct command_admin *a, const char *const *words, size_t count, struct buf *answer)
{
	char *path = NULL;
	int fd = -1;
	int status = find_socket(a, &path);
	if (status == CONTROL_OK) {
		status = open_socket(path, &fd);
	}
	if (status == CONTROL_OK) {
		status = send_request(fd, path, words, count);
	}
	if (status == CONTROL_OK) {
		status = read_answer(fd, path, answer);
	}
	if (fd >= 0) {
		close(fd);
	}
	free(path);
	return status;
}
