/*
 * Which user a Kerberos principal is. Pure, any thread.
 *
 * alice@EXAMPLE.ORG is "alice", or "alice@example.org" where users have addresses. Only people of the
 * service's own realm: alice of a realm that ours trusts is somebody else. Only one component: alice/admin
 * is not alice.
 */
#ifndef IMAPMUX_AUTH_PRINCIPAL_H
#define IMAPMUX_AUTH_PRINCIPAL_H

#include "base/secret.h"
#include "config/config.h"

/* Names longer than this are nobody's. */
#define PRINCIPAL_USER_MAX 1024

/* client and service as Kerberos prints them. False with a static explanation: nobody whom we know. */
bool principal_user(struct span client, struct span service, enum gssapi_user form,
	struct secret *out, const char **why);

#endif
