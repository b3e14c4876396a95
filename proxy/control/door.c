#include "control/door.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "config/schema.h"
#include "net/listener.h"

#define DOOR_KEY "admin.socket"

static bool is_default(const char *path)
{
	return strcmp(path, schema_find(DOOR_KEY)->initial) == 0;
}

/* The user that the process is to become, when root binds for him. False: he stays who he is. */
static bool find_owner(const char *user, uid_t *uid)
{
	uint64_t number;
	struct span s = span_str(user);
	if (geteuid() != 0 || user[0] == '\0') {
		return false;
	}
	if (span_take_number(&s, &number) && s.n == 0) {
		*uid = (uid_t)number;
		return true;
	}
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL) {
		return false; /* privileges_drop complains */
	}
	*uid = entry->pw_uid;
	return true;
}

static void give_away(const struct door *d, const char *user)
{
	uid_t uid;
	/* Without the right to do it, root alone is let in. */
	if (find_owner(user, &uid) && lchown(d->file.path, uid, (gid_t)-1) != 0) {
		log_say(LOG_INFO, "admin socket is for root only", "%s", d->file.path);
	}
}

static bool complain(
	const struct config *c, const char *why, const char *error, struct config_errors *errors)
{
	if (is_default(c->admin_socket)) {
		log_say(LOG_WARN, "no admin socket", "%s: %s: %s", c->admin_socket, why, error);
		return true;
	}
	config_errors_add(errors, c->admin_socket_place, DOOR_KEY, "cannot listen on %s: %s: %s",
		c->admin_socket, why, error);
	return false;
}

bool door_bind(struct door *d, const struct config *c, const struct door *now,
	struct config_errors *errors)
{
	const char *path = c->admin_socket;
	const char *why = "";
	*d = (struct door){.fd = -1};
	if (path[0] == '\0') {
		return true;
	}
	if (now != NULL && now->file.path != NULL && strcmp(now->file.path, path) == 0) {
		d->is_kept = true;
		return true;
	}
	assert(path[0] == '/'); /* config/check.c */
	struct config_listener where = {
		.address = {.kind = ADDRESS_UNIX, .path = c->admin_socket}, .mode = 0600};
	int error = listener_bind(&where, 1, &d->fd, &why);
	if (error != 0) {
		return complain(c, why, strerror(error), errors);
	}
	socket_file_remember(&d->file, path);
	if (d->file.path != NULL) {
		give_away(d, c->user);
	}
	return true;
}

void door_finish(struct door *d)
{
	socket_file_remove(&d->file);
	if (d->fd >= 0) {
		close(d->fd);
	}
	*d = (struct door){.fd = -1};
}
