/*
 * The pieces of an IMAP line: is it whole, or does a literal follow; and the strings inside it.
 *
 * Pure, any thread, nothing is allocated. A "line" here is without its line end. RFC 9051 section 4.3
 * (strings and literals), RFC 7888 ({n+}), RFC 9051 section 9 (literal8, `~{n}`), POOLING.md section 7.
 */
#ifndef IMAPMUX_IMAP_LEXER_H
#define IMAPMUX_IMAP_LEXER_H

#include "base/secret.h"

enum literal_form {
	LITERAL_NONE,     /* the line ends the command or response */
	LITERAL_SYNC,     /* ends in {n}: a client waits for "+" before it sends the octets */
	LITERAL_NONSYNC,  /* ends in {n+}: the octets follow at once */
	LITERAL_MALFORMED /* no two readers agree where this line ends: refuse it */
};

/* Of the number of a header of which only the end of the line is known: as many as 64 bits need. The
 * grammar sets no bound, but zeros without end would push the brace out of sight. */
enum { LITERAL_DIGITS_MAX = 20 };

struct literal {
	uint64_t
		size; /* octets that follow the line end; any 64-bit number: compare it with a cap */
	size_t header;  /* index in the line of the header's first byte ("{" or "~") */
	bool is_binary; /* literal8, `~{n}` */
};

/*
 * What follows a line of a client. A header is recognised only where every server sees one: outside
 * quotes, behind a space or "(", digits only, at the very end. Malformed: any other "{" outside quotes
 * ("{-1}", "{5}x", "x{9+}", more than 64 bits), a quoted string that is open at the end of the line,
 * NUL, and CR. The line may also be the continuation of a command behind a literal. *out is set for
 * LITERAL_SYNC and LITERAL_NONSYNC.
 */
enum literal_form literal_header(struct span line, struct literal *out);

/*
 * The same for a line of a server that is neither a status response (OK, NO, BAD, BYE, PREAUTH: they
 * hold text, whatever it ends in) nor tagged nor "+". A server's literals are never LITERAL_NONSYNC;
 * LITERAL_MALFORMED: more than 64 bits, or more than LITERAL_DIGITS_MAX digits before a "}", whatever is
 * before them: the line may be only the end of one.
 */
enum literal_form literal_header_server(struct span line, struct literal *out);

/*
 * Takes an astring (atom, quoted, literal) from the text of a complete command, in which a literal is
 * its header, CRLF and the octets. *out gets the bytes meant: quotes and escapes undone. False, with
 * both untouched: none of the three (an escape other than of quote and backslash, NUL in quotes or a
 * literal, an 8-bit byte in an atom, a literal that is cut off). What may follow is the caller's to
 * check. A secret, because most are passwords.
 */
bool lexer_take_astring(struct span *s, struct secret *out);

#endif
