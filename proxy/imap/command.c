#include "imap/command.h"

#include <assert.h>

static bool is_tag_char(uint8_t c)
{
	/* "+" and "*" would turn our reply into a continuation or an untagged response. */
	return c > ' ' && c < 0x7f && strchr("+*(){%\"\\", c) == NULL;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool command_tag_is_valid(struct span tag)
{
	if (tag.n == 0 || tag.n > COMMAND_TAG_MAX) {
		return false;
	}
	for (size_t i = 0; i < tag.n; i++) {
		if (!is_tag_char(tag.p[i])) {
			return false;
		}
	}
	return true;
}

static bool verb_is_valid(struct span verb)
{
	if (verb.n == 0 || verb.n > COMMAND_VERB_MAX || !is_letter(verb.p[0])) {
		return false;
	}
	for (size_t i = 1; i < verb.n; i++) {
		uint8_t c = verb.p[i];
		if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.') {
			return false;
		}
	}
	return true;
}

enum command_form command_split(struct span line, struct command *out)
{
	struct span tag = span_take_until(&line, " ");
	if (!command_tag_is_valid(tag)) {
		return COMMAND_BAD_TAG;
	}
	struct span verb = {0};
	if (span_take(&line, ' ')) {
		verb = span_take_until(&line, " ");
	}
	out->tag = tag;
	if (!verb_is_valid(verb)) {
		return COMMAND_BAD_VERB;
	}
	assert(line.n == 0 || line.p[0] == ' ');
	span_take(&line, ' ');
	out->verb = verb;
	out->args = line;
	return COMMAND_GOOD;
}
