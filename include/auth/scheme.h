/*
 * How a password file keeps a password: "{SCHEME}value" as `doveadm pw` writes it, or a bare "$..." of
 * crypt(5). Pure (but for libxcrypt, which is asked what it knows); any thread.
 */
#ifndef IMAPMUX_AUTH_SCHEME_H
#define IMAPMUX_AUTH_SCHEME_H

#include "base/span.h"

enum scheme {
	SCHEME_CRYPT,       /* a hash of crypt(5): {CRYPT}, {SHA512-CRYPT}, {BLF-CRYPT} ..., bare */
	SCHEME_PLAIN,       /* the password itself: {PLAIN}, {CLEARTEXT} */
	SCHEME_CRAM_MD5,    /* HMAC-MD5 states in 64 digits */
	SCHEME_SCRAM_SHA_1, /* "iterations,salt,StoredKey,ServerKey" */
	SCHEME_SCRAM_SHA_256, /* the same */
	SCHEME_COUNT
};

/* A set of schemes. */
#define SCHEME_BIT(scheme) (1u << (scheme))

/*
 * Which scheme, and its value (a part of the text), checked so that its use cannot fail. False with a
 * static explanation.
 */
bool scheme_read(struct span text, enum scheme *scheme, struct span *value, const char **why);

/* "SHA512-CRYPT" has many names: "CRYPT", "PLAIN", "CRAM-MD5" ... for messages. */
const char *scheme_name(enum scheme scheme);

#endif
