/*
 * The commands of the sign-in at a server.
 */
#include "signin_priv.h"

#include <assert.h>
#include <stdio.h>

#include "imap/client_id.h"
#include "imap/sasl.h"

static void begin(struct quote *q, const char *tag, const char *verb)
{
	char text[SIGNIN_TAG_MAX + MECHANISM_WORD_MAX + 32];
	int n = snprintf(text, sizeof(text), "%s %s", tag, verb);
	assert(n > 0 && (size_t)n < sizeof(text));
	(void)n;
	quote_begin(q, text);
}

/* The first message follows, right behind the command or behind a "+". False: no room. */
static bool begin_authenticate(
	struct quote *q, const char *tag, const char *mechanism, bool has_initial_response)
{
	char verb[MECHANISM_WORD_MAX + 32];
	snprintf(verb, sizeof(verb), "AUTHENTICATE %s", mechanism);
	begin(q, tag, verb);
	if (has_initial_response) {
		return buf_add_str(&q->text, " ");
	}
	quote_wait(q);
	return true;
}

bool signin_write_plain(struct quote *q, const struct signin_auth *auth, bool has_initial_response)
{
	if (!begin_authenticate(q, auth->tag, "PLAIN", has_initial_response) ||
		!sasl_plain_write(&q->text, auth->authzid, auth->login, auth->password)) {
		return false;
	}
	quote_end(q);
	return true;
}

bool signin_write_message(struct quote *q, const char *tag, const char *mechanism,
	struct span base64, bool has_initial_response)
{
	if (!begin_authenticate(q, tag, mechanism, has_initial_response) ||
		!buf_add(&q->text, base64)) {
		return false;
	}
	quote_end(q);
	return true;
}

bool signin_write_login(struct quote *q, const struct signin_auth *auth)
{
	begin(q, auth->tag, "LOGIN");
	if (!quote_astring(q, auth->login) || !quote_astring(q, auth->password)) {
		return false;
	}
	quote_end(q);
	return true;
}

/* A pair of ID. A value that could be misread is left out: a server needs none of them. */
static bool add_pair(struct buf *out, const char *key, const char *value)
{
	struct span text = span_str(value != NULL ? value : "");
	return text.n == 0 || !quote_is_quotable(text) || client_id_add(out, span_str(key), text);
}

/* An address and its port. A unix socket has neither, and a server that looks closely (Dovecot 2.4) would
 * refuse the command. */
static bool add_address(struct buf *out, const char *which, const char *address, const char *port)
{
	char key[CLIENT_ID_KEY_MAX];
	if (address == NULL || strpbrk(address, ".:") == NULL) {
		return true;
	}
	snprintf(key, sizeof key, "x-%s-ip", which);
	if (!add_pair(out, key, address)) {
		return false;
	}
	snprintf(key, sizeof key, "x-%s-port", which);
	return add_pair(out, key, port);
}

bool signin_write_id(struct buf *out, const char *tag, const struct signin_identity *identity)
{
	unsigned ttl = identity->proxy_ttl > 0 ? identity->proxy_ttl : SIGNIN_PROXY_TTL;
	const char *pairs = identity->pairs != NULL ? identity->pairs : "";
	return buf_addf(out, "%s ID (", tag) &&
	       add_pair(out, "x-session-id", identity->session_id) &&
	       add_address(out, "originating", identity->client_address, identity->client_port) &&
	       add_address(out, "connected", identity->proxy_address, identity->proxy_port) &&
	       buf_add_str(out, pairs) && buf_addf(out, "\"x-proxy-ttl\" \"%u\")\r\n", ttl);
}
