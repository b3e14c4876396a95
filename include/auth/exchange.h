/*
 * One sign-in that the proxy judges itself, whatever the mechanism: begun with what the client sent first,
 * it asks, waits or decides.
 *
 *	auth_begin -> AUTH_MORE -> (client asked) -> auth_respond -> ...
 *	           -> AUTH_WAIT -> auth_work, on any thread -> auth_worked -> ...
 *	           -> AUTH_OK: auth_identity is proved | AUTH_NO | AUTH_PASS: a server is to judge
 *
 * Without I/O of its own but what Kerberos does inside auth_work. Belongs to one thread at a time: while
 * auth_work runs nobody else may touch it, not even to free it. Names of a password file are judged here,
 * names that are not in it by a server, where one can; a stranger's exchange looks and lasts like a user's.
 */
#ifndef IMAPMUX_AUTH_EXCHANGE_H
#define IMAPMUX_AUTH_EXCHANGE_H

#include "auth/store.h"

struct auth;

enum auth_verdict {
	AUTH_PASS, /* not judged here */
	AUTH_MORE, /* send auth_challenge, then auth_respond with the client's line */
	AUTH_WAIT, /* call auth_work, then auth_worked */
	AUTH_OK,   /* auth_identity is proved */
	AUTH_NO,   /* auth_reason tells why */
};

/* What is known of the client's connection. Used during auth_begin only. */
struct auth_facts {
	const char *const *names; /* of the client's certificate, in the field that names users */
	size_t name_count;
	bool can_relay; /* a server takes this mechanism from users who are not in the file */
};

/*
 * Begins. The credentials are what imap/preauth collected; they are only read, and copied where needed.
 * *out is made (for auth_destroy) unless AUTH_PASS is returned.
 */
enum auth_verdict auth_begin(struct auth_store *store, const struct credentials *credentials,
	const struct auth_facts *facts, struct auth **out);
void auth_destroy(struct auth **a);

/* After AUTH_MORE: what to send, base64, perhaps empty; and the answer to it, base64 as it came. */
struct span auth_challenge(const struct auth *a);
enum auth_verdict auth_respond(struct auth *a, struct span line);

/* After AUTH_WAIT. auth_work takes its time. */
void auth_work(struct auth *a);
enum auth_verdict auth_worked(struct auth *a);

/* After AUTH_OK: who it is, in the spelling of the password file where he stands in it. */
struct span auth_identity(const struct auth *a);

/* The user at hand, proved or not, for the log; empty: not known (yet). */
struct span auth_user(const struct auth *a);

/* After AUTH_NO: for the log only; never for the client, whom it would tell which users exist. */
const char *auth_reason(const struct auth *a);

/* True when this store could judge somebody by the mechanism (a certificate is another matter). */
bool auth_can_judge(const struct auth_store *store, enum mechanism m);

#endif
