#include "imap/capability.h"

#include <assert.h>
#include <stdio.h>

/* What the proxy does itself, whatever the server has; said in both lists, and only once. */
static const char *const own_words[] = {"LITERAL+", "SASL-IR", "ID"};
/* In place of the first, for an operator who hides it: large messages then wait for the server's word. */
static const char literal_minus[] = "LITERAL-";

/* What ends at the proxy. A word that ends in "=" stands for all that begin with it. */
static const char *const ended_words[] = {
	"STARTTLS", "LOGINDISABLED", "AUTH=", /* said before sign-in only, about the own listener */
	"LITERAL+", "LITERAL-", "SASL-IR", "ID" /* the proxy's own */,
	"COMPRESS=",                            /* would make the stream unreadable */
	"UNAUTHENTICATE", "X-UNAUTHENTICATE",   /* a tool of the proxy, never of a client */
	"LOGIN-REFERRALS", "MAILBOX-REFERRALS", /* lead around the proxy */
	"URLAUTH", "URLAUTH=", "URL-PARTIAL",   /* name the server behind */
	"MUPDATE=", "X-REPLICATION",            /* between servers */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool matches(struct span word, const char *pattern)
{
	/* Most words differ in their first letter, and each sign-in compares hundreds. */
	if (word.n == 0 || ((word.p[0] ^ (uint8_t)pattern[0]) & ~0x20) != 0) {
		return false;
	}
	size_t n = strlen(pattern);
	if (pattern[n - 1] == '=') {
		return word.n > n && span_starts_nocase(word, pattern);
	}
	return span_is_nocase(word, pattern);
}

static bool is_ended(struct span word)
{
	for (size_t i = 0; i < COUNT(ended_words); i++) {
		if (matches(word, ended_words[i])) {
			return true;
		}
	}
	return false;
}

static bool is_hidden(const struct capability_policy *policy, struct span word)
{
	/* A list without these says something that is not so (RFC 9051 sections 6.1.1, 6.2.3). */
	if (span_is_nocase(word, "IMAP4rev1") || span_is_nocase(word, "LOGINDISABLED")) {
		return false;
	}
	for (size_t i = 0; i < policy->hide_count; i++) {
		if (span_is_nocase(word, policy->hide[i])) {
			return true;
		}
	}
	return false;
}

/* A server's word with "]" or a control byte would end the response code it is put into. */
static bool is_word(struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		uint8_t c = word.p[i];
		switch (c) {
		case '(':
		case ')':
		case '{':
		case '%':
		case '*':
		case '"':
		case '\\':
		case ']':
			return false;
		default:
			if (c <= ' ' || c >= 0x7f) {
				return false;
			}
		}
	}
	return word.n > 0;
}

/* Appends a word unless it is hidden; a space before all but the first. */
static bool write_word(
	struct buf *out, const struct capability_policy *policy, struct span word, bool *is_first)
{
	assert(is_word(word));
	if (is_hidden(policy, word)) {
		return true;
	}
	if (!*is_first && !buf_add_str(out, " ")) {
		return false;
	}
	*is_first = false;
	return buf_add(out, word);
}

bool capability_is_literal_minus(const struct capability_policy *policy)
{
	return is_hidden(policy, span_str(own_words[0]));
}

static bool write_own(struct buf *out, const struct capability_policy *policy, bool *is_first)
{
	if (capability_is_literal_minus(policy) &&
		!write_word(out, policy, span_str(literal_minus), is_first)) {
		return false;
	}
	for (size_t i = 0; i < COUNT(own_words); i++) {
		if (!write_word(out, policy, span_str(own_words[i]), is_first)) {
			return false;
		}
	}
	return !policy->tells_reuse || write_word(out, policy, span_str("XIMAPPROXY"), is_first);
}

static bool write_mechanisms(struct buf *out, const struct capability_policy *policy,
	unsigned mechanisms, bool *is_first)
{
	for (int m = 0; m < MECHANISM_COUNT; m++) {
		const char *word = mechanism_word((enum mechanism)m);
		if (word == NULL || (mechanisms & MECHANISM_BIT(m)) == 0) {
			continue;
		}
		char text[MECHANISM_WORD_MAX + sizeof("AUTH=")];
		snprintf(text, sizeof(text), "AUTH=%s", word);
		if (!write_word(out, policy, span_str(text), is_first)) {
			return false;
		}
	}
	return true;
}

