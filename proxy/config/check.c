/*
 * What one key alone cannot tell: files that must be readable, users that must exist, what may
 * happen in clear.
 */
#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/span.h"
#include "raw.h"

/* RFC 1035 section 2.3.4. */
#define SNI_NAME_MAX 253

static bool is_given(const char *text)
{
	return text[0] != '\0';
}

bool raw_check_readable(struct raw *r, struct config_place place, const char *key, const char *file)
{
	struct stat st;
	size_t errors_before = r->errors->count;
	if (!is_given(file)) {
		return true;
	}
	FILE *f = fopen(file, "re");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		config_errors_add(
			r->errors, place, key, "cannot read %s: %s", file, strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		config_errors_add(r->errors, place, key, "cannot read %s: a folder", file);
	}
	if (f != NULL) {
		fclose(f);
	}
	return r->errors->count == errors_before;
}

/* A wildcard stands for one whole label, the leftmost (RFC 6125 section 6.4.3). */
static bool is_sni_name(const char *name)
{
	size_t n = strlen(name);
	if (strncmp(name, "*.", 2) == 0) {
		name += 2;
	}
	return n <= SNI_NAME_MAX && is_given(name) && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
		       strlen(name);
}

/* tls.certificate and tls.key go before the certificates with names. */
static void put_pair_first(struct raw *r)
{
	struct config_tls *tls = &r->config->tls;
	size_t count = tls->certificate_count;
	assert(count == 0 || is_given(tls->certificates[0].name) || r->errors->count > 0);
	tls->certificates = xrealloc(tls->certificates, (count + 1) * sizeof tls->certificates[0]);
	memmove(tls->certificates + 1, tls->certificates, count * sizeof tls->certificates[0]);
	tls->certificates[0] = (struct config_certificate){
		.place = raw_place_of(r, "tls", -1, "certificate"),
		.key_place = raw_place_of(r, "tls", -1, "key"),
		.name = xstrdup(""),
		.certificate = xstrdup(r->pair.certificate),
		.key = xstrdup(r->pair.key),
	};
	tls->certificate_count++;
}

/* Host names have no case (RFC 4343). */
static bool is_name_repeated(const struct config_tls *tls, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcasecmp(tls->certificates[k].name, tls->certificates[i].name) == 0) {
			return true;
		}
	}
	return false;
}

static void check_named(struct raw *r, size_t i)
{
	struct config_certificate *c = &r->config->tls.certificates[i];
	int index = (int)i;
	c->place = raw_place_of(r, "tls.names", index, "certificate");
	c->key_place = raw_place_of(r, "tls.names", index, "key");
	if (is_given(c->name) && !is_sni_name(c->name)) {
		config_errors_add(r->errors, raw_place_of(r, "tls.names", index, "name"),
			"tls.names.name", "\"%s\" is neither a host name nor *.domain", c->name);
	}
	if (is_given(c->name) && is_name_repeated(&r->config->tls, i)) {
		config_errors_add(r->errors, raw_place_of(r, "tls.names", index, "name"),
			"tls.names.name", "\"%s\" stands here twice", c->name);
	}
	(void)raw_check_readable(r, c->place, "tls.names.certificate", c->certificate);
	(void)raw_check_readable(r, c->key_place, "tls.names.key", c->key);
}

static void check_pair(struct raw *r)
{
	const struct config_tls *tls = &r->config->tls;
	struct config_place certificate = raw_place_of(r, "tls", -1, "certificate");
	struct config_place key = raw_place_of(r, "tls", -1, "key");
	if (is_given(r->pair.certificate) && !is_given(r->pair.key)) {
		config_errors_add(
			r->errors, certificate, "tls.key", "missing beside tls.certificate");
	} else if (!is_given(r->pair.certificate) && is_given(r->pair.key)) {
		config_errors_add(r->errors, key, "tls.certificate", "missing beside tls.key");
	} else if (!is_given(r->pair.certificate) && tls->certificate_count > 0) {
		config_errors_add(r->errors, tls->place, "tls.certificate",
			"missing: clients that ask for none of tls.names get this one");
	}
	(void)raw_check_readable(r, certificate, "tls.certificate", r->pair.certificate);
	(void)raw_check_readable(r, key, "tls.key", r->pair.key);
}

