/*
 * Capability lists (RFC 9051 sections 6.1.1, 7.2.2): what a client is told before and after sign-in.
 *
 * One algebra for every place where a list appears. Lists are the words behind "CAPABILITY ", separated
 * by single spaces. Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_CAPABILITY_H
#define IMAPMUX_IMAP_CAPABILITY_H

#include "base/buf.h"

/* What the operator hides besides what the proxy must hide; words in upper case. */
struct capability_policy {
	const char *const *hide;
	size_t hide_count;
};

/* What can work on this connection before sign-in. */
struct capability_preauth {
	bool can_starttls; /* TLS is configured and not yet active */
	bool can_sign_in;  /* false: LOGINDISABLED and no AUTH= */
};

/* A list from a server with more words or bytes than this is cut: no server sends so many. */
#define CAPABILITY_LIST_MAX 4096

/* Appends the list before sign-in. False: out's cap. */
bool capability_write_preauth(
	struct buf *out, const struct capability_policy *policy, struct capability_preauth now);

/*
 * Appends the list after sign-in: the server's words less what ends at the proxy (STARTTLS, AUTH=,
 * LOGINDISABLED, COMPRESS=, UNAUTHENTICATE, referrals, URLAUTH ...), less the hidden ones, plus what
 * the proxy provides (LITERAL+, ID, SASL-IR). POOLING.md section 5. False: out's cap.
 */
bool capability_write_session(
	struct buf *out, const struct capability_policy *policy, struct span server_list);

/* True when the word (any case) is in the list. */
bool capability_has(struct span list, const char *word);

#endif
