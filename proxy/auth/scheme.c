#include "auth/scheme.h"

#include <assert.h>

#include "auth/cram_md5.h"
#include "auth/crypt.h"
#include "auth/scram.h"

/* Dovecot's names. What stands behind those of crypt(5) begins with "$" or is thirteen characters of the
 * oldest kind; the method is read from there, not from the name. */
static const struct {
	const char *name;
	enum scheme scheme;
} known[] = {
	{"CRYPT", SCHEME_CRYPT},
	{"SHA512-CRYPT", SCHEME_CRYPT},
	{"SHA256-CRYPT", SCHEME_CRYPT},
	{"BLF-CRYPT", SCHEME_CRYPT},
	{"MD5-CRYPT", SCHEME_CRYPT},
	{"DES-CRYPT", SCHEME_CRYPT},
	{"PLAIN", SCHEME_PLAIN},
	{"CLEAR", SCHEME_PLAIN},
	{"CLEARTEXT", SCHEME_PLAIN},
	{"CRAM-MD5", SCHEME_CRAM_MD5},
	{"SCRAM-SHA-1", SCHEME_SCRAM_SHA_1},
	{"SCRAM-SHA-256", SCHEME_SCRAM_SHA_256},
};

const char *scheme_name(enum scheme scheme)
{
	static const char *const names[SCHEME_COUNT] = {
		[SCHEME_CRYPT] = "CRYPT",
		[SCHEME_PLAIN] = "PLAIN",
		[SCHEME_CRAM_MD5] = "CRAM-MD5",
		[SCHEME_SCRAM_SHA_1] = "SCRAM-SHA-1",
		[SCHEME_SCRAM_SHA_256] = "SCRAM-SHA-256",
	};
	assert(scheme < SCHEME_COUNT);
	return names[scheme];
}

/* Takes "{NAME}" off the front; a bare hash is left as it is. */
static bool take_name(struct span *text, enum scheme *scheme)
{
	if (text->n > 0 && text->p[0] == '$') {
		*scheme = SCHEME_CRYPT;
		return true;
	}
	struct span rest = *text;
	if (!span_take(&rest, '{')) {
		return false;
	}
	struct span name = span_take_until(&rest, "}");
	if (!span_take(&rest, '}')) {
		return false;
	}
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (span_is_nocase(name, known[i].name)) {
			*scheme = known[i].scheme;
			*text = rest;
			return true;
		}
	}
	return false;
}

static bool check_value(enum scheme scheme, struct span value, const char **why)
{
	struct cram_key cram;
	struct scram_keys scram;
	bool is_good = true;
	switch (scheme) {
	case SCHEME_CRYPT:
		return crypt_can_check(value, why);
	case SCHEME_PLAIN:
		/* An empty password is refused before anybody looks it up: nobody could use it. */
		*why = "the password is empty";
		return value.n > 0;
	case SCHEME_CRAM_MD5:
		*why = "not 64 hexadecimal digits";
		is_good = cram_key_read(value, &cram);
		secret_wipe(&cram, sizeof cram);
		return is_good;
	case SCHEME_SCRAM_SHA_1:
		is_good = scram_keys_read(DIGEST_SHA_1, value, &scram, why);
		break;
	case SCHEME_SCRAM_SHA_256:
		is_good = scram_keys_read(DIGEST_SHA_256, value, &scram, why);
		break;
	case SCHEME_COUNT:
		assert(!"no scheme");
	}
	secret_wipe(&scram, sizeof scram);
	return is_good;
}

bool scheme_read(struct span text, enum scheme *scheme, struct span *value, const char **why)
{
	enum scheme found;
	if (!take_name(&text, &found)) {
		*why = "unknown scheme: known are CRYPT, SHA512-CRYPT, BLF-CRYPT and the like, "
		       "PLAIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256";
		return false;
	}
	if (!check_value(found, text, why)) {
		return false;
	}
	*scheme = found;
	*value = text;
	return true;
}
