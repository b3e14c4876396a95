#include "verbs_priv.h"

#include <assert.h>

/*
 * The pool is an allowlist (POOLING.md section 1): a command that is not here, or has a word behind
 * it, makes the connection unfit for another session. What is here either changes the mail store, not
 * the connection, or is undone by UNSELECT.
 */
static const struct verb verbs[] = {
	{.name = "APPEND", .takes_messages = true},
	{.name = "AUTHENTICATE", .action = VERB_REFUSE},
	{.name = "CAPABILITY", .action = VERB_CAPABILITY},
	{.name = "CHECK", .needs_mailbox = true},
	{.name = "CLOSE", .action = VERB_DESELECT, .needs_mailbox = true},
	{.name = "COMPARATOR", .dirt = "comparator"},
	{.name = "COMPRESS", .action = VERB_COMPRESS},
	{.name = "COPY", .has_uid_form = true, .needs_mailbox = true},
	{.name = "CREATE"},
	{.name = "DELETE"},
	{.name = "DELETEACL"},
	{.name = "ENABLE", .action = VERB_ENABLE},
	{.name = "ESEARCH"},
	{.name = "EXAMINE", .action = VERB_SELECT},
	{.name = "EXPUNGE", .has_uid_form = true, .needs_mailbox = true},
	{.name = "FETCH", .has_uid_form = true, .needs_mailbox = true},
	{.name = "GENURLAUTH"},
	{.name = "GETACL"},
	{.name = "GETANNOTATION"},
	{.name = "GETMETADATA"},
	{.name = "GETQUOTA"},
	{.name = "GETQUOTAROOT"},
	{.name = "ID", .action = VERB_ID},
	{.name = "IDLE", .action = VERB_IDLE},
	{.name = "LANGUAGE", .dirt = "language"},
	{.name = "LIST"},
	{.name = "LISTRIGHTS"},
	{.name = "LOGIN", .action = VERB_REFUSE},
	{.name = "LOGOUT", .action = VERB_LOGOUT},
	{.name = "LSUB"},
	{.name = "MOVE", .has_uid_form = true, .needs_mailbox = true},
	{.name = "MYRIGHTS"},
	{.name = "NAMESPACE"},
	{.name = "NOOP", .action = VERB_NOOP},
	{.name = "NOTIFY", .dirt = "notify"},
	{.name = "RENAME"},
	{.name = "REPLACE", .has_uid_form = true, .takes_messages = true},
	{.name = "RESETKEY"},
	{.name = "SEARCH", .has_uid_form = true, .needs_mailbox = true},
	{.name = "SELECT", .action = VERB_SELECT},
	{.name = "SETACL"},
	{.name = "SETANNOTATION"},
	{.name = "SETMETADATA"},
	{.name = "SETQUOTA"},
	{.name = "SORT", .has_uid_form = true, .needs_mailbox = true},
	{.name = "STARTTLS", .action = VERB_REFUSE},
	{.name = "STATUS"},
	{.name = "STORE", .has_uid_form = true, .needs_mailbox = true},
	{.name = "SUBSCRIBE"},
	{.name = "THREAD", .has_uid_form = true, .needs_mailbox = true},
	{.name = "UNAUTHENTICATE", .action = VERB_REFUSE},
	{.name = "UNSELECT", .action = VERB_DESELECT, .needs_mailbox = true},
	{.name = "UNSUBSCRIBE"},
	{.name = "URLFETCH"},
	{.name = "X-UNAUTHENTICATE", .action = VERB_REFUSE},
	{.name = "XLIST"},
};

static const struct verb unknown = {.name = "", .dirt = "unknown-command"};

static const struct verb *find(struct span name)
{
	if (name.n == 0) {
		return &unknown;
	}
	char first = (char)(name.p[0] & ~0x20); /* upper case; the cheap half of the comparison */
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].name[0] == first && span_is_nocase(name, verbs[i].name)) {
			return &verbs[i];
		}
	}
	return &unknown;
}

const struct verb *verb_find(const struct command *command)
{
	assert(command->verb.n > 0);
	if (!span_is_nocase(command->verb, "UID")) {
		return find(command->verb);
	}
	struct span args = command->args;
	const struct verb *verb = find(span_take_until(&args, " "));
	/* "UID LOGOUT" must not be taken for LOGOUT: servers differ. */
	return verb->has_uid_form ? verb : &unknown;
}

/*
 * Words of RFC 7162 that enable CONDSTORE by being used; Dovecot has no way back from it. Searched as
 * parts of words, so HIGHESTMODSEQ and UNCHANGEDSINCE are among them; a mailbox of such a name costs
 * one sign-in. A literal cannot hide one: no server takes a string where these words stand.
 */
static bool begins_condstore_word(struct span s)
{
	return span_starts_nocase(s, "MODSEQ") || span_starts_nocase(s, "CONDSTORE") ||
	       span_starts_nocase(s, "QRESYNC") || span_starts_nocase(s, "CHANGEDSINCE");
}

bool verb_has_condstore_word(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		uint8_t c = line.p[i] | 0x20;
		if ((c == 'm' || c == 'c' || c == 'q') &&
			begins_condstore_word(span_slice(line, i, line.n))) {
			return true;
		}
	}
	return false;
}
