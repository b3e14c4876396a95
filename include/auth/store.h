/*
 * Everything that one reading of the configuration made ready for sign-ins that end at the proxy: the
 * password file, the Kerberos keys, the master users.
 *
 * Built on the main thread, then immutable and counted: a part of the generation, held as well by each
 * exchange under way, so that a thread that still hashes a password finds what it works on.
 */
#ifndef IMAPMUX_AUTH_STORE_H
#define IMAPMUX_AUTH_STORE_H

#include "auth/master.h"
#include "auth/passtable.h"
#include "base/hash.h"

struct gss_acceptor;

struct auth_store {
	_Atomic unsigned refs;
	struct passtable *users;  /* NULL: no password file */
	struct gss_acceptor *gss; /* NULL: no keytab */
	enum gssapi_user gssapi_user;
	enum client_user client_user;
	unsigned *mechanisms;   /* by listener index: those it names, of MECHANISM_BIT */
	struct master *masters; /* by backend index */
	size_t master_count;
};

/* Reads the files; what cannot be read is said in errors, and the rest is read all the same. NULL: there
 * were errors. c must outlive it. */
struct auth_store *auth_store_create(const struct config *c, struct config_errors *errors);

/* Any thread. unref nulls; NULL inside is fine. */
struct auth_store *auth_store_ref(struct auth_store *s);
void auth_store_unref(struct auth_store **s);

/* The master user of a backend; NULL: it has none. */
const struct master *auth_store_master(const struct auth_store *s, size_t backend);

/*
 * A key that never leaves the process, for answers to strangers that look like those to users: the same
 * name gets the same salt each time, until a restart.
 */
struct hash_key auth_store_disguise(void);

#endif