/* Keys that are missing were complained about when they were read. */
static bool is_complete(const struct config_tls *tls)
{
	for (size_t i = 0; i < tls->certificate_count; i++) {
		const struct config_certificate *c = &tls->certificates[i];
		if (!is_given(c->certificate) || !is_given(c->key) ||
			(i > 0 && !is_given(c->name))) {
			return false;
		}
	}
	return true;
}

static void check_tls(struct raw *r)
{
	struct config_tls *tls = &r->config->tls;
	size_t errors_before = r->errors->count;
	tls->ciphers_place = raw_place_of(r, "tls", -1, "ciphers");
	tls->ciphersuites_place = raw_place_of(r, "tls", -1, "ciphersuites");
	tls->ticket_key_file_place = raw_place_of(r, "tls", -1, "ticket_key_file");
	check_pair(r);
	for (size_t i = 0; i < tls->certificate_count; i++) {
		check_named(r, i);
	}
	if (is_given(r->pair.certificate)) {
		put_pair_first(r);
	}
	if (r->errors->count > errors_before || !is_complete(tls)) {
		config_drop_certificates(tls); /* see config_load_to_check */
	}
	if (!raw_check_readable(
		    r, tls->ticket_key_file_place, "tls.ticket_key_file", tls->ticket_key_file)) {
		tls->ticket_key_file[0] = '\0';
	}
}

static bool is_repeated(const struct config *c, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(c->listeners[k].text, c->listeners[i].text) == 0) {
			return true;
		}
	}
	return false;
}

/* Another listener has the port for IPv4 (what is a name may be that, too): the kernel refuses a second. */
static bool is_shared_with_ipv4(const struct config *c, size_t i)
{
	for (size_t k = 0; k < c->listener_count; k++) {
		const struct address *a = &c->listeners[k].address;
		if (k != i && a->host != NULL && a->port == c->listeners[i].address.port &&
			!address_is_ipv6(a)) {
			return true;
		}
	}
	return false;
}

/* Names to networks. */
static void take_trusted(struct raw *r, size_t i)
{
	struct config_listener *l = &r->config->listeners[i];
	struct config_place place = raw_place_of(r, "listeners", (int)i, "trusted");
	assert(l->trusted == NULL);
	l->trusted = xcalloc(l->trusted_names.count, sizeof l->trusted[0]);
	for (size_t k = 0; k < l->trusted_names.count; k++) {
		const char *why = "";
		if (network_parse(l->trusted_names.items[k], &l->trusted[l->trusted_count], &why)) {
			l->trusted_count++;
		} else {
			config_errors_add(r->errors, place, "listeners.trusted", "\"%s\": %s",
				l->trusted_names.items[k], why);
		}
	}
	if (l->proxy_protocol && l->trusted_names.count == 0) {
		config_errors_add(r->errors, raw_place_of(r, "listeners", (int)i, "proxy_protocol"),
			"listeners.trusted",
			"missing: nobody could connect, as a PROXY header is taken from trusted "
			"networks only");
	}
}

static void check_listener(struct raw *r, size_t i)
{
	struct config_listener *l = &r->config->listeners[i];
	struct config_place place = raw_place_of(r, "listeners", (int)i, "address");
	assert(l->text == NULL);
	take_trusted(r, i);
	l->text = xstrdup(l->address.text != NULL ? l->address.text : "");
	if (l->address.text == NULL) {
		return; /* the address is wrong: said already */
	}
	l->takes_ipv4 = address_is_any6(&l->address) && !is_shared_with_ipv4(r->config, i);
	if (is_repeated(r->config, i)) {
		config_errors_add(
			r->errors, place, "listeners.address", "\"%s\" stands here twice", l->text);
	}
	/* Said once by hand, or not done: a password in clear is heard by everybody on the way. */
	if (l->tls == TLS_NONE && !l->insecure && !l->address.is_loopback) {
		config_errors_add(r->errors, place, "listeners.tls",
			"passwords would cross the network in clear on %s: set tls, or insecure = "
			"true",
			l->text);
	}
	if (l->tls != TLS_NONE && !is_given(r->pair.certificate)) {
		config_errors_add(
			r->errors, place, "listeners.tls", "TLS needs tls.certificate and tls.key");
	}
}

