/*
 * Capability lists (RFC 9051 sections 6.1.1, 7.2.2): what a client is told before and after sign-in.
 *
 * One algebra for every place where a list appears. Lists are the words behind "CAPABILITY ", separated
 * by single spaces. Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_CAPABILITY_H
#define IMAPMUX_IMAP_CAPABILITY_H

#include "base/buf.h"
#include "imap/credentials.h"

/*
 * What the operator hides besides what the proxy must hide; words in any case. IMAP4rev1 and
 * LOGINDISABLED are shown whatever stands here: without them the list would say what is not so.
 */
struct capability_policy {
	const char *const *hide;
	size_t hide_count;
	bool tells_reuse; /* XIMAPPROXY: a reused connection is announced at sign-in */
	/* Policies of one number say the same (imap/listing.h). 0: nothing is known of others. */
	unsigned number;
};

/* What can work on this connection before sign-in. */
struct capability_preauth {
	bool can_starttls;   /* TLS is configured and not yet active */
	unsigned mechanisms; /* AUTH= for each; without the LOGIN command LOGINDISABLED */
	struct span offered; /* what every server offers that it could be */
};

/* A list from a server with more words or bytes than this is cut: no server sends so many. */
#define CAPABILITY_LIST_MAX 4096

/*
 * Appends the list before sign-in: IMAP4rev1, what all servers offer less what ends at the proxy and what
 * is hidden, LITERAL+ (or LITERAL-), SASL-IR, ID, and STARTTLS, LOGINDISABLED or AUTH= as `now` says. It is not known
 * yet which server it will be. False: out's cap (part of the list may be there).
 */
bool capability_write_preauth(
	struct buf *out, const struct capability_policy *policy, struct capability_preauth now);

/*
 * Appends the list after sign-in: the server's words less what ends at the proxy (STARTTLS, AUTH=,
 * LOGINDISABLED, COMPRESS=, UNAUTHENTICATE, referrals, URLAUTH ...), less the hidden ones, plus what
 * the proxy provides (LITERAL+, ID, SASL-IR). POOLING.md section 5. A word with a byte that no
 * capability has ("]", control, 8-bit) is left out: it could end the response code that the list is
 * put into. False: out's cap (part of the list may be there).
 */
bool capability_write_session(
	struct buf *out, const struct capability_policy *policy, struct span server_list);

/* Of a non-synchronising literal where only LITERAL- is offered (RFC 7888 section 5). */
#define CAPABILITY_LITERAL_MINUS_MAX 4096

/* True when LITERAL+ is hidden: LITERAL- stands in its place, in both lists. */
bool capability_is_literal_minus(const struct capability_policy *policy);

/*
 * Leaves in common, a list that begins empty, what is in `list` too (any case); is_first: makes it all of
 * list. What is no capability, and what common has no room for, is left out.
 */
void capability_meet(struct buf *common, struct span list, bool is_first);

/* The mechanisms among the AUTH= words of a list, as MECHANISM_BIT. */
unsigned capability_mechanisms(struct span list);

/* True when the word (any case) is in the list. */
bool capability_has(struct span list, const char *word);

#endif
