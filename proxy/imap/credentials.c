#include "imap/credentials.h"

#include <assert.h>

const char *mechanism_name(enum mechanism m)
{
	static const char *const names[MECHANISM_COUNT] = {
		[MECHANISM_LOGIN_COMMAND] = "LOGIN",
		[MECHANISM_PLAIN] = "PLAIN",
		[MECHANISM_LOGIN] = "SASL-LOGIN",
	};
	assert(m < MECHANISM_COUNT);
	return names[m];
}

size_t credentials_size(const struct credentials *c)
{
	return c->user.len + c->authzid.len + c->password.len;
}

void credentials_drop(struct credentials *c)
{
	secret_drop(&c->user);
	secret_drop(&c->authzid);
	secret_drop(&c->password);
	c->mechanism = MECHANISM_LOGIN_COMMAND;
}

void credentials_copy(struct credentials *to, const struct credentials *from)
{
	assert(to != from);
	to->mechanism = from->mechanism;
	secret_set(&to->user, secret_span(&from->user));
	secret_set(&to->authzid, secret_span(&from->authzid));
	secret_set(&to->password, secret_span(&from->password));
}

void credentials_move(struct credentials *to, struct credentials *from)
{
	assert(to != from);
	to->mechanism = from->mechanism;
	secret_move(&to->user, &from->user);
	secret_move(&to->authzid, &from->authzid);
	secret_move(&to->password, &from->password);
}
