/*
 * The commands of the sign-in at a server.
 */
#include "signin_priv.h"

#include <assert.h>
#include <stdio.h>

#include "imap/sasl.h"

static void begin(struct quote *q, const char *tag, const char *verb)
{
	char text[SIGNIN_TAG_MAX + 32];
	int n = snprintf(text, sizeof(text), "%s %s", tag, verb);
	assert(n > 0 && (size_t)n < sizeof(text));
	(void)n;
	quote_begin(q, text);
}

bool signin_write_plain(struct quote *q, const struct signin_auth *auth, bool has_initial_response)
{
	begin(q, auth->tag, "AUTHENTICATE PLAIN");
	if (!has_initial_response) {
		quote_wait(q);
	} else if (!buf_add_str(&q->text, " ")) {
		return false;
	}
	if (!sasl_plain_write(&q->text, auth->authzid, auth->login, auth->password)) {
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
	if (text.n == 0 || !quote_is_quotable(text)) {
		return true;
	}
	return buf_addf(out, "\"%s\" ", key) && quote_string(out, text) && buf_add_str(out, " ");
}

bool signin_write_id(struct buf *out, const char *tag, const struct signin_identity *identity)
{
	/* x-proxy-ttl: how many proxies may still follow; Dovecot finds loops by it. */
	return buf_addf(out, "%s ID (", tag) &&
	       add_pair(out, "x-session-id", identity->session_id) &&
	       add_pair(out, "x-originating-ip", identity->client_address) &&
	       add_pair(out, "x-originating-port", identity->client_port) &&
	       add_pair(out, "x-connected-ip", identity->proxy_address) &&
	       add_pair(out, "x-connected-port", identity->proxy_port) &&
	       buf_add_str(out, "\"x-proxy-ttl\" \"7\")\r\n");
}
