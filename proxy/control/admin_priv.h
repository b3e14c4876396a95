/*
 * What the two files of the admin socket share. Nobody else includes it.
 */
#ifndef IMAPMUX_CONTROL_ADMIN_PRIV_H
#define IMAPMUX_CONTROL_ADMIN_PRIV_H

#include "control/admin.h"
#include "control/request.h"
#include "net/stream.h"

/* READING <-> (ASKING ->) WRITING, all -> CLOSING. */
enum peer_state { PEER_READING, PEER_ASKING, PEER_WRITING, PEER_CLOSING };

/* An operator's connection. */
struct peer {
	struct list_node node; /* in admin->peers */
	struct admin *admin;
	enum peer_state state;
	struct stream *stream;
	uid_t uid;
	struct buf line; /* READING: what has come of it */
	struct wheel_timer silence;
	struct request request;       /* ASKING */
	uint64_t number;              /* ASKING: of the query */
	bool *has_answered;           /* ASKING: by worker */
	unsigned awaited;             /* ASKING: workers that have not answered */
	struct inspect_report report; /* ASKING: of those that have */
	char *answer;                 /* WRITING */
	size_t answer_len, written;
	bool is_last; /* WRITING: closes behind it */
};

struct admin {
	struct admin_options options;
	struct door door;
	struct listener *listener;
	struct list peers;
	uint64_t queries;
	uint64_t started_ms;
	bool *has_ended; /* by worker */
};

/* admin_peer.c. Takes over fd. */
void peer_create(struct admin *a, int fd, uid_t uid);
void peer_close(struct peer *p, uint64_t linger_ms);
/* What that worker had to say has been merged, or will never come. */
void peer_note_answer(struct peer *p, unsigned worker);

#endif
