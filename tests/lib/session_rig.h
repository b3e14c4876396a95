/*
 * Two session hosts on two loops, as two workers have them, with a fake server behind and clients before
 * them. All runs on the test's thread, so that every interleaving is the test's own.
 */
#ifndef IMAPMUX_LIB_SESSION_RIG_H
#define IMAPMUX_LIB_SESSION_RIG_H

#include "backend/pool.h"
#include "client/guard.h"
#include "lib/fake.h"
#include "lib/looper.h"
#include "session/session.h"

enum { SESSION_RIG_HOSTS = 2 };

/* Indexes of the listeners. */
enum { SESSION_RIG_PLAIN, SESSION_RIG_TLS };

struct session_rig {
	struct looper loopers[SESSION_RIG_HOSTS];
	struct session_host hosts[SESSION_RIG_HOSTS];
	struct counters counters[SESSION_RIG_HOSTS];
	int drained[SESSION_RIG_HOSTS];
	struct list parcels[SESSION_RIG_HOSTS]; /* on their way to the host */
	struct guard *guard;
	struct budget *budget;
	struct fake fake;
	unsigned generations;
	char users[SESSION_RIG_HOSTS][16]; /* names with that home */
	bool keeps_parcels;                /* they are not delivered */
};

/* Group set-up: keys, certificates. */
int session_rig_init(void **state);
int session_rig_fini(void **state);

/* The hosts begin under a configuration with the usual limits. unmake stops them: all must go. */
int session_rig_make(void **state);
int session_rig_unmake(void **state);

/* A generation with more settings ("limits = { line = 1000; };"); both hosts go on under it. */
void session_rig_renew(struct session_rig *r, const char *settings);

/* Turns of both loops, with parcels delivered in between, until it is so. */
void session_rig_until(struct session_rig *r, bool (*is_so)(void *arg), void *arg);
void session_rig_wait(struct session_rig *r, int *flag);
void session_rig_settle(struct session_rig *r);
void session_rig_jump(struct session_rig *r, uint64_t ms);

/* A client of the test's: a peer and what it has heard. */
struct caller {
	struct session_rig *rig;
	struct peer peer;
};

/* Connects to a host's listener. */
void caller_connect(struct caller *c, struct session_rig *r, unsigned host, size_t listener);
void caller_say(struct caller *c, const char *text);
/* Until what was heard ends so; forgotten then. */
void caller_hear(struct caller *c, const char *ending);
/* Until all that was heard is this; forgotten then. */
void caller_hear_exactly(struct caller *c, const char *text);
/* Until the stream has ended at the caller. */
void caller_hear_the_end(struct caller *c);
/* The greeting; then "a LOGIN user password" and its OK. */
void caller_greet(struct caller *c);
void caller_sign_in(struct caller *c, const char *user, const char *password);
/* Ends in order: the other side sees FIN. */
void caller_hang_up(struct caller *c);
void caller_finish(struct caller *c);

/* Connections over both pools in a state. */
size_t session_rig_count(const struct session_rig *r, enum backend_state state);
uint64_t session_rig_counted(const struct session_rig *r, enum counter which);

#endif
