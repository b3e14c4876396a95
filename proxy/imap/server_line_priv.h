/*
 * What a response of a server is, told by its first bytes, and what can be seen in text that passes in
 * pieces. Pure; nothing is parsed that the relay does not need (imap/response parses whole lines).
 */
#ifndef IMAPMUX_IMAP_SERVER_LINE_PRIV_H
#define IMAPMUX_IMAP_SERVER_LINE_PRIV_H

#include "base/span.h"
#include "imap/lexer.h"

/* What a response is, told by its first bytes. */
enum server_line {
	SERVER_LINE_CUT,    /* cannot be told yet */
	SERVER_LINE_STATUS, /* status line, tagged or not, or list of words: looked at whole */
	SERVER_LINE_NUMBER, /* "* 12 FETCH": by far the most, so told by the digit */
	SERVER_LINE_DATA,   /* any other untagged response: may have literals */
	SERVER_LINE_PLUS,   /* continuation request */
	SERVER_LINE_EMPTY,  /* an empty line: noise (Cyrus sends them) */
};

/* The input begins with a response (at least one byte of it). The kind does not depend on what follows
 * the bytes that decide it. */
enum server_line server_line_kind(struct span head);

/* The word behind "* "; only for SERVER_LINE_DATA. */
struct span server_line_word(struct span head);

/* The last bytes of a line that is passed on, or swallowed, in pieces: enough for " ~{n+}\r\n" with
 * LITERAL_DIGITS_MAX digits or one too many, and for the 8 bytes of "MODSEQ (". */
enum { TAIL_MAX = 32 };
_Static_assert(TAIL_MAX >= sizeof " ~{0+}\r\n" - 1 + LITERAL_DIGITS_MAX, "a header is seen whole");
struct tail {
	uint8_t bytes[TAIL_MAX];
	uint8_t n;
};
void tail_clear(struct tail *t);
void tail_add(struct tail *t, struct span s);
struct span tail_span(const struct tail *t);

/* True when the text has "MODSEQ (", or completes one whose beginning passed before: FETCH data that
 * show that CONDSTORE is on, whatever command did it. */
bool server_line_has_modseq(const struct tail *before, struct span text);

#endif
