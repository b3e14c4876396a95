/*
 * Stories of a session: what either side sends, and all that must come out. Each is told whole, byte by
 * byte, and split at every byte; the result must be the same.
 */
#ifndef TESTS_LIB_TRACKER_SCRIPT_H
#define TESTS_LIB_TRACKER_SCRIPT_H

#include "imap/tracker.h"

enum { SCRIPT_STEPS_MAX = 16 };

/* In all bytes "\x1e" stands for NUL. */
struct tracker_script {
	const char *name;
	/* "C:bytes" from the client, "S:bytes" from the server, "G" the client goes (it must be
	 * useful to go on), "g" the client goes (and leaves a useless connection). "W:class" the client
	 * waits for a connection of that class, "A:class" it gets one of this, "R:text" it is refused,
	 * "D" the connection is given back, "d" it cannot be. */
	const char *steps[SCRIPT_STEPS_MAX];
	const char *to_server, *to_client;
	const char *dirt;
	const char *enabled; /* NULL: empty */
	bool is_implicit;    /* CONDSTORE is on by use only */
	bool is_detached;    /* the story begins without a server connection */
	const char *mailbox; /* NULL: empty */
	enum tracker_selected selected;
	bool is_open;               /* true: something is left open */
	enum tracker_verdict ended; /* LOGOUT, FAILED; MORE (0): it goes on */
	enum fail failure;
	unsigned byes;
	const char *rest;         /* server input that was not taken */
	const char *capabilities; /* NULL: RIG_CAPABILITIES */
	size_t max_line;          /* 0: 64 KiB */
};

void tracker_script_check(const struct tracker_script *scripts, size_t count);

#endif
