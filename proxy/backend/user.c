/*
 * Users at servers: what is parked for them, and which credentials the server has proved.
 *
 * An entry is made by a successful sign-in only, so strangers cannot fill the table, and it goes with the
 * last signed-in connection of its user. The key holds everything that makes a server that server: a
 * changed configuration never finds connections to the old one.
 */
#include "backend_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Legitimate users choose their names too: no aiming at one bucket. One key for all workers' tables. */
static struct hash_key table_key;
static pthread_once_t table_key_once = PTHREAD_ONCE_INIT;

static void make_table_key(void)
{
	table_key = hash_key_random();
}

#define HASH_FUNCTION(key, len, hash)                                                              \
	do {                                                                                       \
		(hash) = (unsigned)hash_bytes(table_key, span_of((key), (len)));                   \
	} while (0)
#include <uthash.h>

/* Paths and names of a configuration, and a login of at most ROUTE_USER_MAX and its template. */
enum { POOL_KEY_MAX = 65536 };

struct pool_user {
	char *key;
	size_t key_len;
	size_t connections; /* signed in, in any state but CLOSING */
	struct list parked; /* struct backend.user_node, oldest first */
	struct list proofs; /* struct known_proof, oldest first */
	char *capabilities; /* the server's newest list for him */
	UT_hash_handle hh;
};

void pool_users_init(void)
{
	pthread_once(&table_key_once, make_table_key);
}

/* Everything that makes a server that server, as text. */
static void add_server_identity(struct buf *out, const struct config_backend *s)
{
	const struct address *a = &s->address;
	const char *place = a->kind == ADDRESS_UNIX ? a->path : a->host;
	bool fits = buf_addf(out, "%s|%d|%s|%u|%d|%s|%d|%s", s->name, (int)a->kind, place, a->port,
		(int)s->tls, s->ca, s->verify, s->server_name);
	/* A cut identity could stand for two servers. */
	if (!fits) {
		abort();
	}
}

void pool_user_key(struct loan *l)
{
	struct buf key;
	buf_init(&key, POOL_KEY_MAX);
	add_server_identity(&key, l->server);
	/* The NUL between them: no login can imitate another server. */
	if (!buf_add(&key, span_of("", 1)) || !buf_add(&key, secret_span(&l->login))) {
		abort();
	}
	l->key_len = buf_len(&key);
	l->key = xmemdup0(buf_peek(&key).p, l->key_len);
	buf_finish(&key);
}

char *pool_server_identity(const struct config_backend *s)
{
	struct buf identity;
	buf_init(&identity, POOL_KEY_MAX);
	add_server_identity(&identity, s);
	char *text = xmemdup0(buf_peek(&identity).p, buf_len(&identity));
	buf_finish(&identity);
	return text;
}

bool pool_user_is_kept(const struct backend *b)
{
	assert(b->user != NULL);
	for (size_t i = 0; i < b->pool->server_count; i++) {
		if (strcmp(b->user->key, b->pool->servers[i]) == 0) {
			return true;
		}
	}
	return false;
}

static struct pool_user *find_user(struct pool *p, const struct loan *l)
{
	struct pool_user *u;
	HASH_FIND(hh, p->users, l->key, l->key_len, u);
	return u;
}

static struct known_proof *find_proof(struct pool_user *u, const struct proof *proof)
{
	LIST_FOREACH_SAFE(node, &u->proofs)
	{
		struct known_proof *known = LIST_OBJECT(node, struct known_proof, node);
		if (proof_equal(&known->proof, proof)) {
			return known;
		}
	}
	return NULL;
}

static void drop_proof(struct known_proof *known)
{
	list_remove(&known->node);
	secret_wipe(known, sizeof *known);
	free(known);
}

static struct pool_user *make_user(struct pool *p, const struct loan *l)
{
	struct pool_user *u = xcalloc(1, sizeof *u);
	u->key = xmemdup0(l->key, l->key_len);
	u->key_len = l->key_len;
	HASH_ADD_KEYPTR(hh, p->users, u->key, u->key_len, u);
	return u;
}

/*
 * A secret that was not known before has been proved: most likely a changed password. The others must
 * be proved again before they count; one that the server then accepts (a second device's own password)
 * is as good as before.
 */
static void doubt_proofs(struct pool_user *u)
{
	LIST_FOREACH_SAFE(node, &u->proofs)
	{
		LIST_OBJECT(node, struct known_proof, node)->is_doubted = true;
	}
}

