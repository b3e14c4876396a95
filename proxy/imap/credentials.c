#include "imap/credentials.h"

#include <assert.h>

static const char *const words[MECHANISM_COUNT] = {
	[MECHANISM_PLAIN] = "PLAIN",
	[MECHANISM_LOGIN] = "LOGIN",
	[MECHANISM_XOAUTH2] = "XOAUTH2",
	[MECHANISM_OAUTHBEARER] = "OAUTHBEARER",
	[MECHANISM_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[MECHANISM_EXTERNAL] = "EXTERNAL",
	[MECHANISM_CRAM_MD5] = "CRAM-MD5",
	[MECHANISM_GSSAPI] = "GSSAPI",
};

const char *mechanism_word(enum mechanism m)
{
	assert(m < MECHANISM_COUNT);
	return words[m];
}

const char *mechanism_name(enum mechanism m)
{
	switch (m) {
	case MECHANISM_LOGIN_COMMAND:
		return "LOGIN";
	case MECHANISM_LOGIN:
		return "SASL-LOGIN";
	default:
		return mechanism_word(m);
	}
}

enum mechanism mechanism_find(struct span word)
{
	for (int m = 0; m < MECHANISM_COUNT; m++) {
		if (words[m] != NULL && span_is_nocase(word, words[m])) {
			return (enum mechanism)m;
		}
	}
	return MECHANISM_COUNT;
}

size_t credentials_size(const struct credentials *c)
{
	if (c->message.len > 0) {
		return c->message.len;
	}
	return c->user.len + c->authzid.len + c->password.len;
}

void credentials_drop(struct credentials *c)
{
	secret_drop(&c->user);
	secret_drop(&c->authzid);
	secret_drop(&c->password);
	secret_drop(&c->message);
	c->is_verified = false;
	c->mechanism = MECHANISM_LOGIN_COMMAND;
}

void credentials_copy(struct credentials *to, const struct credentials *from)
{
	assert(to != from);
	to->mechanism = from->mechanism;
	to->is_verified = from->is_verified;
	secret_set(&to->user, secret_span(&from->user));
	secret_set(&to->authzid, secret_span(&from->authzid));
	secret_set(&to->password, secret_span(&from->password));
	secret_set(&to->message, secret_span(&from->message));
}

void credentials_move(struct credentials *to, struct credentials *from)
{
	assert(to != from);
	to->mechanism = from->mechanism;
	to->is_verified = from->is_verified;
	secret_move(&to->user, &from->user);
	secret_move(&to->authzid, &from->authzid);
	secret_move(&to->password, &from->password);
	secret_move(&to->message, &from->message);
}
