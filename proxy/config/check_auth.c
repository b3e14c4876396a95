/*
 * Sign-ins that the proxy judges itself: what has to be configured together for them to work.
 */
#include <assert.h>
#include <string.h>

#include "base/span.h"
#include "config/nearest.h"
#include "raw.h"

/* Longer than any that a server knows. */
#define SEPARATOR_MAX 8

static bool is_given(const char *text)
{
	return text[0] != '\0';
}

static bool is_printable(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			return false;
		}
	}
	return true;
}

static void check_separator(struct raw *r, size_t i)
{
	const struct config_backend *b = &r->config->backends[i];
	const char *separator = b->master_separator;
	struct config_place place = raw_place_of(r, "backends", (int)i, "master_separator");
	if (!is_given(separator) || strlen(separator) > SEPARATOR_MAX || !is_printable(separator)) {
		config_errors_add(r->errors, place, "backends.master_separator",
			"must be one to 8 printable characters");
	} else if (b->master_form == MASTER_SEPARATOR &&
		   strstr(b->master_user, separator) != NULL) {
		config_errors_add(r->errors, place, "backends.master_separator",
			"\"%s\" stands in the name of the master user", separator);
	}
}

static void check_master(struct raw *r, size_t i)
{
	struct config_backend *b = &r->config->backends[i];
	struct config_place user = raw_place_of(r, "backends", (int)i, "master_user");
	struct config_place file = raw_place_of(r, "backends", (int)i, "master_password_file");
	b->master_password_file_place = file;
	if (is_given(b->master_user) && !is_given(b->master_password_file)) {
		config_errors_add(r->errors, user, "backends.master_password_file",
			"missing beside backends.master_user");
	} else if (!is_given(b->master_user) && is_given(b->master_password_file)) {
		config_errors_add(r->errors, file, "backends.master_user",
			"missing beside backends.master_password_file");
	}
	if (!raw_check_readable(
		    r, file, "backends.master_password_file", b->master_password_file)) {
		b->master_password_file[0] = '\0'; /* see config_load_to_check */
	}
	check_separator(r, i);
}

static void check_client_certificates(struct raw *r)
{
	struct config_tls *tls = &r->config->tls;
	struct config_place ca = raw_place_of(r, "tls", -1, "client_ca");
	tls->client_ca_place = ca;
	if (tls->client_auth != CLIENT_AUTH_NONE && !is_given(tls->client_ca)) {
		config_errors_add(r->errors, raw_place_of(r, "tls", -1, "client_auth"),
			"tls.client_ca", "missing: who vouches for the clients?");
		tls->client_auth = CLIENT_AUTH_NONE; /* see config_load_to_check */
	}
	if (!raw_check_readable(r, ca, "tls.client_ca", tls->client_ca)) {
		tls->client_ca[0] = '\0';
		tls->client_auth = CLIENT_AUTH_NONE;
	}
}

static void check_files(struct raw *r)
{
	struct config_auth *auth = &r->config->auth;
	auth->password_file_place = raw_place_of(r, "auth", -1, "password_file");
	auth->gssapi_keytab_place = raw_place_of(r, "auth", -1, "gssapi_keytab");
	if (!raw_check_readable(
		    r, auth->password_file_place, "auth.password_file", auth->password_file)) {
		auth->password_file[0] = '\0';
	}
	if (!raw_check_readable(
		    r, auth->gssapi_keytab_place, "auth.gssapi_keytab", auth->gssapi_keytab)) {
		auth->gssapi_keytab[0] = '\0';
	}
	if (is_given(auth->gssapi_keytab) && !is_given(auth->gssapi_service)) {
		config_errors_add(r->errors, raw_place_of(r, "auth", -1, "gssapi_service"),
			"auth.gssapi_service", "must not be empty");
	}
}

/* What a listener may name, and where it ends. */
static const struct mechanism {
	const char *name;
	bool ends_here; /* whatever the server can do */
} mechanisms[] = {
	{"PLAIN", false},
	{"LOGIN", false},
	{"XOAUTH2", false},
	{"OAUTHBEARER", false},
	{"SCRAM-SHA-1", false},
	{"SCRAM-SHA-256", false},
	{"EXTERNAL", true},
	{"CRAM-MD5", true},
	{"GSSAPI", true},
};

/* NULL after a complaint. */
static const struct mechanism *find_mechanism(
	struct raw *r, struct config_place place, const char *name)
{
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		if (span_is_nocase(span_str(name), mechanisms[i].name)) {
			return &mechanisms[i];
		}
		nearest_try(&nearest, mechanisms[i].name);
	}
	if (nearest.best != NULL) {
		config_errors_add(r->errors, place, "listeners.mechanisms",
			"unknown mechanism \"%s\" (did you mean \"%s\"?)", name, nearest.best);
	} else {
		config_errors_add(
			r->errors, place, "listeners.mechanisms", "unknown mechanism \"%s\"", name);
	}
	return NULL;
}

/* What the mechanism needs beside a master user. */
static void check_needs(struct raw *r, size_t listener, struct config_place place, const char *name)
{
	const struct config *c = r->config;
	struct span mechanism = span_str(name);
	const char *missing = NULL;
	if (span_is_nocase(mechanism, "EXTERNAL")) {
		if (c->listeners[listener].tls == TLS_NONE) {
			missing = "TLS on this listener";
		} else if (c->tls.client_auth == CLIENT_AUTH_NONE) {
			missing = "tls.client_auth";
		}
	} else if (span_is_nocase(mechanism, "CRAM-MD5") && !is_given(c->auth.password_file)) {
		missing = "auth.password_file";
	} else if (span_is_nocase(mechanism, "GSSAPI") && !is_given(c->auth.gssapi_keytab)) {
		missing = "auth.gssapi_keytab";
	}
	if (missing != NULL) {
		config_errors_add(
			r->errors, place, "listeners.mechanisms", "%s needs %s", name, missing);
	}
}

/* Who is proved here has to be signed in there, wherever he lives. */
static void check_masters(
	struct raw *r, struct config_place place, const char *key, const char *what)
{
	for (size_t i = 0; i < r->config->backend_count; i++) {
		const struct config_backend *b = &r->config->backends[i];
		if (!is_given(b->master_user)) {
			config_errors_add(r->errors, place, key,
				"%s ends at the proxy, and backend \"%s\" has no master_user", what,
				b->name);
		}
	}
}

static void check_mechanisms(struct raw *r, size_t i)
{
	const struct config_names *names = &r->config->listeners[i].mechanisms;
	struct config_place place = raw_place_of(r, "listeners", (int)i, "mechanisms");
	for (size_t k = 0; k < names->count; k++) {
		const struct mechanism *m = find_mechanism(r, place, names->items[k]);
		if (m == NULL) {
			continue;
		}
		size_t errors_before = r->errors->count;
		check_needs(r, i, place, m->name);
		if (m->ends_here && r->errors->count == errors_before) {
			check_masters(r, place, "listeners.mechanisms", m->name);
		}
	}
}

void raw_check_auth(struct raw *r)
{
	/* Before files that cannot be read are taken out. */
	for (size_t i = 0; i < r->config->listener_count; i++) {
		check_mechanisms(r, i);
	}
	if (is_given(r->config->auth.password_file)) {
		check_masters(r, raw_place_of(r, "auth", -1, "password_file"), "auth.password_file",
			"a sign-in by it");
	}
	for (size_t i = 0; i < r->config->backend_count; i++) {
		check_master(r, i);
	}
	check_client_certificates(r);
	check_files(r);
}
