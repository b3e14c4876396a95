/*
 * From complete credentials to a linked session.
 *
 * Happy path: session_admit; the user's home is another worker: the client is carried there and admitted
 * again; the route is found, a loan asked for; when it is ready the user's sessions are counted and the
 * session is linked.
 * Failure ways: no route or a wrong password are refused alike, in text and not before a delay that grows
 * with each failure (client/failures), so that nobody learns which names exist or guesses fast; a server
 * that cannot be reached or refuses for other reasons is told at once; in all cases the client may try
 * again on the same connection.
 */
#include "judge_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "route/home.h"

static void on_ready(void *owner);
static void on_refused(void *owner, struct span text, bool is_wrong_credential);
static void on_loan_failed(void *owner, enum fail why, const char *detail);

static void on_challenge(void *owner, struct span line);

static const struct loan_events loan_events = {
	.on_ready = on_ready,
	.on_refused = on_refused,
	.on_failed = on_loan_failed,
	.on_challenge = on_challenge,
	.on_wanted = session_wanted,
};

void session_forget_user(struct session *s)
{
	if (s->is_user_counted) {
		s->is_user_counted = false;
		guard_leave_user(s->host->guard, span_str(s->user));
	}
	free(s->user);
	s->user = NULL;
	free(s->id_pairs);
	s->id_pairs = NULL;
	free(s->refusal);
	s->refusal = NULL;
	credentials_drop(&s->credentials);
	session_judge_end(s);
	s->is_verified = false;
	if (s->has_route) {
		route_finish(&s->route);
		s->has_route = false;
	}
}

static void note_refusal(struct session *s, enum fail why, const char *detail, uint64_t delay)
{
	counter_add(s->host->counters, COUNTER_SIGNINS_FAILED, 1);
	session_log_refusal(s, why, detail, delay);
}

bool session_leave_if_draining(struct session *s)
{
	if (!s->host->is_draining) {
		return false;
	}
	client_say_bye(s->client, FAIL_SHUTDOWN);
	session_end(s, FAIL_SHUTDOWN, "");
	return true;
}

void session_refuse(struct session *s, struct span text)
{
	client_refuse(s->client, text);
	session_forget_user(s);
	(void)session_leave_if_draining(s); /* he may try again, but not here */
}

/* Counts the failure. The credentials are where session_admit left them: with us, or with the client. */
static uint64_t count_failure(const struct session *s)
{
	const struct config_limits *limits = &session_config(s)->limits;
	const struct credentials *c = &s->credentials;
	if (c->user.len == 0) {
		c = client_credentials(s->client);
	}
	/* Whose password it was: a master user's can be guessed at through anybody's mailbox. */
	bool has_signer = c->authzid.len > 0 && c->user.len > 0;
	struct guard_failure failure = {
		.address = session_counted_address(s->peer.address, s->is_trusted),
		.user = has_signer ? secret_span(&c->user) : span_str(s->user),
		.secret = secret_span(&c->password),
		.first_ms = limits->auth_delay,
		.most_ms = limits->auth_delay_max,
	};
	return guard_failed(s->host->guard, &failure, net_loop_now(s->host->loop));
}

/* What has been judged: the client's words, and what the password file has of him. */
static void drop_secrets(struct session *s)
{
	credentials_drop(&s->credentials);
	session_judge_end(s);
	if (client_state(s->client) == CLIENT_WAITING) {
		credentials_drop(client_credentials(s->client));
	}
}

void session_refuse_credential(
	struct session *s, enum fail why, const char *detail, struct span text)
{
	uint64_t waited = net_loop_now(s->host->loop) - s->asked_ms;
	uint64_t delay = count_failure(s);
	note_refusal(s, why, detail, delay);
	if (waited >= delay || s->host->is_draining) {
		session_refuse(s, text);
		return;
	}
	/*
	 * What is kept meanwhile is the client's connection and this text: no loan, no secret. The
	 * stream is paused, so that whoever leaves instead of waiting counts for his address until the
	 * time is over: clients_per_ip bounds how fast an address may guess.
	 */
	s->refusal = xmemdup0(text.p, text.n);
	drop_secrets(s);
	net_loop_arm(s->host->loop, &s->timer, delay - waited);
}

static void refuse_with(struct session *s, enum fail why, const char *detail)
{
	const char *text = fail_client_text(why);
	note_refusal(s, why, detail, 0);
	session_refuse(s, span_str(text != NULL ? text : "[UNAVAILABLE] Server is not available"));
}