/* The next word; false at the end of the list. */
static bool next_word(struct span *list, struct span *word)
{
	while (span_take(list, ' ')) {
		continue;
	}
	*word = span_take_until(list, " ");
	return word->n > 0;
}

static struct span cut(struct span list)
{
	if (list.n <= CAPABILITY_LIST_MAX) {
		return list;
	}
	size_t n = CAPABILITY_LIST_MAX;
	while (n > 0 && list.p[n] != ' ') {
		n--;
	}
	return span_slice(list, 0, n);
}

/* A server's words, less what ends here and what stands there already. */
static bool write_offered(struct buf *out, const struct capability_policy *policy, struct span list,
	struct span said, bool *is_first)
{
	struct span rest = cut(list);
	struct span word;
	while (next_word(&rest, &word)) {
		if (!is_word(word) || is_ended(word) || span_equal_nocase(word, said)) {
			continue;
		}
		if (!write_word(out, policy, word, is_first)) {
			return false;
		}
	}
	return true;
}

bool capability_write_preauth(
	struct buf *out, const struct capability_policy *policy, struct capability_preauth now)
{
	bool is_first = true;
	struct span base = span_str("IMAP4rev1");
	/* Not asked of the servers: the dialogue before sign-in is IMAP4rev1 whatever they are. */
	if (!write_word(out, policy, base, &is_first) ||
		!write_offered(out, policy, now.offered, base, &is_first) ||
		!write_own(out, policy, &is_first)) {
		return false;
	}
	if (now.can_starttls && !write_word(out, policy, span_str("STARTTLS"), &is_first)) {
		return false;
	}
	bool can_login = (now.mechanisms & MECHANISM_BIT(MECHANISM_LOGIN_COMMAND)) != 0;
	if (!can_login && !write_word(out, policy, span_str("LOGINDISABLED"), &is_first)) {
		return false;
	}
	return write_mechanisms(out, policy, now.mechanisms, &is_first);
}

bool capability_write_session(
	struct buf *out, const struct capability_policy *policy, struct span server_list)
{
	bool is_first = true;
	return write_offered(out, policy, server_list, (struct span){0}, &is_first) &&
	       write_own(out, policy, &is_first);
}

bool capability_has(struct span list, const char *wanted)
{
	struct span word;
	while (next_word(&list, &word)) {
		if (span_is_nocase(word, wanted)) {
			return true;
		}
	}
	return false;
}

static bool has_word(struct span list, struct span wanted)
{
	struct span word;
	while (next_word(&list, &word)) {
		if (span_equal_nocase(word, wanted)) {
			return true;
		}
	}
	return false;
}

void capability_meet(struct buf *common, struct span list, bool is_first)
{
	struct buf met;
	struct span left = is_first ? cut(list) : buf_peek(common);
	struct span word;
	buf_init(&met, CAPABILITY_LIST_MAX);
	list = cut(list);
	while (next_word(&left, &word)) {
		bool is_common = is_word(word) && (is_first || has_word(list, word));
		size_t room = CAPABILITY_LIST_MAX - buf_len(&met);
		if (is_common && word.n + 1 <= room) {
			bool is_added = (buf_len(&met) == 0 || buf_add_str(&met, " ")) &&
					buf_add(&met, word);
			assert(is_added);
			(void)is_added;
		}
	}
	buf_clear(common);
	(void)!buf_add(common, buf_peek(&met));
	buf_finish(&met);
}

unsigned capability_mechanisms(struct span list)
{
	unsigned mechanisms = 0;
	struct span word;
	while (next_word(&list, &word)) {
		if (matches(word, "AUTH=")) {
			enum mechanism m =
				mechanism_find(span_slice(word, strlen("AUTH="), word.n));
			mechanisms |= m != MECHANISM_COUNT ? MECHANISM_BIT(m) : 0;
		}
	}
	return mechanisms;
}
