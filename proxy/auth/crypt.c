#include "auth/crypt.h"

#include <assert.h>
#include <crypt.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/secret.h"

/* As a C string in room[CRYPT_HASH_MAX + 1]; false: it is none, or too long. */
static bool copy_hash(struct span hash, char *room)
{
	if (hash.n == 0 || hash.n > CRYPT_HASH_MAX) {
		return false;
	}
	for (size_t i = 0; i < hash.n; i++) {
		if (hash.p[i] <= ' ' || hash.p[i] >= 0x7f || hash.p[i] == ':') {
			return false;
		}
		room[i] = (char)hash.p[i];
	}
	room[hash.n] = '\0';
	return true;
}

bool crypt_can_check(struct span hash, const char **why)
{
	char text[CRYPT_HASH_MAX + 1];
	if (!copy_hash(hash, text)) {
		*why = "not a password hash: empty, too long, or with a blank in it";
		return false;
	}
	int verdict = crypt_checksalt(text);
	/* Old methods are for the operator to retire; that they are weak is no reason to lock users out. */
	if (verdict == CRYPT_SALT_INVALID || verdict == CRYPT_SALT_METHOD_DISABLED) {
		*why = "crypt(3) does not know this kind of password hash";
		return false;
	}
	return true;
}

/* The password as a C string of at most what crypt takes; false: it was cut, and fits no hash. */
static bool copy_password(struct span password, char *room)
{
	size_t n = span_find(password, '\0');
	bool is_whole = n == password.n && n <= CRYPT_MAX_PASSPHRASE_SIZE;
	if (n > CRYPT_MAX_PASSPHRASE_SIZE) {
		n = CRYPT_MAX_PASSPHRASE_SIZE;
	}
	if (n > 0) {
		memcpy(room, password.p, n);
	}
	room[n] = '\0';
	return is_whole;
}

bool crypt_check(struct span hash, struct span password)
{
	char setting[CRYPT_HASH_MAX + 1];
	char phrase[CRYPT_MAX_PASSPHRASE_SIZE + 1];
	if (!copy_hash(hash, setting)) {
		return false;
	}
	bool is_whole = copy_password(password, phrase);
	/* 32 KiB: too much for the stack of a thread of libuv's pool. */
	struct crypt_data *data = xcalloc(1, sizeof *data);
	const char *made = crypt_r(phrase, setting, data);
	bool is_equal = made != NULL && made[0] != '*' && secret_equal(span_str(made), hash);
	secret_wipe(phrase, sizeof phrase);
	secret_wipe(data, sizeof *data);
	free(data);
	return is_equal && is_whole;
}