static void check_listeners(struct raw *r)
{
	struct config *c = r->config;
	if (c->listener_count == 0) {
		config_errors_add(r->errors, raw_place_of(r, "listeners", -1, ""), "listeners",
			"none: there is nothing to do");
	}
	for (size_t i = 0; i < c->listener_count; i++) {
		check_listener(r, i);
	}
}

static void check_authorities(struct raw *r)
{
	for (size_t i = 0; i < r->config->backend_count; i++) {
		struct config_backend *b = &r->config->backends[i];
		b->ca_place = raw_place_of(r, "backends", (int)i, "ca");
		b->forward_place = raw_place_of(r, "backends", (int)i, "forward");
		if (!raw_check_readable(r, b->ca_place, "backends.ca", b->ca)) {
			b->tls = TLS_NONE; /* see config_load_to_check */
		}
	}
}

/* Users and groups may be given by number, which need not have a name (containers). */
static bool is_number(const char *text)
{
	struct span rest = span_str(text);
	uint64_t number;
	/* The highest one means "leave it as it is" to the kernel. */
	return span_take_number(&rest, &number) && rest.n == 0 && number < UINT32_MAX;
}

static void check_rights(struct raw *r)
{
	const struct config *c = r->config;
	if (is_given(c->user) && !is_number(c->user) && getpwnam(c->user) == NULL) {
		config_errors_add(r->errors, raw_place_of(r, "user", -1, ""), "user",
			"there is no user \"%s\"", c->user);
	}
	if (is_given(c->group) && !is_number(c->group) && getgrnam(c->group) == NULL) {
		config_errors_add(r->errors, raw_place_of(r, "group", -1, ""), "group",
			"there is no group \"%s\"", c->group);
	}
}

static void check_admin(struct raw *r)
{
	const char *path = r->config->admin_socket;
	struct config_place place = raw_place_of(r, "admin", -1, "socket");
	r->config->admin_socket_place = place;
	if (is_given(path) && path[0] != '/') {
		config_errors_add(r->errors, place, "admin.socket",
			"must be a path that begins with a slash");
	} else if (strlen(path) > ADDRESS_PATH_MAX) {
		config_errors_add(
			r->errors, place, "admin.socket", "longer than %d bytes", ADDRESS_PATH_MAX);
	}
}

/* Capabilities are atoms; RFC 9051 section 9 compares them in any case. */
static void take_hidden(struct raw *r)
{
	struct config *c = r->config;
	for (size_t i = 0; i < r->hide.count; i++) {
		char *name = r->hide.items[i];
		for (char *p = name; *p != '\0'; p++) {
			*p = (*p >= 'a' && *p <= 'z') ? (char)(*p - ('a' - 'A')) : *p;
		}
		if (!is_given(name) || strpbrk(name, " \t\r\n(){}%*\"\\") != NULL) {
			config_errors_add(r->errors, raw_place_of(r, "capabilities", -1, "hide"),
				"capabilities.hide", "\"%s\" is not the name of a capability",
				name);
		}
		/* See imap/capability.h. */
		if (strcmp(name, "IMAP4REV1") == 0 || strcmp(name, "LOGINDISABLED") == 0) {
			config_errors_add(&c->notes, raw_place_of(r, "capabilities", -1, "hide"),
				"capabilities.hide",
				"\"%s\" is shown all the same: clients go by it", name);
		}
	}
	assert(c->hide == NULL);
	c->hide = r->hide.items;
	c->hide_count = r->hide.count;
	r->hide = (struct config_names){0};
}

/* As many as this process may run on: a container often has fewer than the machine. */
static unsigned usable_cpus(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
		return (unsigned)CPU_COUNT(&set);
	}
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}

void raw_check(struct raw *r)
{
	check_tls(r);
	check_listeners(r);
	check_authorities(r);
	raw_check_auth(r);
	check_rights(r);
	check_admin(r);
	raw_note(r);
	take_hidden(r);
	if (r->config->workers == 0) {
		r->config->workers = usable_cpus();
	}
	assert(r->config->workers > 0);
}
