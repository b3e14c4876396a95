/*
 * What is known of the credentials of a user at a server (POOLING.md section 6).
 *
 * Law 2: an entry is made by the server's OK only, and hits do not extend it. A password that the server
 * refuses now, or that another one has replaced, ends what it had opened: parked connections at once,
 * lent ones when they come back. A password that nobody has proved ends nothing.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "user_priv.h"

/* A credential that the server accepted, and when it last did. */
struct known_proof {
	struct list_node node;
	struct proof proof;
	struct proof secret;
	enum proof_kind kind;
	uint64_t proved_ms;
};

static struct known_proof *find(const struct pool_user *u, const struct proof *proof)
{
	for (struct list_node *node = u->proofs.first; node != NULL; node = node->next) {
		struct known_proof *known = LIST_OBJECT(node, struct known_proof, node);
		if (proof_equal(&known->proof, proof)) {
			return known;
		}
	}
	return NULL;
}

static void drop(struct known_proof *known)
{
	list_remove(&known->node);
	secret_wipe(known, sizeof *known);
	free(known);
}

bool known_is(const struct pool_user *u, const struct loan *l)
{
	const struct known_proof *known = find(u, &l->wish->proof);
	assert(known == NULL || l->wish->kind != PROOF_NONE);
	return known != NULL;
}

static uint64_t ttl_of(const struct pool *p, enum proof_kind kind)
{
	uint64_t ttl = p->settings.credential_ttl;
	return kind == PROOF_TOKEN && ttl > PROOF_TOKEN_MS ? PROOF_TOKEN_MS : ttl;
}

bool known_is_fresh(const struct pool_user *u, const struct wish *w)
{
	const struct pool *p = u->server->pool;
	const struct known_proof *known = find(u, &w->proof);
	uint64_t now = net_loop_now(p->loop);
	return known != NULL && now - known->proved_ms < ttl_of(p, w->kind) && now < w->expires_ms;
}

void known_forget(struct pool_user *u)
{
	while (u->proofs.first != NULL) {
		drop(LIST_OBJECT(u->proofs.first, struct known_proof, node));
	}
}

/* Whether something of this password goes: it was this one, or it was any other one. */
enum purge { PURGE_THIS, PURGE_OTHERS };

/* A new password may mean that the old one was changed; each device has a token of its own, though, and
 * gets a new one by the hour: that says nothing about others, nor about passwords. */
static bool is_purged(const struct proof *secret, enum proof_kind kind, const struct proof *named,
	enum purge which)
{
	bool is_same = proof_equal(secret, named);
	return which == PURGE_THIS ? is_same : !is_same && kind == PROOF_PASSWORD;
}

/* NULL: whatever it is. */
static void condemn(struct list *list, const struct proof *secret, enum purge which)
{
	for (struct list_node *node = list->first; node != NULL; node = node->next) {
		struct backend *b = LIST_OBJECT(node, struct backend, user_node);
		b->is_condemned = b->is_condemned || secret == NULL ||
				  is_purged(&b->secret, b->kind, secret, which);
	}
}

/* The user lives on, whatever is closed: the caller's connection or loan is one of his. */
static void purge(struct pool_user *u, const struct proof *secret, enum purge which)
{
	struct pool *p = u->server->pool;
	LIST_FOREACH_SAFE(proof, &u->proofs)
	{
		struct known_proof *known = LIST_OBJECT(proof, struct known_proof, node);
		if (is_purged(&known->secret, known->kind, secret, which)) {
			drop(known);
			counter_add(p->counters, COUNTER_POOL_PURGED, 1);
		}
	}
	LIST_FOREACH_SAFE(parked, &u->parked)
	{
		struct backend *b = LIST_OBJECT(parked, struct backend, user_node);
		if (is_purged(&b->secret, b->kind, secret, which)) {
			backend_close(b, FAIL_STALE);
		}
	}
	condemn(&u->lent, secret, which);
	condemn(&u->busy, secret, which);
}

void known_learn(struct backend *b)
{
	struct pool_user *u = b->user;
	const struct config_pool *settings = &b->pool->settings;
	if (b->kind == PROOF_NONE) {
		return;
	}
	if (settings->purge_on_new_secret && b->kind == PROOF_PASSWORD) {
		purge(u, &b->secret, PURGE_OTHERS);
	}
	struct known_proof *known = find(u, &b->proof);
	if (known != NULL) {
		list_remove(&known->node);
	} else {
		if (u->proofs.len >= POOL_PROOFS_PER_USER) {
			drop(LIST_OBJECT(u->proofs.first, struct known_proof, node));
		}
		known = xcalloc(1, sizeof *known);
		known->proof = b->proof;
		known->secret = b->secret;
		known->kind = b->kind;
	}
	known->proved_ms = net_loop_now(b->pool->loop);
	list_push_back(&u->proofs, &known->node);
}

void known_refuse(const struct loan *l)
{
	if (l->wish->kind == PROOF_NONE) {
		return; /* it was refused, and nobody can say which password was wrong */
	}
	struct proof secret = loan_secret(l);
	purge(l->user, &secret, PURGE_THIS);
	secret_wipe(&secret, sizeof secret);
}

/* What it opened and is in use now is not parked any more. */
static void forget_all(struct pool_user *u)
{
	counter_add(u->server->pool->counters, COUNTER_POOL_PURGED, u->proofs.len);
	known_forget(u);
	condemn(&u->lent, NULL, PURGE_THIS);
	condemn(&u->busy, NULL, PURGE_THIS);
}

struct pool_flushed known_flush(struct pool_user *u)
{
	struct pool_flushed done = {.connections = u->parked.len, .credentials = u->proofs.len};
	forget_all(u);
	/* Closing takes its time, and so he lives on until we are done. */
	while (u->parked.first != NULL) {
		backend_close(
			LIST_OBJECT(u->parked.first, struct backend, user_node), FAIL_POOL_FLUSHED);
	}
	return done;
}

void known_drop_user(struct backend *b)
{
	struct pool_user *u = b->user;
	forget_all(u);
	LIST_FOREACH_SAFE(node, &u->parked)
	{
		struct backend *other = LIST_OBJECT(node, struct backend, user_node);
		if (other != b) {
			backend_close(other, FAIL_STALE);
		}
	}
}
