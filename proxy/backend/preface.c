/*
 * The PROXY header toward a server (backends.send_proxy).
 *
 * It names the client for whom the connection is opened, and stands before TLS, so it cannot be taken back
 * later: whoever gets the connection from the pool is shown with that address (pool.separate_addresses).
 * A connection that is for nobody (a probe) says so, as a balancer's health check does.
 */
#include <assert.h>
#include <stdio.h>

#include "net/proxy_header.h"
#include "user_priv.h"

static void set_name(struct stream_name *name, const char *address, const char *port)
{
	snprintf(name->address, sizeof name->address, "%s", address != NULL ? address : "");
	snprintf(name->port, sizeof name->port, "%s", port != NULL ? port : "0");
}

/* A client may ask for any bytes as a host name. */
static void set_text(proxy_text out, const char *text)
{
	out[0] = '\0';
	for (const char *p = text; p != NULL && *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			return;
		}
	}
	if (text != NULL && strlen(text) < PROXY_TEXT_MAX) {
		snprintf(out, PROXY_TEXT_MAX, "%s", text);
	}
}

void backend_write_preface(const struct backend *b, struct buf *out)
{
	struct proxy_header header = {.is_local = true};
	buf_init(out, PROXY_HEADER_MAX);
	if (b->config->send_proxy == 0) {
		return;
	}
	if (b->loan != NULL) {
		const struct signin_identity *client = &b->loan->wish->identity;
		header.is_local = false;
		set_name(&header.source, client->client_address, client->client_port);
		set_name(&header.destination, client->proxy_address, client->proxy_port);
		set_text(header.tls_version, client->client_tls);
		set_text(header.authority, client->client_server_name);
		header.is_tls = header.tls_version[0] != '\0';
	}
	bool fits = proxy_header_write(out, b->config->send_proxy, &header);
	assert(fits);
	(void)fits;
}
