/*
 * What is known of a client by hearsay, and from whom it is taken.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "session_priv.h"

struct session_origin *session_origin_create(void)
{
	return xcalloc(1, sizeof(struct session_origin));
}

void session_origin_destroy(struct session_origin **o)
{
	struct session_origin *old = *o;
	*o = NULL;
	if (old != NULL) {
		free(old->tls_version);
		free(old->authority);
		free(old->session_id);
		free(old);
	}
}

static char *said(const char *text)
{
	return text[0] != '\0' ? xstrdup(text) : NULL;
}

struct session_origin *session_origin_of(const struct proxy_header *header, const char *via)
{
	struct session_origin *o = session_origin_create();
	int n = snprintf(o->via, sizeof o->via, "%s", via);
	assert(n > 0 && (size_t)n < sizeof o->via);
	(void)n;
	o->is_tls = header->is_tls;
	o->tls_version = said(header->tls_version);
	o->authority = said(header->authority);
	o->session_id = said(header->unique_id);
	return o;
}

bool session_trusts(const struct config_listener *l, const char *address)
{
	return network_has(l->trusted, l->trusted_count, address);
}

const char *session_counted_address(const char *address, bool is_trusted)
{
	/* All clients of a balancer or a webmail come from there: that many are no attack. */
	return is_trusted ? "" : address;
}
