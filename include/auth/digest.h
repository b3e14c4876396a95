/*
 * The hash functions of SCRAM (RFC 5802, RFC 7677) in one place: hash, HMAC, Hi. Pure, any thread.
 *
 * They cannot fail but for want of memory, which ends the process: an error that is taken for a digest
 * would be a password that fits everybody.
 */
#ifndef IMAPMUX_AUTH_DIGEST_H
#define IMAPMUX_AUTH_DIGEST_H

#include "base/span.h"

enum digest { DIGEST_SHA_1, DIGEST_SHA_256, DIGEST_COUNT };

/* Room for a result of any of them. */
#define DIGEST_MAX 32

/* Bytes of a result: 20 or 32. */
size_t digest_size(enum digest d);

/* out gets digest_size() bytes in all of them. */
void digest_hash(enum digest d, struct span in, uint8_t *out);
void digest_hmac(enum digest d, struct span key, struct span in, uint8_t *out);

/* Hi(password, salt, iterations) of RFC 5802 section 2.2, which is PBKDF2 with HMAC. Takes its time: 4096
 * iterations cost one to two milliseconds. */
void digest_stretch(
	enum digest d, struct span password, struct span salt, unsigned iterations, uint8_t *out);

#endif
