/*
 * What is known about each command of a signed-in session (POOLING.md section 1).
 */
#ifndef IMAPMUX_IMAP_VERBS_PRIV_H
#define IMAPMUX_IMAP_VERBS_PRIV_H

#include "imap/command.h"

/* What becomes of a command. */
enum verb_action {
	VERB_RELAY,
	VERB_SELECT,
	VERB_DESELECT,
	VERB_IDLE,
	VERB_ENABLE,
	VERB_CAPABILITY,
	VERB_NOOP,
	VERB_ID,
	VERB_LOGOUT,
	VERB_REFUSE,   /* tagged BAD: it has its place before sign-in, or at another proxy */
	VERB_COMPRESS, /* tagged NO */
};

struct verb {
	const char *name;
	enum verb_action action;
	bool has_uid_form;   /* "UID FETCH" */
	bool takes_messages; /* literals of any size, also literal8 */
	bool needs_mailbox;  /* BAD when none is selected (RFC 9051 section 6.4) */
	const char *dirt;    /* NULL: leaves nothing behind that UNSELECT does not undo */
};

/* Never NULL: a command that is not in the table is relayed and makes the connection dirty. */
const struct verb *verb_find(const struct command *command);

/* True when the line has a word that switches on CONDSTORE for the life of the connection. */
bool verb_has_condstore_word(struct span line);

#endif