static void begin_carry(struct session *s)
{
	client_begin_move(s->client);
}

void session_on_movable(void *owner)
{
	struct session *s = owner;
	struct session_host *h = s->host;
	unsigned home = home_worker(span_str(s->user), h->workers);
	struct client_parcel *client = client_take(s->client);
	if (client == NULL) {
		session_end(s, FAIL_CLIENT_IO, "cannot be moved: out of descriptors");
		return;
	}
	struct session_parcel *parcel = xcalloc(1, sizeof *parcel);
	*parcel = (struct session_parcel){
		.client = client,
		.generation = generation_ref(s->generation),
		.guard = h->guard,
		.listener = s->listener,
		.accepted_ms = s->accepted_ms,
		.peer = s->peer,
		.local = s->local,
		.origin = s->origin,
		.is_trusted = s->is_trusted,
	};
	s->origin = NULL;
	memcpy(parcel->id, s->id, sizeof parcel->id);
	/* What stays here is an empty shell until its stream is closed: it counts nothing any more. */
	s->peer.address[0] = '\0';
	s->is_ended = true;
	h->carry(h->owner, home, parcel);
}

/* Who signs in, where it is somebody else than he whose mail it is. */
static struct span signer_of(const struct session *s)
{
	const struct credentials *c = &s->credentials;
	bool is_other = s->is_verified || c->authzid.len > 0;
	return is_other ? secret_span(&c->user) : (struct span){0};
}

struct pool_request session_request(const struct session *s, struct span enabled)
{
	const struct config_backend *server = &session_config(s)->backends[s->route.backend];
	return (struct pool_request){
		.server = server,
		.tls = s->generation->backend_tls[s->route.backend],
		.limits = &session_config(s)->limits,
		.login = span_str(s->route.login),
		.signer = signer_of(s),
		.is_secure = stream_is_tls(client_stream(s->client)),
		.is_proved = s->tracker != NULL || s->is_verified,
		.enabled = enabled,
		.credentials = &s->credentials,
		.identity = session_identity(s),
	};
}

/* The credential is good. capabilities is what the server lists for this user. */
static void admit_to_link(struct session *s, struct span capabilities)
{
	unsigned most = session_config(s)->limits.sessions_per_user;
	/* Counted only now: strangers with wrong passwords must not use up a user's sessions. */
	enum fail why = guard_enter_user(s->host->guard, span_str(s->user), most);
	if (why == FAIL_NONE) {
		s->is_user_counted = true;
		session_link(s, capabilities);
		if (session_must_stay(s)) {
			credentials_drop(
				&s->credentials); /* no second connection is opened with it */
		}
		return;
	}
	if (s->loan != NULL) {
		/* Nothing was said on it: the user's other sessions may need it. */
		loan_give_back(&s->loan, loan_enabled(s->loan));
	}
	refuse_with(s, why, "");
}

static void ask_pool(struct session *s)
{
	struct pool_request request = session_request(s, (struct span){0});
	const char *known = session_must_stay(s) ? NULL : pool_known(s->host->pool, &request);
	if (known != NULL) {
		/* The server proved this credential not long ago: it will be asked for a connection when
		 * the first command needs one (POOLING.md section 3a). */
		s->is_reused = true;
		admit_to_link(s, span_str(known));
		return;
	}
	s->loan = pool_borrow(s->host->pool, &request, &loan_events, s);
	if (loan_is_ready(s->loan)) {
		on_ready(s);
	}
}

/* The name cannot be replaced by the login. */
static bool is_name_fixed(const struct session *s)
{
	return !s->is_verified && (MECHANISM_BIT(s->mechanism) & MECHANISMS_SCRAM) != 0;
}

/* Whose mail it is: rules look at him, his sessions are counted, his thread is the home. */
static struct span mailbox_owner(const struct credentials *c)
{
	return secret_span(c->authzid.len > 0 ? &c->authzid : &c->user);
}

