/*
 * Puts a client's command together from its lines and literals, before anybody is signed in.
 *
 * Resumable at every byte and bounded: no more than the caps are ever held. No literal is taken without
 * a decision of the caller, so that a password which may not be sent here is never read. Pure; belongs
 * to whoever embeds it. (After the sign-in commands are not assembled: imap/tracker lets them pass.)
 */
#ifndef IMAPMUX_IMAP_COMMAND_READER_H
#define IMAPMUX_IMAP_COMMAND_READER_H

#include "base/buf.h"
#include "imap/lexer.h"

enum command_read {
	COMMAND_READ_MORE,      /* all input is consumed */
	COMMAND_READ_LITERAL,   /* a literal is announced: call command_reader_accept or _refuse */
	COMMAND_READ_WHOLE,     /* command_reader_text() is the command; call command_reader_next */
	COMMAND_READ_MALFORMED, /* the same, but its last line cannot be trusted: refuse it */
	COMMAND_READ_DRAINED,   /* a refused command has passed by; call command_reader_next */
	COMMAND_READ_TOO_LONG,  /* a line beyond max_line; the end */
};

struct command_reader {
	struct buf text;       /* the command up to here; wiped, because it may hold a password */
	size_t text_len;       /* of it, without the last line end */
	size_t line_begin;     /* where in text the current line begins */
	size_t max_line;       /* of a command */
	size_t line_cap;       /* of the line at hand */
	uint64_t literal_left; /* octets of a literal that are still to come */
	struct literal literal;
	enum literal_form
		form;       /* of the announced literal; LITERAL_NONE: nothing is to be decided */
	bool is_draining;   /* octets are counted, not kept */
	bool is_plain_line; /* the next line is no command: nothing in it is a literal header */
};

/*
 * max_line: bytes of a line without its end. max_text: bytes of a command with all its lines and the
 * accepted literals.
 */
void command_reader_init(struct command_reader *r, size_t max_line, size_t max_text);

/* Wipes and frees. */
void command_reader_finish(struct command_reader *r);

/* Consumes from *in, up to the end of a line when the result is not COMMAND_READ_MORE. */
enum command_read command_reader_feed(struct command_reader *r, struct span *in);

/*
 * The command without its last line end: lines and literals as sent, but line ends between them are
 * CRLF. Valid until the next call that changes the reader. After COMMAND_READ_LITERAL it ends in the
 * literal's header.
 */
struct span command_reader_text(const struct command_reader *r);

/* True when nothing of the next command has come yet. */
bool command_reader_is_empty(const struct command_reader *r);

/* The first line of it. */
struct span command_reader_first_line(const struct command_reader *r);

/* The literal becomes part of the text. The caller has compared its size with a cap of its own. */
void command_reader_accept(struct command_reader *r);

/*
 * True: the literal was a synchronising one; the client does not send it, and the command ends here
 * (call command_reader_next). False: octets and the rest of the command follow and are dropped;
 * COMMAND_READ_DRAINED tells their end.
 */
bool command_reader_refuse(struct command_reader *r);

/* Forgets the command; the next begins. */
void command_reader_next(struct command_reader *r);

/* The same, but what follows is one line of a SASL exchange, of max_line bytes at most. */
void command_reader_next_line(struct command_reader *r, size_t max_line);

#endif
