/*
 * What a JSON web token (RFC 7519) says about its own end. Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_JWT_H
#define IMAPMUX_IMAP_JWT_H

#include "base/span.h"

/*
 * The second (of 1970) from which on the token must not be taken any more: `exp` in its payload, rounded
 * down. UINT64_MAX: it has none, or is no such token (an opaque one, or an encrypted one). 0: it has a
 * payload, in which no end could be read: better none than a wrong one.
 *
 * An upper bound, no proof: the signature is not looked at, because only the server's word makes a
 * credential good. The one who could forge a payload could only make it end later than its server says,
 * and that no later than any other token.
 */
uint64_t jwt_expiry(struct span token);

#endif
