/*
 * A command of a client: tag, verb, arguments (RFC 9051 section 2.2.1). Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_COMMAND_H
#define IMAPMUX_IMAP_COMMAND_H

#include "base/span.h"

/* A tag longer than this is refused: RFC 9051 sets no bound, no client sends half as much. */
#define COMMAND_TAG_MAX 100
/* The longest verb in use is XAPPLEPUSHSERVICE with 17 letters. */
#define COMMAND_VERB_MAX 32

/* Parts of the line they were taken from; they live as long as it does. */
struct command {
	struct span tag;
	struct span
		verb; /* the first word as sent; compare with span_is_nocase. "UID" for UID FETCH */
	struct span args; /* what stands behind the verb and one space; may be empty */
};

enum command_form {
	COMMAND_GOOD,
	COMMAND_BAD_TAG, /* answer "* BAD", and do not repeat the tag: it could be read as another reply */
	COMMAND_BAD_VERB /* tag is set: answer "tag BAD" */
};

/*
 * True when a reply can safely begin with the tag: 1 to COMMAND_TAG_MAX printable ASCII characters,
 * none of them space, "+", "*", "(", ")", "{", "%", quote or backslash.
 */
bool command_tag_is_valid(struct span tag);

/*
 * Splits the first line of a command (without line end). A verb is a letter and then letters, digits,
 * "-", "_" and ".", ended by a space or the end of the line. With COMMAND_BAD_TAG *out is untouched,
 * with COMMAND_BAD_VERB only out->tag is set.
 */
enum command_form command_split(struct span line, struct command *out);

#endif
