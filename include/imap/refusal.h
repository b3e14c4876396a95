/*
 * What a client is told when a server refused its sign-in (POOLING.md section 6; SECURITY.md S22).
 *
 * The server's words never pass: they could tell which users exist, or lead to another host
 * (REFERRAL, RFC 2221). Only known response codes (RFC 5530) do, with texts of the proxy. Pure.
 */
#ifndef IMAPMUX_IMAP_REFUSAL_H
#define IMAPMUX_IMAP_REFUSAL_H

#include "imap/response.h"

struct refusal {
	const char *text; /* "[CODE] words", to be said behind NO */
	bool is_wrong_credential;
};

/*
 * The refusal for a tagged NO or BAD. A NO without a code, or with an unknown one, is a wrong
 * credential: many servers use none. A BAD is not: the server did not get to judge it; the client is
 * told the same.
 */
struct refusal refusal_of(const struct response *r);

#endif
