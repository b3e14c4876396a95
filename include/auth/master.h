/*
 * Signing in at a server for a user whom the proxy has proved itself: a master user and his password.
 *
 * The server is told for whom either by the authorization identity of PLAIN (RFC 4616), or by a name of
 * the form "user*master" (Dovecot's auth_master_user_separator). Immutable once made; any thread.
 */
#ifndef IMAPMUX_AUTH_MASTER_H
#define IMAPMUX_AUTH_MASTER_H

#include "config/config.h"
#include "imap/credentials.h"

struct master {
	enum master_form form;
	const char *user, *separator; /* of the configuration; NULL: there is none */
	struct secret password;
};

/* Longest password in a file. */
#define MASTER_PASSWORD_MAX 1024

/* Reads the password file of a backend: its first line. False with lines in errors; a backend without
 * a master user is fine, and has none. b must outlive m. */
bool master_init(struct master *m, const struct config_backend *b, struct config_errors *errors);
void master_finish(struct master *m);

bool master_is_known(const struct master *m);

/*
 * What signs in as `login` at the server: PLAIN, with user the name that signs in. False: not possible: the
 * login holds the separator, and the server would take a part of it for another user's name.
 */
bool master_credentials(const struct master *m, struct span login, struct credentials *out);

#endif
