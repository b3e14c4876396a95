/*
 * What belongs to the server connection that a tracker has or has not: its capabilities, what is enabled
 * on it, the command that waits for it.
 */
#ifndef IMAPMUX_IMAP_TRACKER_LINK_PRIV_H
#define IMAPMUX_IMAP_TRACKER_LINK_PRIV_H

#include "tracker_priv.h"

/* tracker_detached.c */

/* The list of the server that is valid from now on; empty: none is known. */
void tracker_learn_capabilities(struct tracker *t, struct span server_list);
bool tracker_server_has_id(const struct tracker *t);

/* A command of a detached client that is neither refused nor answered alike everywhere. */
enum tracker_verdict tracker_on_detached(struct tracker *t, const struct client_line *line,
	const struct command *command, const struct verb *verb, const struct tracker_sink *sink);
enum tracker_verdict tracker_on_idle_here(
	struct tracker *t, const struct client_line *line, const struct tracker_sink *sink);
void tracker_answer_id(struct tracker *t, const struct tracker_sink *sink);

/* A command waits for a connection, or for an answer that the owner has settled. */
bool tracker_has_waiting(const struct tracker *t);
void tracker_forget_waiting(struct tracker *t);

/* tracker_enabled.c */

/* What an ENABLE asks for. */
enum asked {
	ASKED_ODD,    /* cannot be read, or nothing: the server shall judge */
	ASKED_NEW,    /* not all of it is enabled */
	ASKED_NOTHING /* all of it is enabled already */
};
enum asked tracker_asked(const struct tracker *t, const struct client_line *line, struct span args);

/* "* ENABLED" with what is enabled of the words, and OK. */
void tracker_answer_enable(
	struct tracker *t, const struct command *command, const struct tracker_sink *sink);

/* The words of a server's ENABLED. */
void tracker_on_enabled(struct tracker *t, struct span words);

/* CONDSTORE is on because somebody used it. */
void tracker_on_condstore(struct tracker *t);

/* A line of a client that goes to the server: does it switch something on? */
void tracker_look_for_use(struct tracker *t, const struct verb *verb, struct span line);

/* What is enabled now, in truth; the span is copied and may show the tracker's own memory. */
void tracker_set_enabled(struct tracker *t, struct span enabled);

#endif