void pool_user_attach(struct backend *b, const struct loan *l)
{
	struct pool *p = b->pool;
	struct pool_user *u = find_user(p, l);
	if (u == NULL) {
		u = make_user(p, l);
	}
	u->connections++;
	b->user = u;
	struct known_proof *known = find_proof(u, &l->proof);
	if (known != NULL) {
		list_remove(&known->node);
		known->is_doubted = false;
	} else {
		doubt_proofs(u);
		if (u->proofs.len >= POOL_PROOFS_PER_USER) {
			drop_proof(LIST_OBJECT(u->proofs.first, struct known_proof, node));
		}
		known = xcalloc(1, sizeof *known);
		known->proof = l->proof;
	}
	known->proved_ms = net_loop_now(p->loop);
	list_push_back(&u->proofs, &known->node);
	free(u->capabilities);
	u->capabilities = xstrdup(b->capabilities);
}

void pool_user_detach(struct backend *b)
{
	struct pool_user *u = b->user;
	if (u == NULL) {
		return;
	}
	b->user = NULL;
	assert(u->connections > 0);
	if (--u->connections > 0) {
		return;
	}
	assert(u->parked.len == 0);
	while (u->proofs.first != NULL) {
		drop_proof(LIST_OBJECT(u->proofs.first, struct known_proof, node));
	}
	HASH_DEL(b->pool->users, u);
	free(u->key);
	free(u->capabilities);
	free(u);
}

void pool_user_park(struct backend *b)
{
	struct pool *p = b->pool;
	struct pool_user *u = b->user;
	assert(b->state == BACKEND_PARKED);
	list_push_back(&u->parked, &b->user_node);
	/* The newest is the most useful one: the oldest make room. */
	while (u->parked.len > p->settings.max_idle_per_user) {
		counter_add(p->counters, COUNTER_POOL_EVICTED, 1);
		backend_close(
			LIST_OBJECT(u->parked.first, struct backend, user_node), FAIL_POOL_FULL);
	}
	while (p->states[BACKEND_PARKED].len > p->max_parked) {
		struct list_node *oldest = p->states[BACKEND_PARKED].first;
		counter_add(p->counters, COUNTER_POOL_EVICTED, 1);
		backend_close(LIST_OBJECT(oldest, struct backend, node), FAIL_POOL_FULL);
	}
}

/* Law 2: not extended by hits; afterwards the server is asked again. */
static bool is_fresh(const struct pool *p, const struct known_proof *known)
{
	return !known->is_doubted &&
	       net_loop_now(p->loop) - known->proved_ms < p->settings.credential_ttl;
}

const char *pool_user_known(struct pool *p, const struct loan *l)
{
	struct pool_user *u = find_user(p, l);
	struct known_proof *known = u != NULL ? find_proof(u, &l->proof) : NULL;
	return known != NULL && is_fresh(p, known) ? u->capabilities : NULL;
}

struct backend *pool_user_find(struct pool *p, const struct loan *l, struct span class)
{
	struct pool_user *u = find_user(p, l);
	struct known_proof *known = u != NULL ? find_proof(u, &l->proof) : NULL;
	if (known == NULL || (!l->is_proved && !is_fresh(p, known))) {
		return NULL;
	}
	/* Last in, first out: the longest idle ones can then age away. */
	for (struct list_node *node = u->parked.last; node != NULL; node = node->prev) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		if (proof_equal(&b->proof, &l->proof) && span_equal(buf_peek(&b->enabled), class)) {
			return b;
		}
	}
	return NULL;
}

void pool_user_disprove(struct pool *p, const struct loan *l)
{
	struct pool_user *u = find_user(p, l);
	struct known_proof *known = u != NULL ? find_proof(u, &l->proof) : NULL;
	if (known == NULL) {
		return; /* just a wrong password: what is parked is not touched */
	}
	drop_proof(known);
	LIST_FOREACH_SAFE(node, &u->parked)
	{
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		if (!proof_equal(&b->proof, &l->proof)) {
			continue;
		}
		bool is_last = u->connections == 1;
		backend_close(b, FAIL_STALE);
		if (is_last) {
			return; /* u is gone */
		}
	}
}

bool pool_user_make_room(struct pool *p, const struct loan *l)
{
	struct pool_user *u = find_user(p, l);
	if (u == NULL || u->parked.first == NULL) {
		return false;
	}
	counter_add(p->counters, COUNTER_POOL_EVICTED, 1);
	backend_close(LIST_OBJECT(u->parked.first, struct backend, user_node), FAIL_POOL_FULL);
	return true;
}

void pool_user_drop(struct backend *b, enum fail why)
{
	struct pool_user *u = b->user;
	while (u->proofs.first != NULL) {
		drop_proof(LIST_OBJECT(u->proofs.first, struct known_proof, node));
	}
	LIST_FOREACH_SAFE(node, &u->parked)
	{
		struct backend *other = LIST_OBJECT(node, struct backend, user_node);
		if (other != b) {
			backend_close(other, why);
		}
	}
}
