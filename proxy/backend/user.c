/*
 * The table of users at servers: whose connections are whose, how many one may have, what is parked.
 *
 * The key holds everything that makes a server that server: a changed configuration never finds
 * connections to the old one. It also holds the authorization identity, because a connection that an
 * administrator opened for somebody is that somebody's, and the master user, because what he opened is
 * no proof of a user's own password.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"

/* Legitimate users choose their names too: no aiming at one bucket. One key for all workers' tables. */
static struct hash_key table_key;
static pthread_once_t table_key_once = PTHREAD_ONCE_INIT;

#define HASH_FUNCTION(key, len, hash)                                                              \
	do {                                                                                       \
		(hash) = (unsigned)hash_bytes(table_key, span_of((key), (len)));                   \
	} while (0)
#include "user_priv.h"

/* Paths and names of a configuration, a login of at most ROUTE_USER_MAX and its template, a name that a
 * client wrote (limits.preauth_bytes). */
enum { USER_KEY_MAX = 1 << 20 };

static void make_table_key(void)
{
	table_key = hash_key_random();
}

void users_init(void)
{
	pthread_once(&table_key_once, make_table_key);
}

void users_wake(struct pool *p)
{
	for (struct pool_user *u = p->users; u != NULL; u = u->hh.next) {
		queue_wake(p, u);
	}
}

void user_key(struct buf *key, const struct pool_server *s, const struct pool_request *request)
{
	struct span end = span_of("", 1);
	buf_init(key, USER_KEY_MAX);
	/* None of them holds a NUL (imap/credentials.h): no login can imitate another server. */
	bool fits = buf_add(key, span_of(s->identity, strlen(s->identity) + 1)) &&
		    buf_add(key, request->login) && buf_add(key, end) &&
		    buf_add(key, secret_span(&request->credentials->authzid)) &&
		    buf_add(key, end) && buf_add(key, request->signer) && buf_add(key, end);
	/* A cut key could stand for two users. */
	if (!fits) {
		abort();
	}
}

struct span user_login(const struct pool_user *u)
{
	return span_str(u->key + strlen(u->key) + 1);
}

struct pool_user *user_find(struct pool *p, struct span key)
{
	struct pool_user *u;
	HASH_FIND(hh, p->users, key.p, key.n, u);
	return u;
}

struct pool_user *user_enter(struct pool *p, const struct loan *l)
{
	struct pool_user *u = user_find(p, span_of(l->wish->key, l->wish->key_len));
	if (u == NULL) {
		u = xcalloc(1, sizeof *u);
		u->server = server_ref(l->server);
		u->key = xmemdup0(l->wish->key, l->wish->key_len);
		u->key_len = l->wish->key_len;
		HASH_ADD_KEYPTR(hh, p->users, u->key, u->key_len, u);
	}
	u->refs++;
	return u;
}

void user_release(struct pool_user *u)
{
	struct pool_server *s = u->server;
	assert(u->refs > 0);
	if (--u->refs > 0) {
		return;
	}
	assert(u->connections == 0 && u->waiting.len == 0 && u->turn.list == NULL);
	assert(u->parked.len + u->lent.len + u->busy.len == 0);
	assert(u->proofs.len == 0 && u->capabilities == NULL);
	list_remove(&u->woken);
	HASH_DEL(s->pool->users, u);
	free(u->key);
	free(u);
	server_unref(s);
}

/* Connections. */

bool user_has_room(const struct pool_user *u, const struct loan *l)
{
	size_t most = u->server->pool->settings.max_per_user;
	if (most == 0) {
		return true;
	}
	if (u->connections >= most) {
		return false;
	}
	size_t most_unproved = (most + POOL_UNPROVED_PART - 1) / POOL_UNPROVED_PART;
	return l->is_proved || known_is(u, l) || u->unproved < most_unproved;
}

void user_take(struct backend *b, struct loan *l)
{
	struct pool_user *u = l->user;
	assert(b->user == NULL);
	b->user = u;
	u->refs++;
	u->connections++;
	b->is_unproved = !l->is_proved && !known_is(u, l);
	u->unproved += b->is_unproved ? 1 : 0;
}

static void prove(struct backend *b)
{
	if (b->is_unproved) {
		assert(b->user->unproved > 0);
		b->user->unproved--;
		b->is_unproved = false;
	}
}

void user_signed_in(struct backend *b, const struct loan *l)
{
	struct pool_user *u = b->user;
	assert(b->capabilities != NULL);
	prove(b);
	b->proof = l->wish->proof;
	b->secret = loan_secret(l);
	b->kind = l->wish->kind;
	user_moved(b);
	caps_unref(&u->capabilities);
	u->capabilities = caps_ref(b->capabilities);
	if (!b->is_condemned) {
		known_learn(b);
	}
	/* Whoever waits with the same credential is proved with it. */
	queue_wake(b->pool, u);
}

static struct list *list_of(const struct backend *b)
{
	switch ((enum backend_state)b->state) {
	case BACKEND_PARKED:
		return &b->user->parked;
	case BACKEND_LENT:
		return &b->user->lent;
	case BACKEND_CLOSING:
		return NULL;
	default:
		return &b->user->busy;
	}
}

/* A kick at the server ends every connection: then it is asked again. */
static void forget_without_connection(struct pool_user *u)
{
	if (u->parked.len + u->lent.len + u->busy.len > 0) {
		return;
	}
	known_forget(u);
	caps_unref(&u->capabilities);
}

