/*
 * What the ID command before a sign-in tells (RFC 2971): of the client itself, and, when a proxy or a webmail
 * sends it, for whom it speaks (the keys are Dovecot's: x-originating-ip and so on).
 *
 * Pure. Kept with the session, because each new connection to a server is told it.
 */
#ifndef IMAPMUX_IMAP_CLIENT_ID_H
#define IMAPMUX_IMAP_CLIENT_ID_H

#include "base/buf.h"

/*
 * Of the 30 pairs that RFC 2971 allows, six are the proxy's own and eight those of backends.forward. Pairs
 * beyond are left out, as are those beyond the bytes: Dovecot reads sign-in lines of 8 KiB.
 */
#define CLIENT_ID_PAIRS_MAX 16
#define CLIENT_ID_BYTES_MAX 3072
/* RFC 2971 section 3.3. */
#define CLIENT_ID_KEY_MAX 30
/* A session's name (Dovecot takes no longer one), an address with its zone, a port. */
#define CLIENT_ID_TEXT_MAX 65

struct client_id {
	/* As written; "": not said. Only from who is trusted. An address need not be one. */
	char session_id[CLIENT_ID_TEXT_MAX];
	char originating_ip[CLIENT_ID_TEXT_MAX], originating_port[CLIENT_ID_TEXT_MAX];
	char connected_ip[CLIENT_ID_TEXT_MAX], connected_port[CLIENT_ID_TEXT_MAX];
	/* How many servers, this one included, may still be asked one behind the other; 0: not said. From
	 * anybody: the smaller it is, the less he gets, and a circle of proxies ends by itself. */
	unsigned proxy_ttl;
	struct buf pairs; /* what else is passed on: `"name" "Thunderbird" "x-forward-a" "b" ` */
	unsigned pair_count;
};

/*
 * Reads the arguments of ID, a list with literals as sent or NIL, as far as they can be understood; what
 * cannot be passed on (NIL, other bytes than printable ASCII) is left out. Keys that begin with "x-" are
 * for proxies among themselves: from others than the trusted they are dropped (SECURITY.md S20), and
 * of the trusted ones' only those above and x-forward-* are kept. NULL: there was nothing to keep.
 */
struct client_id *client_id_read(struct span args, bool is_trusted);

/* Nulls; NULL inside is fine. */
void client_id_destroy(struct client_id **id);

/* Appends a pair as it stands in a list of ID, with a blank behind. False: not printable ASCII, or
 * out's cap; nothing was appended. */
bool client_id_add(struct buf *out, struct span key, struct span value);

#endif
