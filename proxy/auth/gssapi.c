/*
 * Messages of one exchange (RFC 4752 section 3):
 *
 *	CONTEXT  tokens until the context stands; a last token of ours is answered by an empty message
 *	OFFER    we wrap 01 000000: no security layer, and no message size, as there is none
 *	ANSWER   the client wraps 01 and a size, then whom he wants to be
 *	ENDED
 */
#include "auth/gssapi.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

#ifdef IMAPMUX_GSSAPI

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

enum { LAYER_NONE = 1, LAYER_BYTES = 4, NAME_TEXT_MAX = 1024, REASON_MAX = 256 };

struct gss_acceptor {
	gss_cred_id_t key;
};

enum step { CONTEXT, OFFER, ANSWER, ENDED };

struct gss_exchange {
	struct gss_acceptor *acceptor;
	gss_ctx_id_t context;
	int step; /* enum step */
	struct secret client, service, authzid;
	char reason[REASON_MAX];
};

/* The library's words for a pair of status values, into room. */
static void describe(OM_uint32 major, OM_uint32 minor, char *room, size_t size)
{
	OM_uint32 ignored, more = 0;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	bool has_minor = minor != 0;
	OM_uint32 code = has_minor ? minor : major;
	int type = has_minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE;
	if (gss_display_status(&ignored, code, type, (gss_OID)gss_mech_krb5, &more, &text) ==
		GSS_S_COMPLETE) {
		snprintf(room, size, "%.*s", (int)text.length, (const char *)text.value);
	} else {
		snprintf(room, size, "status %u/%u", (unsigned)major, (unsigned)minor);
	}
	gss_release_buffer(&ignored, &text);
}

static gss_buffer_desc buffer_of(struct span s)
{
	return (gss_buffer_desc){.length = s.n, .value = (void *)(uintptr_t)s.p};
}

/* "imap@host", or "imap": any host that the keytab has a key for. */
static OM_uint32 import_service(const struct config_auth *auth, gss_name_t *name, OM_uint32 *minor)
{
	char text[NAME_TEXT_MAX];
	bool has_host = auth->gssapi_hostname[0] != '\0';
	snprintf(text, sizeof text, "%s%s%s", auth->gssapi_service, has_host ? "@" : "",
		auth->gssapi_hostname);
	gss_buffer_desc buffer = buffer_of(span_str(text));
	return gss_import_name(minor, &buffer, GSS_C_NT_HOSTBASED_SERVICE, name);
}

static OM_uint32 acquire(const struct config_auth *auth, gss_cred_id_t *key, OM_uint32 *minor)
{
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 ignored;
	gss_key_value_element_desc element = {.key = "keytab", .value = auth->gssapi_keytab};
	gss_key_value_set_desc store = {.count = 1, .elements = &element};
	gss_OID_set_desc mechanisms = {.count = 1, .elements = (gss_OID)gss_mech_krb5};
	OM_uint32 major = import_service(auth, &name, minor);
	if (!GSS_ERROR(major)) {
		major = gss_acquire_cred_from(minor, name, GSS_C_INDEFINITE, &mechanisms,
			GSS_C_ACCEPT, &store, key, NULL, NULL);
	}
	gss_release_name(&ignored, &name);
	return major;
}

struct gss_acceptor *gss_acceptor_create(
	const struct config_auth *auth, struct config_errors *errors)
{
	gss_cred_id_t key = GSS_C_NO_CREDENTIAL;
	OM_uint32 minor = 0;
	OM_uint32 major = acquire(auth, &key, &minor);
	if (GSS_ERROR(major)) {
		char why[REASON_MAX];
		describe(major, minor, why, sizeof why);
		config_errors_add(errors, auth->gssapi_keytab_place, "auth.gssapi_keytab", "%s: %s",
			auth->gssapi_keytab, why);
		return NULL;
	}
	struct gss_acceptor *a = xcalloc(1, sizeof *a);
	a->key = key;
	return a;
}

void gss_acceptor_destroy(struct gss_acceptor **a)
{
	OM_uint32 ignored;
	if (*a != NULL) {
		gss_release_cred(&ignored, &(*a)->key);
		free(*a);
		*a = NULL;
	}
}

struct gss_exchange *gss_exchange_create(struct gss_acceptor *a)
{
	struct gss_exchange *e = xcalloc(1, sizeof *e);
	e->acceptor = a;
	e->context = GSS_C_NO_CONTEXT;
	return e;
}

void gss_exchange_destroy(struct gss_exchange **e)
{
	struct gss_exchange *gone = *e;
	OM_uint32 ignored;
	*e = NULL;
	if (gone != NULL) {
		gss_delete_sec_context(&ignored, &gone->context, GSS_C_NO_BUFFER);
		secret_drop(&gone->client);
		secret_drop(&gone->service);
		secret_drop(&gone->authzid);
		free(gone);
	}
}

static enum gss_verdict refuse(struct gss_exchange *e, const char *why)
{
	snprintf(e->reason, sizeof e->reason, "%s", why);
	e->step = ENDED;
	return GSS_NO;
}

static enum gss_verdict fail(struct gss_exchange *e, OM_uint32 major, OM_uint32 minor)
{
	describe(major, minor, e->reason, sizeof e->reason);
	e->step = ENDED;
	return GSS_NO;
}

/* Appends and frees; false: the room is used up. */
static bool take_output(gss_buffer_desc *from, struct buf *out)
{
	OM_uint32 ignored;
	bool fits = buf_add(out, span_of(from->value, from->length));
	gss_release_buffer(&ignored, from);
	return fits;
}

