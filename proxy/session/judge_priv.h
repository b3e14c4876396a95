/*
 * Sign-ins that end at the proxy (judge.c), for the files of this folder.
 */
#ifndef IMAPMUX_SESSION_JUDGE_PRIV_H
#define IMAPMUX_SESSION_JUDGE_PRIV_H

#include "session_priv.h"

/* What the client may sign in with, as MECHANISM_BIT: what the listener names and what can work. */
unsigned session_mechanisms(void *owner);

/* Takes the credentials that are complete. False: a server is to judge, nothing was begun. */
bool session_judge(struct session *s);

/* The client's answer to a challenge; only while s->auth is not NULL. */
void session_judge_response(struct session *s, struct span line);

/* Ends what is under way; nothing may be. */
void session_judge_end(struct session *s);

/* admission.c: of a client who would have to say more. While the worker drains he is told BYE instead, the
 * session is ended, and this is true. */
bool session_leave_if_draining(struct session *s);

/* Of a verified user with a route: s->credentials become those of the master user, by the newest
 * configuration that has this server. False: there is none, or none that could sign in as him. */
bool session_use_master(struct session *s);

/* Of a session that was signed in so and needs another connection: the master user may have another
 * password by now, and the session's own generation does not know it. */
void session_renew_master(struct session *s);

#endif