void user_moved(struct backend *b)
{
	struct pool_user *u = b->user;
	if (u == NULL || b->capabilities == NULL) {
		return;
	}
	struct list *list = list_of(b);
	list_remove(&b->user_node);
	if (list != NULL) {
		list_push_back(list, &b->user_node);
	} else {
		forget_without_connection(u);
	}
}

void user_signed_out(struct backend *b)
{
	struct pool_user *u = b->user;
	assert(b->loan == NULL && b->capabilities != NULL);
	list_remove(&b->user_node);
	forget_without_connection(u);
	caps_unref(&b->capabilities);
	buf_clear(&b->enabled);
	secret_wipe(&b->proof, sizeof b->proof);
	secret_wipe(&b->secret, sizeof b->secret);
	b->is_condemned = false;
	b->must_enable = false;
	user_left(b);
}

void user_left(struct backend *b)
{
	struct pool_user *u = b->user;
	if (u == NULL) {
		return;
	}
	assert(b->user_node.list == NULL && u->connections > 0);
	prove(b);
	u->connections--;
	u->leaving -= b->is_leaving ? 1 : 0;
	b->user = NULL;
	queue_wake(b->pool, u);
	user_release(u);
}

/* What is parked. */

void user_park(struct backend *b)
{
	struct pool *p = b->pool;
	struct pool_user *u = b->user;
	assert(b->state == BACKEND_PARKED);
	/* The newest is the most useful one: the oldest make room. */
	while (u->parked.len > p->settings.max_idle_per_user) {
		backend_close(
			LIST_OBJECT(u->parked.first, struct backend, user_node), FAIL_POOL_FULL);
	}
	while (p->states[BACKEND_PARKED].len > p->max_parked) {
		struct list_node *oldest = p->states[BACKEND_PARKED].first;
		backend_close(LIST_OBJECT(oldest, struct backend, node), FAIL_POOL_FULL);
	}
	queue_wake(p, u);
}

static bool may_answer(const struct pool_user *u, const struct loan *l)
{
	return l->is_proved ? known_is(u, l) : known_is_fresh(u, l->wish);
}

static bool fits(const struct backend *b, const struct loan *l, struct span class)
{
	return !b->is_condemned && proof_equal(&b->proof, &l->wish->proof) &&
	       span_equal(buf_peek(&b->enabled), class);
}

struct backend *user_find_parked(const struct pool_user *u, const struct loan *l, struct span class)
{
	if (!may_answer(u, l)) {
		return NULL;
	}
	/* Last in, first out: the longest idle ones can then age away. */
	for (struct list_node *node = u->parked.last; node != NULL; node = node->prev) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		if (fits(b, l, class)) {
			return b;
		}
	}
	return NULL;
}

bool user_has_other_class(const struct pool_user *u, const struct loan *l)
{
	for (struct list_node *node = u->parked.first; node != NULL; node = node->next) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		if (proof_equal(&b->proof, &l->wish->proof)) {
			return true;
		}
	}
	return false;
}

struct backend *user_find_scrubbed(const struct pool_user *u, const struct loan *l)
{
	if (!may_answer(u, l)) {
		return NULL;
	}
	for (struct list_node *node = u->busy.first; node != NULL; node = node->next) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		/* What is still in flight may take its time; our own command does not. */
		if (b->scrub != NULL && b->loan == NULL && fits(b, l, buf_peek(&l->wish->class))) {
			return b;
		}
	}
	return NULL;
}

struct backend *user_find_unused(const struct pool_user *u)
{
	if (u->parked.len > 0) {
		return LIST_OBJECT(u->parked.first, struct backend, user_node);
	}
	for (struct list_node *node = u->busy.first; node != NULL; node = node->next) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		if (b->scrub != NULL && b->loan == NULL && !b->is_leaving) {
			return b;
		}
	}
	return NULL;
}

static bool is_meant(const struct pool_user *u, const char *server, const char *login)
{
	return (server == NULL || strcmp(u->server->name, server) == 0) &&
	       (login == NULL || span_is_nocase(user_login(u), login));
}

/* An OK that is on its way may be older than the change for which an operator flushes. */
static void condemn_on_their_way(struct pool *p, const char *server, const char *login)
{
	static const enum backend_state ways[] = {
		BACKEND_DIALING, BACKEND_HANDSHAKE, BACKEND_SIGNIN};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		for (struct list_node *n = p->states[ways[i]].first; n != NULL; n = n->next) {
			struct backend *b = LIST_OBJECT(n, struct backend, node);
			if (b->user != NULL && is_meant(b->user, server, login)) {
				b->is_condemned = true;
			}
		}
	}
}

struct pool_flushed users_flush(struct pool *p, const char *server, const char *login)
{
	struct pool_flushed done = {0};
	for (struct pool_user *u = p->users; u != NULL; u = u->hh.next) {
		if (is_meant(u, server, login)) {
			struct pool_flushed more = known_flush(u);
			done.connections += more.connections;
			done.credentials += more.credentials;
		}
	}
	condemn_on_their_way(p, server, login);
	return done;
}

const char *user_known(struct pool *p, struct span key, const struct wish *asked)
{
	const struct pool_user *u = user_find(p, key);
	return u != NULL && known_is_fresh(u, asked) ? u->capabilities->text : NULL;
}
