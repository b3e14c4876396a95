/*
 * The log lines of a session: one for each sign-in, one for the end.
 *
 * Names come from strangers and are escaped by base/log; passwords never come near.
 */
#include "session_priv.h"

/* A line for one refused client, then one for all that follow within this time: whoever is refused comes
 * again at once, and must not fill a disk. */
enum { REFUSED_QUIET_MS = 10000 };

/* By which way he came. */
static void add_way(struct log_line *line, const struct session *s)
{
	if (s->origin != NULL && s->origin->via[0] != '\0') {
		log_str(line, "via", s->origin->via);
	}
	if (s->origin != NULL && s->origin->session_id != NULL) {
		log_str(line, "front_session", s->origin->session_id);
	}
	log_str(line, "listener", session_config(s)->listeners[s->listener].text);
}

static void add_client(struct log_line *line, const struct session *s)
{
	log_str(line, "session", s->id);
	log_str(line, "client", s->peer.address);
	add_way(line, s);
}

static void add_user(struct log_line *line, const struct session *s)
{
	log_str(line, "user", s->user);
	if (s->credentials.authzid.len > 0) {
		/* No NUL stands in it, one behind it. */
		log_str(line, "master", (const char *)s->credentials.user.data);
	}
	if (s->has_route) {
		log_str(line, "backend", session_config(s)->backends[s->route.backend].name);
		log_str(line, "login", s->route.login);
		log_str(line, "rule", s->route.where);
	}
}

static int64_t since(const struct session *s, uint64_t when)
{
	return (int64_t)(net_loop_now(s->host->loop) - when);
}

void session_log_signin(const struct session *s)
{
	struct log_line line;
	struct stream *stream = client_stream(s->client);
	log_begin(&line, LOG_INFO, "sign-in");
	add_client(&line, s);
	add_user(&line, s);
	log_str(&line, "mechanism", mechanism_name(s->mechanism));
	log_str(&line, "tls", stream_is_tls(stream) ? stream_tls_version(stream) : "none");
	if (s->origin != NULL && s->origin->is_tls) {
		const char *version = s->origin->tls_version;
		log_str(&line, "front_tls", version != NULL ? version : "unknown");
	}
	log_str(&line, "connection", s->is_reused ? "pooled" : "new");
	log_number(&line, "worker", s->host->worker);
	log_number(&line, "ms", since(s, s->asked_ms));
	log_end(&line);
}

/*
 * Programs such as fail2ban read this line: session, client and reason stand first and in this order, so
 * that a user name, which comes from a stranger, can look like none of them.
 */
void session_log_refusal(
	const struct session *s, enum fail why, const char *detail, uint64_t delay_ms)
{
	struct log_line line;
	bool is_server_fault = fail_side(why) == FAIL_SIDE_SERVER;
	log_begin(&line, is_server_fault ? LOG_WARN : LOG_INFO, "sign-in failed");
	log_str(&line, "session", s->id);
	log_str(&line, "client", s->peer.address);
	log_str(&line, "reason", fail_name(why));
	add_way(&line, s);
	add_user(&line, s);
	log_str(&line, "mechanism", mechanism_name(s->mechanism));
	if (detail[0] != '\0') {
		log_str(&line, "detail", detail);
	}
	if (delay_ms > 0) {
		log_number(&line, "delay_ms", (int64_t)delay_ms);
	}
	log_number(&line, "ms", since(s, s->asked_ms));
	log_end(&line);
}

void session_log_turned_away(struct session_host *h, enum fail why, const char *address)
{
	struct log_line line;
	bool is_news = !wheel_is_armed(&h->refused);
	log_begin(&line, is_news ? LOG_WARN : LOG_DEBUG, "client refused");
	log_str(&line, "client", address);
	log_str(&line, "reason", fail_name(why));
	log_end(&line);
	if (is_news) {
		net_loop_arm(h->loop, &h->refused, REFUSED_QUIET_MS);
	} else {
		h->refused_more++;
	}
}

void session_log_turned_away_more(void *owner)
{
	struct session_host *h = owner;
	if (h->refused_more == 0) {
		return;
	}
	struct log_line line;
	log_begin(&line, LOG_WARN, "more clients refused");
	log_number(&line, "clients", h->refused_more);
	log_number(&line, "worker", h->worker);
	log_end(&line);
	h->refused_more = 0;
	net_loop_arm(
		h->loop, &h->refused, REFUSED_QUIET_MS); /* while it goes on: a line a period */
}

void session_log_end(const struct session *s, enum fail why, const char *detail,
	const char *not_parked, bool had_server)
{
	struct log_line line;
	bool is_signed_in = s->linked_ms != 0;
	/* A port scan or a health check that says nothing is no news; HAProxy ends its checks by a reset. */
	bool is_check = s->is_trusted && why == FAIL_CLIENT_IO;
	bool is_plain_leave = !is_signed_in && (fail_side(why) == FAIL_SIDE_NONE || is_check);
	log_begin(&line, is_plain_leave ? LOG_DEBUG : LOG_INFO,
		is_signed_in ? "session end" : "client end");
	add_client(&line, s);
	if (s->user != NULL) {
		add_user(&line, s);
	}
	log_str(&line, "reason", fail_name(why));
	if (detail[0] != '\0') {
		log_str(&line, "detail", detail);
	}
	if (is_signed_in) {
		/* none: between two commands the session had no server connection */
		const char *kept = not_parked == NULL ? "yes" : "no";
		log_str(&line, "kept", had_server ? kept : "none");
		if (not_parked != NULL) {
			log_str(&line, "why_not", not_parked);
		}
		log_number(&line, "bytes_to_client", (int64_t)s->bytes_to_client);
		log_number(&line, "bytes_to_server", (int64_t)s->bytes_to_server);
	}
	log_number(&line, "ms", since(s, is_signed_in ? s->linked_ms : s->accepted_ms));
	log_end(&line);
}
