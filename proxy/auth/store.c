#include "auth/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "auth/gssapi.h"
#include "auth/passfile.h"
#include "base/alloc.h"
#include "base/refs.h"

static struct hash_key disguise;
static pthread_once_t disguise_once = PTHREAD_ONCE_INIT;

static void make_disguise(void)
{
	disguise = hash_key_random();
}

struct hash_key auth_store_disguise(void)
{
	pthread_once(&disguise_once, make_disguise);
	return disguise;
}

static bool read_users(struct auth_store *s, const struct config *c, struct config_errors *errors)
{
	if (c->auth.password_file[0] == '\0') {
		return true;
	}
	s->users = passtable_create();
	struct passfile *f = passfile_create(c->auth.password_file, s->users, errors);
	bool is_good = passfile_read(f, c->auth.password_file_place);
	passfile_destroy(&f);
	return is_good;
}

static bool read_masters(struct auth_store *s, const struct config *c, struct config_errors *errors)
{
	bool is_good = true;
	s->masters = xcalloc(c->backend_count, sizeof s->masters[0]);
	for (; s->master_count < c->backend_count; s->master_count++) {
		is_good = master_init(&s->masters[s->master_count], &c->backends[s->master_count],
				  errors) &&
			  is_good;
	}
	return is_good;
}

/* What a listener offers that names nothing: what can be pooled. */
#define MECHANISMS_DEFAULT (MECHANISMS_PASSWORD | MECHANISMS_TOKEN)

static unsigned read_mechanisms(const struct config_names *names)
{
	unsigned all = names->count == 0 ? MECHANISMS_DEFAULT : 0;
	for (size_t i = 0; i < names->count; i++) {
		enum mechanism m = mechanism_find(span_str(names->items[i]));
		all |= m != MECHANISM_COUNT ? MECHANISM_BIT(m) : 0;
	}
	/* The LOGIN command sends what PLAIN and LOGIN send. */
	unsigned same = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN);
	return (all & same) != 0 ? all | MECHANISM_BIT(MECHANISM_LOGIN_COMMAND) : all;
}

static bool read_keytab(struct auth_store *s, const struct config *c, struct config_errors *errors)
{
	if (c->auth.gssapi_keytab[0] == '\0') {
		return true;
	}
	s->gss = gss_acceptor_create(&c->auth, errors);
	return s->gss != NULL;
}

struct auth_store *auth_store_create(const struct config *c, struct config_errors *errors)
{
	struct auth_store *s = xcalloc(1, sizeof *s);
	s->refs = 1;
	s->gssapi_user = c->auth.gssapi_user;
	s->client_user = c->tls.client_user;
	s->mechanisms = xcalloc(c->listener_count, sizeof s->mechanisms[0]);
	for (size_t i = 0; i < c->listener_count; i++) {
		s->mechanisms[i] = read_mechanisms(&c->listeners[i].mechanisms);
	}
	bool is_good = read_users(s, c, errors);
	is_good = read_masters(s, c, errors) && is_good;
	is_good = read_keytab(s, c, errors) && is_good;
	if (!is_good) {
		auth_store_unref(&s);
	}
	return s;
}

struct auth_store *auth_store_ref(struct auth_store *s)
{
	refs_take(&s->refs);
	return s;
}

void auth_store_unref(struct auth_store **s)
{
	struct auth_store *old = *s;
	*s = NULL;
	if (old == NULL || !refs_drop(&old->refs)) {
		return;
	}
	for (size_t i = 0; i < old->master_count; i++) {
		master_finish(&old->masters[i]);
	}
	free(old->masters);
	free(old->mechanisms);
	passtable_destroy(&old->users);
	gss_acceptor_destroy(&old->gss);
	free(old);
}

const struct master *auth_store_master(const struct auth_store *s, size_t backend)
{
	assert(backend < s->master_count);
	const struct master *m = &s->masters[backend];
	return master_is_known(m) ? m : NULL;
}
