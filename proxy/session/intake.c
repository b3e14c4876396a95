/*
 * A connection to a listener with proxy_protocol, until its PROXY header is read.
 *
 * Happy path: intake_begin, the peer is trusted, its header comes (net/proxy_wait), a session begins with the
 * addresses that the header tells, or with its own for a health check (LOCAL).
 * Failure ways: the peer is not trusted, or its header is missing, late or broken: closed without a
 * word, because nobody knows what the peer would understand, and a line in the log.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "net/proxy_wait.h"
#include "session_priv.h"

/*
 * Who cannot stop knocking is told of once in this time; of all others together no more than so many
 * lines are written in it. What is not written is counted in the next line.
 */
#define INTAKE_QUIET_MS  60000
#define INTAKE_LINES_MAX 30
/* Addresses that are remembered. */
#define INTAKE_VOICES 64

struct intake_voice {
	uint64_t hash;
	uint64_t said_ms;
};

struct intake_voices {
	struct hash_key key;
	struct intake_voice heard[INTAKE_VOICES]; /* by hash */
	uint64_t since_ms;                        /* of the lines that are counted */
	unsigned lines;
	unsigned unsaid;
};

struct intake {
	struct list_node node; /* in host->intakes */
	struct session_host *host;
	struct proxy_wait *wait;
	struct session_arrival arrival;
};

static struct intake_voices *voices_of(struct session_host *h)
{
	if (h->voices == NULL) {
		h->voices = xcalloc(1, sizeof *h->voices);
		h->voices->key = hash_key_random();
	}
	return h->voices;
}

static bool may_say(struct session_host *h, const char *address)
{
	struct intake_voices *v = voices_of(h);
	uint64_t now = net_loop_now(h->loop);
	uint64_t hash = hash_bytes(v->key, span_str(address));
	struct intake_voice *voice = &v->heard[hash % INTAKE_VOICES];
	if (now - v->since_ms >= INTAKE_QUIET_MS) {
		v->since_ms = now;
		v->lines = 0;
	}
	bool is_repeated =
		voice->hash == hash && voice->said_ms > 0 && now - voice->said_ms < INTAKE_QUIET_MS;
	if (is_repeated || v->lines >= INTAKE_LINES_MAX) {
		v->unsaid++;
		return false;
	}
	*voice = (struct intake_voice){.hash = hash, .said_ms = now > 0 ? now : 1};
	v->lines++;
	return true;
}

static void complain(
	struct session_host *h, const struct session_arrival *a, enum fail why, const char *detail)
{
	struct log_line line;
	counter_add(h->counters, COUNTER_CLIENTS_REFUSED, 1);
	/* A health check may be reset as soon as it stands; of that there is nothing to tell. */
	if (strcmp(a->peer.address, SESSION_PEER_UNKNOWN) == 0 || !may_say(h, a->peer.address)) {
		return;
	}
	log_begin(&line, LOG_WARN, "client refused");
	log_str(&line, "client", a->peer.address);
	log_str(&line, "listener", a->generation->config->listeners[a->listener].text);
	log_str(&line, "reason", fail_name(why));
	log_str(&line, "detail", detail);
	if (h->voices->unsaid > 0) {
		log_number(&line, "unsaid", h->voices->unsaid);
		h->voices->unsaid = 0;
	}
	log_end(&line);
}

static void drop(struct session_arrival *a)
{
	assert(a->origin == NULL);
	generation_unref(&a->generation);
}

static void end(struct intake *i)
{
	guard_leave(i->host->guard, "");
	list_remove(&i->node);
	free(i);
}

static void on_header(void *owner, int fd, const struct proxy_header *header, const char *why)
{
	struct intake *i = owner;
	struct session_host *h = i->host;
	struct session_arrival arrival = i->arrival;
	i->wait = NULL;
	end(i);
	if (fd < 0) {
		if (why[0] != '\0') {
			complain(h, &arrival, FAIL_PROXY_HEADER, why);
		}
		drop(&arrival);
		return;
	}
	if (!header->is_local) {
		arrival.origin = session_origin_of(header, arrival.peer.address);
		arrival.peer = header->source;
		arrival.local = header->destination;
	}
	session_begin(h, fd, &arrival);
}

/* Not by address: all come from the same few. */
static enum fail enter(struct session_host *h, const struct session_arrival *a)
{
	const struct config *c = a->generation->config;
	if (!session_trusts(&c->listeners[a->listener], a->peer.address)) {
		return FAIL_PROXY_UNTRUSTED;
	}
	return guard_enter(h->guard, "", c->limits.clients, 0);
}

void intake_begin(struct session_host *h, int fd, struct session_arrival *arrival)
{
	enum fail why = enter(h, arrival);
	if (why != FAIL_NONE) {
		complain(h, arrival, why,
			why == FAIL_PROXY_UNTRUSTED ? "not in listeners.trusted" : "");
		drop(arrival);
		close(fd);
		return;
	}
	struct intake *i = xcalloc(1, sizeof *i);
	i->host = h;
	i->arrival = *arrival;
	list_push_back(&h->intakes, &i->node);
	i->wait = proxy_wait_start(h->loop, fd, on_header, i);
	if (i->wait == NULL) {
		end(i);
		drop(arrival);
	}
}

void intake_close_all(struct session_host *h)
{
	LIST_FOREACH_SAFE(node, &h->intakes)
	{
		struct intake *i = LIST_OBJECT(node, struct intake, node);
		struct session_arrival arrival = i->arrival;
		proxy_wait_stop(&i->wait);
		end(i);
		drop(&arrival);
	}
}
