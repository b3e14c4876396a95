/*
 * A tracker between two scripted peers, as the relay drives it: client input that is not taken waits
 * and is fed again. All output is kept.
 */
#ifndef TESTS_LIB_TRACKER_RIG_H
#define TESTS_LIB_TRACKER_RIG_H

#include "imap/tracker.h"

struct tracker_rig {
	struct tracker *t;
	struct buf to_server, to_client;
	struct buf waiting;         /* client input behind BLOCKED or ATTACH */
	struct buf rest;            /* server input behind LOGOUT or FAILED */
	enum tracker_verdict ended; /* LOGOUT or FAILED, once it came; else MORE */
	bool is_gone;
	bool is_wanting; /* ATTACH came */
	bool is_detached;
	unsigned byes; /* SERVER_BYE verdicts */
};

#define RIG_PROXY_TAG    "Px0123456789abcdef."
#define RIG_SERVER_ID    "(\"name\" \"Dovecot\")"
#define RIG_CAPABILITIES "IMAP4rev1 LITERAL+ ID IDLE UNSELECT STARTTLS COMPRESS=DEFLATE"

void tracker_rig_init(struct tracker_rig *rig, size_t max_line, const char *capabilities);
/* The same without a server connection. */
void tracker_rig_init_detached(struct tracker_rig *rig, size_t max_line, const char *capabilities);
void tracker_rig_finish(struct tracker_rig *rig);

/* After ATTACH: a connection of the class, or a refusal; what waited is fed. */
void tracker_rig_attach(struct tracker_rig *rig, struct span enabled, const char *capabilities);
void tracker_rig_detach(struct tracker_rig *rig);
void tracker_rig_refuse(struct tracker_rig *rig, const char *text);

/* Input in pieces: the first of `first` bytes, then of `step` each. Ignored after the end. */
void tracker_rig_client(struct tracker_rig *rig, struct span in, size_t first, size_t step);
void tracker_rig_server(struct tracker_rig *rig, struct span in, size_t first, size_t step);

/* The client's connection ends; what waits is dropped. */
bool tracker_rig_gone(struct tracker_rig *rig);

#endif
