/*
 * Commands of the proxy to a server, written so that no byte string can become a second argument or a
 * second command (law 4; SECURITY.md L7, S5). Pure; belongs to whoever embeds it.
 *
 * A string goes out quoted when every server reads it alike, else as a synchronising literal. A command
 * with literals is sent in parts: a part that ends in "{n}" is followed by the next one only after
 * the server's "+", so a server that does not take the literal never sees its octets.
 *
 *	quote_begin(&q, "mux3 LOGIN"); quote_astring(&q, user); quote_astring(&q, password); quote_end(&q);
 *	quote_send(&q, out) ... on "+": quote_send(&q, out) ... until quote_is_sent(&q)
 */
#ifndef IMAPMUX_IMAP_QUOTE_H
#define IMAPMUX_IMAP_QUOTE_H

#include "base/buf.h"

/* LOGIN has two arguments; nothing that the proxy sends has more literals. */
#define QUOTE_STOPS_MAX 2
/* A longer string is sent as a literal: servers read lines of 8 KiB and less. */
#define QUOTE_QUOTED_MAX 1024
/* A whole command: two values of the size that preauth lets through, and their frame. */
#define QUOTE_COMMAND_MAX 32768

struct quote {
	struct buf text;
	size_t stop[QUOTE_STOPS_MAX]; /* a part ends where text had this length */
	size_t stops;                 /* how many there are */
	size_t next;                  /* the first that is not reached yet */
	size_t sent;                  /* bytes handed out */
};

/* True when the string may stand in quotes: printable ASCII, not too long. */
bool quote_is_quotable(struct span value);

/* Appends a string in quotes; the value must be quotable. False: out's cap. */
bool quote_string(struct buf *out, struct span value);

/* Begins a command with the proxy's own text (tag, verb). */
void quote_begin(struct quote *q, const char *text);

/* Adds a space and the value as one argument. False: it holds a NUL, or is too long; drop the command. */
bool quote_astring(struct quote *q, struct span value);

/* Ends a line behind which the server answers "+" before it reads on (AUTHENTICATE). */
void quote_wait(struct quote *q);

/* Ends the command. */
void quote_end(struct quote *q);

/* Appends the next part; more remain when it ended in "{n}". False: out's cap. */
bool quote_send(struct quote *q, struct buf *out);

/* True when nothing is left to send. */
bool quote_is_sent(const struct quote *q);

/* Wipes and frees; may be called at any time after quote_begin, or on zeroes. */
void quote_finish(struct quote *q);

#endif
