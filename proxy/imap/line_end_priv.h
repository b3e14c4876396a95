/*
 * Line ends in the strings of a client's commands. Servers repeat strings in their errors without looking at
 * them: the client then writes responses ("* OK [CLOSED]", "* LIST () x {99}") that nobody can tell from
 * the server's own, and what the tracker knows of the connection is no longer so. Seen: Dovecot, mailbox names,
 * keys of SEARCH and SORT, URLs of CATENATE; Cyrus, GENURLAUTH and the same URLs.
 *
 * Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_LINE_END_PRIV_H
#define IMAPMUX_IMAP_LINE_END_PRIV_H

#include "base/span.h"

/* True when a server could find one in this line of a command: encoded in a mailbox' name ("&AAo-", RFC
 * 9051 appendix A.1) or in a URL ("%0A"). */
bool line_end_is_encoded(struct span line);

/* True when these octets of a literal hold one, or may be a part of it. The same for any pieces. */
bool line_end_may_be_in(struct span octets);

#endif
