/*
 * The pairs of ID that a server gets beside the addresses: those of backends.forward, by which an operator
 * tells the server's sign-in something of his own (at Dovecot forward_NAME), and what the client said of
 * itself, or another proxy of it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "route/login.h"
#include "session_priv.h"

/* "x-forward-" and this is CLIENT_ID_KEY_MAX: Dovecot drops longer ones without a word. */
#define FORWARD_NAME_MAX 20
/* See imap/client_id.h. */
#define FORWARD_MAX       8
#define FORWARD_VALUE_MAX 256
#define FORWARD_BYTES_MAX 3072

#define FORWARD_NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static const char *wrong_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (span_find(span_str(FORWARD_NAME_BYTES), name.p[i]) ==
			strlen(FORWARD_NAME_BYTES)) {
			return "a name has letters, digits, _ and -";
		}
	}
	return name.n > 0 && name.n <= FORWARD_NAME_MAX ? NULL : "a name has 1 to 20 characters";
}

static const char *wrong_pair(const char *text)
{
	struct span value = span_str(text);
	struct span name = span_take_until(&value, "=");
	const char *why = wrong_name(name);
	if (why != NULL) {
		return why;
	}
	if (!span_take(&value, '=')) {
		return "must be name=value";
	}
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < ' ' || value.p[i] >= 0x7f) {
			return "only printable ASCII can be forwarded";
		}
	}
	if (value.n > FORWARD_VALUE_MAX) {
		return "a value has at most 256 characters";
	}
	return login_check(value, 0, &why) ? NULL : why;
}

bool session_forward_check(const struct config *c, struct config_errors *errors)
{
	size_t errors_before = errors->count;
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct config_backend *b = &c->backends[i];
		for (size_t k = 0; k < b->forward.count; k++) {
			const char *why = wrong_pair(b->forward.items[k]);
			if (why != NULL) {
				config_errors_add(errors, b->forward_place, "backends.forward",
					"\"%s\": %s", b->forward.items[k], why);
			}
		}
		if (b->forward.count > FORWARD_MAX) {
			config_errors_add(
				errors, b->forward_place, "backends.forward", "more than 8 pairs");
		}
	}
	return errors->count == errors_before;
}

/* A value that is empty, or not fit for ID because of the user's name, is not told. */
static void add_forward(struct buf *out, const char *pair, struct span user)
{
	char key[CLIENT_ID_KEY_MAX + 1];
	struct span form = span_str(pair);
	struct span name = span_take_until(&form, "=");
	span_take(&form, '=');
	snprintf(key, sizeof key, "x-forward-%.*s", SPAN_ARG(name));
	char *value = form.n > 0 ? login_expand(form, user, NULL) : NULL;
	if (value != NULL) {
		(void)client_id_add(out, span_str(key), span_str(value));
	}
	free(value);
}

char *session_id_pairs(const struct session *s)
{
	const struct config_backend *b = &session_config(s)->backends[s->route.backend];
	const struct client_id *id = s->origin != NULL ? s->origin->id : NULL;
	struct buf out;
	buf_init(&out, FORWARD_BYTES_MAX + CLIENT_ID_BYTES_MAX);
	assert(b->forward.count <= FORWARD_MAX);
	for (size_t i = 0; i < b->forward.count; i++) {
		add_forward(&out, b->forward.items[i], span_str(s->user));
	}
	if (id != NULL && buf_len(&out) <= FORWARD_BYTES_MAX) {
		bool fits = buf_add(&out, buf_peek(&id->pairs));
		assert(fits);
		(void)fits;
	}
	char *pairs = buf_len(&out) > 0 ? xmemdup0(buf_peek(&out).p, buf_len(&out)) : NULL;
	buf_finish(&out);
	return pairs;
}
