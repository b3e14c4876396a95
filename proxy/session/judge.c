/*
 * Sign-ins that end at the proxy: drives auth/exchange on the worker that accepted the client.
 *
 * Happy path: session_judge takes the credentials; challenges and answers go between client and exchange;
 * what takes long is done by a thread of the pool (net/job), which the exchange belongs to meanwhile; the
 * identity is proved, and session_admit goes on with it, as with credentials that a server is to judge, but
 * a master user signs in for it (session_use_master).
 * Failure ways: the exchange says no: refused like a wrong password; the client cancels or leaves: the
 * exchange goes, at once or when its thread is done with it.
 */
#include "judge_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "backend/probe.h"
#include "base/alloc.h"

/* What servers take only when they offer it; a password each of them takes in some way. */
#define MECHANISMS_OFFERED (MECHANISMS_TOKEN | MECHANISMS_SCRAM)

static void act(struct session *s, enum auth_verdict verdict);

static void work(void *subject)
{
	auth_work(subject);
}

static void worked(void *owner, void *subject)
{
	struct session *s = owner;
	s->job = NULL;
	s->auth = subject;
	act(s, auth_worked(s->auth));
}

static void drop(void *subject)
{
	struct auth *a = subject;
	auth_destroy(&a);
}

static const struct net_job_calls job_calls = {.work = work, .done = worked, .drop = drop};

void session_judge_end(struct session *s)
{
	net_job_cancel(&s->job);
	auth_destroy(&s->auth);
}

/* Not of the generation that the session began under: nobody is to keep a password or a ticket that was taken
 * from him by a connection that he opened before. */
static struct auth_store *store_of(const struct session *s)
{
	return s->host->generation->auth;
}

/* The names in the client's certificate; for free_names. */
static size_t take_names(const struct session *s, char *names[STREAM_CLIENT_NAMES_MAX])
{
	return stream_client_names(
		client_stream(s->client), s->generation->auth->client_user, names);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i]);
	}
}

/*
 * Which of the mechanisms a server would take from here. Where no probe will tell, and no sign-in has told
 * yet, what is configured is believed, except for what the password file can judge as well.
 */
static unsigned relayed(const struct session *s, unsigned wanted)
{
	unsigned offered = wanted & MECHANISMS_OFFERED;
	if (offered == 0) {
		return wanted & MECHANISMS_PASSWORD;
	}
	const struct auth_store *store = store_of(s);
	struct span list = pool_offered(s->host->pool, s->host->generation->routes);
	if (list.n > 0) {
		offered &= capability_mechanisms(list);
	} else if (session_config(s)->probe > 0) {
		offered = 0;
	}
	for (int m = 0; m < MECHANISM_COUNT && list.n == 0; m++) {
		offered &= auth_can_judge(store, (enum mechanism)m) ? ~MECHANISM_BIT(m) : ~0u;
	}
	return (wanted & MECHANISMS_PASSWORD) | offered;
}

unsigned session_mechanisms(void *owner)
{
	struct session *s = owner;
	const struct auth_store *store = store_of(s);
	unsigned named = s->generation->auth->mechanisms[s->listener];
	unsigned can_work = relayed(s, named);
	for (int m = 0; m < MECHANISM_COUNT; m++) {
		can_work |= auth_can_judge(store, (enum mechanism)m) ? MECHANISM_BIT(m) : 0;
	}
	char *names[STREAM_CLIENT_NAMES_MAX];
	size_t count = take_names(s, names);
	free_names(names, count);
	if (count == 0) {
		can_work &= ~MECHANISM_BIT(MECHANISM_EXTERNAL);
	}
	return named & can_work;
}

static void refuse(struct session *s)
{
	struct span user = auth_user(s->auth);
	assert(s->user == NULL);
	s->user = xmemdup0(user.p, user.n);
	session_refuse_credential(
		s, FAIL_AUTH, auth_reason(s->auth), span_str(fail_client_text(FAIL_AUTH)));
}

static void be_verified(struct session *s)
{
	struct credentials *c = client_credentials(s->client);
	enum mechanism mechanism = c->mechanism;
	credentials_drop(c);
	c->mechanism = mechanism;
	c->is_verified = true;
	secret_set(&c->user, auth_identity(s->auth));
	session_judge_end(s);
	session_admit(s);
}

static void act(struct session *s, enum auth_verdict verdict)
{
	switch (verdict) {
	case AUTH_MORE:
		if (session_leave_if_draining(s)) {
			return;
		}
		if (!client_challenge(s->client, auth_challenge(s->auth))) {
			session_refuse(s, span_str(fail_client_text(FAIL_AUTH)));
		}
		return;
	case AUTH_WAIT:
		s->job = net_job_start(s->host->loop, &job_calls, s->auth, s);
		s->auth = NULL;
		return;
	case AUTH_OK:
		be_verified(s);
		return;
	case AUTH_NO:
		refuse(s);
		return;
	case AUTH_PASS:
		break;
	}
	assert(!"nobody passes on what he has begun");
}

bool session_judge(struct session *s)
{
	const struct credentials *c = client_credentials(s->client);
	char *names[STREAM_CLIENT_NAMES_MAX];
	size_t count = c->mechanism == MECHANISM_EXTERNAL ? take_names(s, names) : 0;
	struct auth_facts facts = {
		.names = (const char *const *)names,
		.name_count = count,
		.can_relay = relayed(s, MECHANISM_BIT(c->mechanism)) != 0,
	};
	assert(s->auth == NULL && s->job == NULL);
	enum auth_verdict verdict = auth_begin(store_of(s), c, &facts, &s->auth);
	free_names(names, count);
	if (verdict == AUTH_PASS) {
		return false;
	}
	s->asked_ms = net_loop_now(s->host->loop);
	s->mechanism = c->mechanism;
	act(s, verdict);
	return true;
}

void session_judge_response(struct session *s, struct span line)
{
	assert(s->auth != NULL);
	s->asked_ms = net_loop_now(s->host->loop);
	act(s, auth_respond(s->auth, line));
}

/* The master user of the session's server as the newest configuration has him; NULL: it has none. */
static const struct master *newest_master(const struct session *s)
{
	const struct generation *newest = s->host->generation;
	/* Not to a server of the same name: it may be another machine, or be reached in clear. */
	const struct config_backend *server =
		pool_newest(s->host->pool, &session_config(s)->backends[s->route.backend]);
	return server == NULL ? NULL
			      : auth_store_master(
					newest->auth, (size_t)(server - newest->config->backends));
}

bool session_use_master(struct session *s)
{
	assert(s->credentials.is_verified && s->has_route);
	const struct master *m = newest_master(s);
	if (m == NULL) {
		m = auth_store_master(s->generation->auth, s->route.backend);
	}
	if (m == NULL || !master_credentials(m, span_str(s->route.login), &s->credentials)) {
		return false;
	}
	assert(!s->credentials.is_verified);
	s->is_verified = true;
	return true;
}

void session_renew_master(struct session *s)
{
	bool is_old = s->is_verified && s->generation != s->host->generation;
	const struct master *m = is_old ? newest_master(s) : NULL;
	if (m != NULL) {
		(void)master_credentials(m, span_str(s->route.login), &s->credentials);
	}
}