void session_admit(struct session *s)
{
	struct credentials *credentials = client_credentials(s->client);
	struct span user = mailbox_owner(credentials);
	assert(s->user == NULL);
	s->asked_ms = net_loop_now(s->host->loop);
	s->mechanism = credentials->mechanism;
	s->user = xmemdup0(user.p, user.n);
	unsigned home = home_worker(user, s->host->workers);
	if (home != s->host->worker) {
		begin_carry(s);
		return;
	}
	s->has_route = route_find(s->generation->routes, user, &s->route);
	if (!s->has_route) {
		session_refuse_credential(
			s, FAIL_NO_ROUTE, "", span_str(fail_client_text(FAIL_NO_ROUTE)));
		return;
	}
	if (session_proxy_ttl(s) == 0) {
		refuse_with(s, FAIL_PROXY_LOOP, "");
		return;
	}
	s->id_pairs = session_id_pairs(s);
	credentials_move(&s->credentials, credentials);
	if (s->credentials.is_verified && !session_use_master(s)) {
		refuse_with(s, FAIL_NO_MASTER, "");
		return;
	}
	if (is_name_fixed(s) && !span_is(user, s->route.login)) {
		/* SCRAM proves the name, too: with another one no proof could be right. */
		enum fail why = FAIL_LOGIN_REWRITTEN;
		session_refuse_credential(s, why, "", span_str(fail_client_text(why)));
		return;
	}
	if (s->credentials.authzid.len > 0) {
		secret_set(&s->credentials.authzid, span_str(s->route.login));
	}
	ask_pool(s);
}

static void on_ready(void *owner)
{
	struct session *s = owner;
	s->is_reused = loan_is_reused(s->loan);
	admit_to_link(s, loan_capabilities(s->loan));
}

static void on_refused(void *owner, struct span text, bool is_wrong_credential)
{
	struct session *s = owner;
	/* The text lives in the loan's dialogue, which ends after this call. */
	if (s->is_verified && is_wrong_credential) {
		/* Not his: the client has proved who he is. */
		refuse_with(s, FAIL_SERVER_REFUSED, "the master user, or this user of his");
	} else if (is_wrong_credential) {
		session_refuse_credential(s, FAIL_AUTH, "", text);
	} else if (!s->is_verified && span_is(text, fail_client_text(FAIL_AUTH))) {
		/* Perhaps the password was right ([AUTHORIZATIONFAILED]): the time must not tell either. */
		session_refuse_credential(s, FAIL_SERVER_REFUSED, "", text);
	} else {
		note_refusal(s, FAIL_SERVER_REFUSED, "", 0);
		session_refuse(s, text);
	}
	loan_cancel(&s->loan);
}

static void on_loan_failed(void *owner, enum fail why, const char *detail)
{
	struct session *s = owner;
	refuse_with(s, why, detail);
	loan_cancel(&s->loan);
}

/* The server asks the client something; with SCRAM that is most of the exchange, and none of it is ours. */
static void on_challenge(void *owner, struct span line)
{
	struct session *s = owner;
	if (session_leave_if_draining(s)) {
		return;
	}
	if (!client_challenge(s->client, line)) {
		loan_cancel(&s->loan);
		refuse_with(s, FAIL_SERVER_PROTOCOL, "too many challenges");
	}
}

void session_on_response(void *owner, struct span line)
{
	struct session *s = owner;
	/* With neither the server has refused already, and that is told when its time has come. */
	if (s->auth != NULL) {
		session_judge_response(s, line);
	} else if (s->loan != NULL && line.n > CREDENTIALS_LINE_MAX) {
		loan_cancel(&s->loan);
		session_refuse_credential(s, FAIL_AUTH, "", span_str(fail_client_text(FAIL_AUTH)));
	} else if (s->loan != NULL) {
		loan_respond(s->loan, line);
	}
}

/*
 * The client gives up after the server has refused its token, which it does by a challenge (RFC 7628 section
 * 3.2.3): a failure, though he does not wait for the NO. False: nothing of the kind.
 */
bool session_note_refused_token(struct session *s)
{
	bool is_token = (MECHANISM_BIT(s->mechanism) & MECHANISMS_TOKEN) != 0;
	if (s->loan == NULL || !is_token || client_state(s->client) != CLIENT_PREAUTH) {
		return false;
	}
	(void)count_failure(s);
	note_refusal(s, FAIL_AUTH, "", 0);
	return true;
}

void session_on_cancelled(void *owner)
{
	struct session *s = owner;
	net_loop_disarm(s->host->loop, &s->timer);
	if (s->auth != NULL) {
		session_judge_end(s);
		return;
	}
	if (!session_note_refused_token(s) && s->refusal == NULL) {
		note_refusal(s, FAIL_CANCELLED, "", 0);
	}
	loan_cancel(&s->loan);
	session_forget_user(s);
}
