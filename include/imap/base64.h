/*
 * Base64 as SASL uses it (RFC 4648 section 4). Strict, because two readings of one text would be two
 * users: no line breaks, no missing padding, no bits behind the last byte. Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_BASE64_H
#define IMAPMUX_IMAP_BASE64_H

#include "base/buf.h"
#include "base/secret.h"

/* *out gets the bytes (none for an empty text). False, with *out untouched: not base64. */
bool base64_decode(struct span text, struct secret *out);

/* Appends the text. False, with nothing appended: out's cap. */
bool base64_encode(struct buf *out, struct span bytes);

#endif
