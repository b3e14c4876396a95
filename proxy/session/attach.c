/*
 * A linked session holds a server connection only while it needs one: while a command is in flight or a
 * mailbox is selected (POOLING.md section 3a).
 *
 * Happy path: the tracker says TRACKER_ATTACH, a loan of the client's class is asked for, when it is
 * ready the waiting command goes on; when nothing has happened for a while, or somebody else waits for
 * a connection, and the tracker agrees, the loan goes back behind the pool's barrier.
 * Failure ways: no connection can be had: the one command is refused and the client lives on, detached;
 * the server takes the credential no more, or another server would answer: BYE.
 */
#include "judge_priv.h"

#include <assert.h>

/* A client that pipelines, or asks again at once, keeps its connection. */
#define SESSION_QUIET_MS 2000

static void resume(struct session *s)
{
	stream_resume(client_stream(s->client));
}

static void on_ready(void *owner)
{
	struct session *s = owner;
	struct span enabled = loan_enabled(s->loan);
	if (!tracker_can_attach(s->tracker, enabled)) {
		/* What the client was told is enabled is not to be had any more. */
		session_end(s, FAIL_SERVER_CHANGED, "");
		return;
	}
	tracker_attach(s->tracker, enabled, loan_capabilities(s->loan), loan_proxy_tag(s->loan));
	session_use_loan(s);
	resume(s);
}

static void refuse_command(struct session *s, const char *text)
{
	tracker_refuse_next(s->tracker, text);
	resume(s);
}

static void on_refused(void *owner, struct span text, bool is_wrong_credential)
{
	struct session *s = owner;
	(void)text; /* written for a sign-in, and this client is signed in */
	/* Not FAIL_AUTH: nobody has guessed, and the address must not be banned for it. */
	session_log_refusal(
		s, is_wrong_credential ? FAIL_SIGNED_OUT : FAIL_SERVER_REFUSED, "attach", 0);
	loan_cancel(&s->loan);
	if (is_wrong_credential) {
		/* The password was changed or the user locked: what was proved is no longer true. */
		session_end(s, FAIL_SIGNED_OUT, "");
		return;
	}
	refuse_command(s, fail_client_text(FAIL_SERVER_REFUSED));
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	struct session *s = owner;
	const char *text = fail_client_text(why);
	session_log_refusal(s, why, detail, 0);
	loan_cancel(&s->loan);
	refuse_command(s, text != NULL ? text : fail_client_text(FAIL_CONNECT));
}

static const struct loan_events attach_events = {
	.on_ready = on_ready,
	.on_refused = on_refused,
	.on_failed = on_failed,
	.on_wanted = session_wanted,
};

void session_attach(struct session *s)
{
	if (s->loan != NULL) {
		return; /* on its way */
	}
	s->is_wanted = false;
	s->asked_ms = net_loop_now(s->host->loop);
	session_renew_master(s);
	struct pool_request request = session_request(s, tracker_enabled(s->tracker));
	s->loan = pool_borrow(s->host->pool, &request, &attach_events, s);
	if (loan_is_ready(s->loan)) {
		on_ready(s);
	}
}

static void give_back(struct session *s)
{
	tracker_detach(s->tracker);
	s->server = NULL;
	s->is_wanted = false;
	net_loop_disarm(s->host->loop, &s->quiet);
	loan_give_back(&s->loan, tracker_enabled(s->tracker));
}

static bool can_give_back(const struct session *s)
{
	/* Unread bytes of the client may be the very command that the connection was fetched for: giving
	 * it back now would be passing it round for ever. */
	return s->server != NULL && session_config(s)->pool.enabled && !session_must_stay(s) &&
	       stream_unread(s->server) == 0 && stream_unread(client_stream(s->client)) == 0 &&
	       tracker_can_detach(s->tracker);
}

void session_give_back_if_quiet(struct session *s)
{
	if (!can_give_back(s)) {
		return;
	}
	if (s->is_wanted) {
		give_back(s);
	} else if (!wheel_is_armed(&s->quiet)) {
		net_loop_arm(s->host->loop, &s->quiet, SESSION_QUIET_MS);
	}
}

void session_on_quiet(void *owner)
{
	struct session *s = owner;
	uint64_t silent = net_loop_now(s->host->loop) - s->active_ms;
	if (!can_give_back(s)) {
		return; /* the next pump looks again */
	}
	if (silent < SESSION_QUIET_MS) {
		net_loop_arm(s->host->loop, &s->quiet, SESSION_QUIET_MS - silent);
		return;
	}
	give_back(s);
}

void session_wanted(void *owner)
{
	struct session *s = owner;
	s->is_wanted = true;
	if (s->tracker != NULL && !s->is_ended) {
		session_give_back_if_quiet(s);
	}
}

/* Ends that leave the server connection in a known state: the tracker decides the rest. */
static bool may_park_after(const struct session *s, enum fail why)
{
	switch (why) {
	case FAIL_LOGOUT:
	case FAIL_CLIENT_LEFT:
	case FAIL_CLIENT_IO:
	case FAIL_CLIENT_TLS:
	case FAIL_IDLE_TIMEOUT:
	case FAIL_SHUTDOWN:
	case FAIL_KICKED:
		return !s->has_server_bye;
	default:
		return false;
	}
}

const char *session_return_loan(struct session *s, enum fail why)
{
	const char *not_parked = NULL;
	if (s->loan == NULL || !loan_is_ready(s->loan) || s->server == NULL) {
		/* Detached, or not yet attached: the client has nothing that could be kept. */
		if (s->loan != NULL && loan_is_ready(s->loan)) {
			loan_return(&s->loan, NULL, why);
		}
		loan_cancel(&s->loan);
	} else {
		s->server = NULL;
		if (!may_park_after(s, why)) {
			tracker_destroy(&s->tracker);
		}
		not_parked = loan_return(&s->loan, &s->tracker, why);
	}
	tracker_destroy(&s->tracker);
	return not_parked;
}
