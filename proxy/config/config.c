/*
 * The snapshot's life: counted by whoever serves by it, freed whole. Sessions hold it on any thread, so
 * the count is atomic; everything else was written before the first reference was handed out.
 */
#include "config/config.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/refs.h"
#include "raw.h"

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
}

static void free_listeners(struct config *c)
{
	assert(c->listener_count == 0 || c->listeners != NULL);
	for (size_t i = 0; i < c->listener_count; i++) {
		free(c->listeners[i].text);
		address_finish(&c->listeners[i].address);
		free_names(
			c->listeners[i].trusted_names.items, c->listeners[i].trusted_names.count);
		free(c->listeners[i].trusted);
		free_names(c->listeners[i].mechanisms.items, c->listeners[i].mechanisms.count);
	}
	free(c->listeners);
}

void config_drop_certificates(struct config_tls *tls)
{
	assert(tls->certificate_count == 0 || tls->certificates != NULL);
	for (size_t i = 0; i < tls->certificate_count; i++) {
		free(tls->certificates[i].name);
		free(tls->certificates[i].certificate);
		free(tls->certificates[i].key);
	}
	free(tls->certificates);
	tls->certificates = NULL;
	tls->certificate_count = 0;
}

static void free_tls(struct config_tls *tls)
{
	config_drop_certificates(tls);
	free(tls->min_version);
	free(tls->ciphers);
	free(tls->ciphersuites);
	free(tls->client_ca);
	free(tls->ticket_key_file);
}

static void free_auth(struct config_auth *auth)
{
	free(auth->password_file);
	free(auth->gssapi_keytab);
	free(auth->gssapi_service);
	free(auth->gssapi_hostname);
}

static void free_backends(struct config *c)
{
	assert(c->backend_count == 0 || c->backends != NULL);
	for (size_t i = 0; i < c->backend_count; i++) {
		struct config_backend *b = &c->backends[i];
		free(b->name);
		address_finish(&b->address);
		free(b->ca);
		free(b->server_name);
		free_names(b->forward.items, b->forward.count);
		free(b->min_version);
		free(b->master_user);
		free(b->master_password_file);
		free(b->master_separator);
	}
	free(c->backends);
}

static void free_routes(struct config *c)
{
	for (size_t i = 0; i < c->group_count; i++) {
		free(c->groups[i].name);
		free(c->groups[i].backends);
	}
	free(c->groups);
	for (size_t i = 0; i < c->rule_count; i++) {
		free(c->rules[i].pattern);
		free(c->rules[i].target);
		free(c->rules[i].login);
	}
	free(c->rules);
}

static void destroy(struct config *c)
{
	assert(atomic_load_explicit(&c->refs, memory_order_relaxed) == 0);
	free_listeners(c);
	free_tls(&c->tls);
	free_auth(&c->auth);
	free_backends(c);
	free_routes(c);
	free_names(c->hide, c->hide_count);
	free_names(c->files, c->file_count);
	free(c->user);
	free(c->group);
	free(c->admin_socket);
	free(c->admin_http);
	config_errors_finish(&c->notes);
	free(c->file);
	free(c);
}

struct config *config_ref(struct config *c)
{
	refs_take(&c->refs);
	return c;
}

void config_unref(struct config **c)
{
	struct config *gone = *c;
	*c = NULL;
	if (gone != NULL && refs_drop(&gone->refs)) {
		destroy(gone);
	}
}

bool config_find_target(const struct config *c, const char *name, bool *is_group, size_t *index)
{
	assert(name != NULL);
	for (size_t i = 0; i < c->backend_count; i++) {
		if (strcmp(c->backends[i].name, name) == 0) {
			*is_group = false;
			*index = i;
			return true;
		}
	}
	for (size_t i = 0; i < c->group_count; i++) {
		if (strcmp(c->groups[i].name, name) == 0) {
			*is_group = true;
			*index = i;
			return true;
		}
	}
	return false;
}
