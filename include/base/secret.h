/*
 * Bytes that must not outlive their use: passwords, tokens, digests of them.
 *
 * A secret is wiped when it is dropped and each time its memory moves; it is never formatted, logged
 * or compared with memcmp. The owner is whoever embeds it. Not thread-safe.
 */
#ifndef IMAPMUX_BASE_SECRET_H
#define IMAPMUX_BASE_SECRET_H

#include "base/span.h"

struct secret {
	uint8_t *data; /* NULL: empty */
	size_t len;
};

/* Replaces what is held by a copy of the bytes. The source is not wiped. */
void secret_set(struct secret *s, struct span bytes);

/* Wipes and frees; the secret is then empty and may be set again. */
void secret_drop(struct secret *s);

/* Moves the bytes; from is empty afterwards, what to held before is dropped. */
void secret_move(struct secret *to, struct secret *from);

/* The bytes, valid until the secret changes. */
struct span secret_span(const struct secret *s);

/* Equality in a time that depends on the lengths only. */
bool secret_equal(struct span a, struct span b);

/* Wipes plain memory in a way no optimiser removes. */
void secret_wipe(void *p, size_t n);

#endif
