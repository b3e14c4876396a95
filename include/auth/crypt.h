/*
 * Password hashes of crypt(5), as /etc/shadow and `doveadm pw` have them: "$6$salt$hash" (SHA512-CRYPT),
 * "$2y$" (BLF-CRYPT), "$y$" (yescrypt) and whatever else libxcrypt knows. Any thread.
 */
#ifndef IMAPMUX_AUTH_CRYPT_H
#define IMAPMUX_AUTH_CRYPT_H

#include "base/span.h"

/* Longer hashes do not exist; libxcrypt's CRYPT_OUTPUT_SIZE is 384. */
#define CRYPT_HASH_MAX 383

/* Whether libxcrypt knows the method of the hash; false with a static explanation. Cheap. */
bool crypt_can_check(struct span hash, const char **why);

/*
 * True when the hash is that of the password. Costs what the hash was made to cost, up to seconds: not
 * for a loop's thread. A password with a NUL or longer than libxcrypt takes (512) fits no hash; it is
 * hashed all the same, cut, so that it takes the same time.
 */
bool crypt_check(struct span hash, struct span password);

#endif
