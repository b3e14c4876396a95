/*
 * The tags of commands that were sent and not yet answered: a set, not a queue, for commands may end
 * out of order (POOLING.md section 8). Memory grows with what a client pipelines, up to the bound.
 */
#ifndef IMAPMUX_IMAP_IN_FLIGHT_PRIV_H
#define IMAPMUX_IMAP_IN_FLIGHT_PRIV_H

#include "base/span.h"
#include "imap/command.h"
#include "imap/tracker.h"

/* The commands whose end changes something here. */
enum in_flight_kind {
	IN_FLIGHT_OTHER,
	IN_FLIGHT_SELECT,   /* SELECT, EXAMINE */
	IN_FLIGHT_DESELECT, /* CLOSE, UNSELECT */
	IN_FLIGHT_ENABLE,
};

struct in_flight {
	uint8_t *data; /* records: length of the tag, kind and bits, tag */
	uint16_t used, room;
	uint8_t count;
	uint8_t selecting; /* how many of them change the selection */
	uint8_t enabling;  /* how many are ENABLE */
};

void in_flight_finish(struct in_flight *f);
bool in_flight_has(const struct in_flight *f, struct span tag);

/* The tag must be valid, not in the set, and the set not full (TRACKER_MAX_IN_FLIGHT). The command is
 * open until in_flight_complete: lines of it are still to come, or it is IDLE. Only one can be. */
void in_flight_add(struct in_flight *f, struct span tag, enum in_flight_kind kind);
void in_flight_complete(struct in_flight *f);
bool in_flight_has_open(const struct in_flight *f);

/* A literal of the open command, if there is one, may hold a line end (line_end_priv.h). */
void in_flight_note_line_end(struct in_flight *f);

struct in_flight_entry {
	enum in_flight_kind kind;
	bool is_open;
	bool has_line_end; /* as noted */
};

/* Removes the tag. False: it was not there. */
bool in_flight_take(struct in_flight *f, struct span tag, struct in_flight_entry *out);

#endif
