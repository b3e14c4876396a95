/*
 * Probes: connections that are opened only to read what a server offers before sign-in, and closed by
 * LOGOUT. What they learn, and what every other connection learns on its way to a sign-in, is shared by
 * all workers (backend/offer.h).
 *
 * Happy path: the timer of a server, offer_claim (one worker gets it), a dial for nobody, probe_greeted.
 * Brake: none while somebody connected to the server within the period; less and less often after
 * failures, all workers together; none while somebody waits for a connection; and a period is
 * lengthened by chance, so that several proxies do not come together.
 */
#include "backend/probe.h"

#include <assert.h>

#include "backend/budget.h"
#include "imap/capability.h"
#include "route/table.h"
#include "user_priv.h"

/* A period is up to this part of it longer. */
#define PROBE_JITTER_PART 8
/* At start each worker comes a little later than now, and not all at the same time. */
#define PROBE_FIRST_MS 1

static uint64_t period_of(const struct pool_server *s)
{
	const struct pool *p = s->pool;
	return s->config != NULL && !p->is_draining ? p->config->probe : 0;
}

static void plan_in(struct pool_server *s, uint64_t delay_ms)
{
	struct pool *p = s->pool;
	uint64_t n = ++p->tag_count;
	uint64_t random = hash_bytes(p->tag_key, span_of(&n, sizeof n));
	net_loop_arm(p->loop, &s->probe, delay_ms + random % (delay_ms / PROBE_JITTER_PART + 1));
}

static void open_one(struct pool_server *s)
{
	/* A server that is used up to its limit is known; those who wait for it come first. */
	if (budget_waiting(s->place) > 0 || !budget_take(s->place, s->max_connections)) {
		return;
	}
	struct backend *b = backend_create(s, NULL);
	b->is_probe = true;
	backend_dial(b);
}

static void on_due(void *owner)
{
	struct pool_server *s = owner;
	uint64_t now = net_loop_now(s->pool->loop);
	uint64_t period = period_of(s);
	uint64_t wait = period;
	if (period == 0) {
		return;
	}
	if (offer_claim(budget_offer(s->place), now, period, &wait)) {
		open_one(s);
	}
	plan_in(s, wait);
}

void probe_init(struct pool_server *s)
{
	wheel_timer_init(&s->probe, on_due, s);
}

void probe_plan(struct pool_server *s)
{
	s->pool->is_offered_known = false;
	net_loop_disarm(s->pool->loop, &s->probe);
	if (period_of(s) > 0) {
		plan_in(s, PROBE_FIRST_MS);
	}
}

void probe_close_all(struct pool *p)
{
	assert(p->is_draining);
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		net_loop_disarm(p->loop, &s->probe);
	}
}

/* Once for all workers: who looks at the log wants to know when it began and when it was over. */
static void log_reach(const struct backend *b, enum log_level level, const char *msg, enum fail why,
	const char *detail)
{
	struct log_line line;
	log_begin(&line, level, msg);
	log_str(&line, "backend", b->server->name);
	if (why != FAIL_NONE) {
		log_str(&line, "reason", fail_name(why));
	}
	if (detail[0] != '\0') {
		log_str(&line, "detail", detail);
	}
	log_end(&line);
}

void probe_greeted(struct backend *b)
{
	if (!b->has_learnt) {
		b->has_learnt = true;
		if (offer_learn(budget_offer(b->server->place), signin_capabilities(b->signin),
			    net_loop_now(b->pool->loop))) {
			log_reach(b, LOG_INFO, "server reachable again", FAIL_NONE, "");
		}
	}
	if (b->is_probe) {
		struct pool_server *s = b->server;
		backend_close(b, FAIL_PROBED);
		spare_server_well(s);
	}
}

void probe_failed(struct backend *b, enum fail why, const char *detail)
{
	/* Who has read the greeting has reached it, whatever came then. */
	if (!b->has_learnt && offer_fail(budget_offer(b->server->place), b->created_ms,
				      net_loop_now(b->pool->loop))) {
		log_reach(b, LOG_WARN, "server unreachable", why, detail);
	}
}

/* What the servers have in common; with_lost: also of those that cannot be reached now. False: one of
 * them is not known, or there is none. */
static bool meet_all(
	struct pool *p, const struct route_table *routes, bool with_lost, struct buf *common)
{
	bool is_first = true;
	for (struct list_node *node = p->servers.first; node != NULL; node = node->next) {
		struct pool_server *s = LIST_OBJECT(node, struct pool_server, node);
		if (s->config == NULL ||
			!route_table_leads_to(routes, (size_t)(s->config - p->config->backends))) {
			continue;
		}
		struct buf list;
		buf_init(&list, SIGNIN_MAX_LINE);
		enum offer_state state = offer_read(budget_offer(s->place), &list);
		if (state == OFFER_UNKNOWN) {
			buf_finish(&list);
			return false;
		}
		if (state == OFFER_REACHABLE || (with_lost && buf_len(&list) > 0)) {
			capability_meet(common, buf_peek(&list), is_first);
			is_first = false;
		}
		buf_finish(&list);
	}
	return !is_first;
}

struct span pool_offered(struct pool *p, const struct route_table *routes)
{
	unsigned version = budget_offers_version(p->budget);
	if (p->is_offered_known && version == p->offered_version) {
		return buf_peek(&p->offered);
	}
	for (int with_lost = 0; with_lost < 2; with_lost++) {
		buf_clear(&p->offered);
		if (meet_all(p, routes, with_lost == 1, &p->offered)) {
			break;
		}
		buf_clear(&p->offered);
	}
	p->offered_version = version;
	p->is_offered_known = true;
	return buf_peek(&p->offered);
}