static bool print_name(gss_name_t name, struct secret *out)
{
	OM_uint32 minor, ignored;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	bool is_good = name != GSS_C_NO_NAME &&
		       gss_display_name(&minor, name, &text, NULL) == GSS_S_COMPLETE;
	if (is_good) {
		secret_set(out, span_of(text.value, text.length));
	}
	gss_release_buffer(&ignored, &text);
	return is_good;
}

static bool learn_names(struct gss_exchange *e)
{
	OM_uint32 minor, ignored;
	gss_name_t client = GSS_C_NO_NAME;
	gss_name_t service = GSS_C_NO_NAME;
	OM_uint32 major = gss_inquire_context(
		&minor, e->context, &client, &service, NULL, NULL, NULL, NULL, NULL);
	bool is_good = !GSS_ERROR(major) && print_name(client, &e->client) &&
		       print_name(service, &e->service);
	gss_release_name(&ignored, &client);
	gss_release_name(&ignored, &service);
	return is_good;
}

/* No security layer: its bit, and as there is none, no size of its messages. */
static enum gss_verdict offer(struct gss_exchange *e, struct buf *out)
{
	OM_uint32 minor;
	static const uint8_t layers[LAYER_BYTES] = {LAYER_NONE, 0, 0, 0};
	gss_buffer_desc plain = buffer_of(span_of(layers, sizeof layers));
	gss_buffer_desc wrapped = GSS_C_EMPTY_BUFFER;
	OM_uint32 major =
		gss_wrap(&minor, e->context, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &wrapped);
	if (GSS_ERROR(major)) {
		return fail(e, major, minor);
	}
	if (!take_output(&wrapped, out)) {
		return refuse(e, "token too large");
	}
	e->step = ANSWER;
	return GSS_MORE;
}

static enum gss_verdict on_token(struct gss_exchange *e, struct span message, struct buf *out)
{
	OM_uint32 minor = 0;
	gss_buffer_desc token = buffer_of(message);
	gss_buffer_desc reply = GSS_C_EMPTY_BUFFER;
	OM_uint32 flags = 0;
	OM_uint32 major = gss_accept_sec_context(&minor, &e->context, e->acceptor->key, &token,
		GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL, &reply, &flags, NULL, NULL);
	bool has_reply = reply.length > 0;
	bool fits = take_output(&reply, out);
	if (GSS_ERROR(major)) {
		return fail(e, major, minor);
	}
	if (!fits) {
		return refuse(e, "token too large");
	}
	if ((major & GSS_S_CONTINUE_NEEDED) != 0) {
		return GSS_MORE;
	}
	/* Anonymous is nobody, whatever his name looks like; and the answer must be signed. */
	if ((flags & GSS_C_ANON_FLAG) != 0 || (flags & GSS_C_INTEG_FLAG) == 0 || !learn_names(e)) {
		return refuse(e, "the context has no name or no integrity");
	}
	e->step = OFFER;
	return has_reply ? GSS_MORE : offer(e, out);
}

/* MIT's gss_release_buffer forgets the byte behind an empty message. */
static void release_plain(gss_buffer_desc *plain)
{
	OM_uint32 ignored;
	if (plain->length == 0) {
		free(plain->value);
		*plain = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
	}
	gss_release_buffer(&ignored, plain);
}

static enum gss_verdict on_answer(struct gss_exchange *e, struct span message)
{
	OM_uint32 minor;
	gss_buffer_desc wrapped = buffer_of(message);
	gss_buffer_desc plain = GSS_C_EMPTY_BUFFER;
	OM_uint32 major = gss_unwrap(&minor, e->context, &wrapped, &plain, NULL, NULL);
	if (GSS_ERROR(major)) {
		return fail(e, major, minor);
	}
	struct span answer = span_of(plain.value, plain.length);
	bool is_good = answer.n >= LAYER_BYTES && answer.p[0] == LAYER_NONE;
	if (is_good) {
		struct span authzid = span_slice(answer, LAYER_BYTES, answer.n);
		is_good = span_find(authzid, '\0') == authzid.n;
		secret_set(&e->authzid, authzid);
	}
	release_plain(&plain);
	if (!is_good) {
		return refuse(e, "the client wants a security layer, or its answer is malformed");
	}
	e->step = ENDED;
	return GSS_DONE;
}

enum gss_verdict gss_exchange_step(struct gss_exchange *e, struct span message, struct buf *out)
{
	switch ((enum step)e->step) {
	case CONTEXT:
		return on_token(e, message, out);
	case OFFER:
		return message.n == 0 ? offer(e, out) : refuse(e, "expected an empty message");
	case ANSWER:
		return on_answer(e, message);
	case ENDED:
		break;
	}
	assert(!"the exchange has ended");
	return GSS_NO;
}

struct span gss_exchange_client(const struct gss_exchange *e)
{
	return secret_span(&e->client);
}

struct span gss_exchange_service(const struct gss_exchange *e)
{
	return secret_span(&e->service);
}

struct span gss_exchange_authzid(const struct gss_exchange *e)
{
	return secret_span(&e->authzid);
}

const char *gss_exchange_reason(const struct gss_exchange *e)
{
	return e->reason;
}

#else /* a build without Kerberos: no acceptor, and nobody who could begin an exchange */

struct gss_acceptor *gss_acceptor_create(
	const struct config_auth *auth, struct config_errors *errors)
{
	config_errors_add(errors, auth->gssapi_keytab_place, "auth.gssapi_keytab",
		"this imapmux was built without GSSAPI");
	return NULL;
}

void gss_acceptor_destroy(struct gss_acceptor **a)
{
	assert(*a == NULL);
	(void)a;
}

#endif
