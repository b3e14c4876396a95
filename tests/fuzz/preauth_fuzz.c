/*
 * The dialogue with a client. The first byte chooses the policy and how often a sign-in is challenged, the
 * second how the rest is cut into pieces; the replies and verdicts must be those that the whole gives.
 */
#include <stdlib.h>

#include "imap/preauth.h"
#include "imap/sasl.h"

enum { CAN_STARTTLS = 1, CAN_SIGN_IN = 2, SMALL = 4, LATE = 8, CHALLENGES = 4 /* high bits */ };

/* What a caller holds. */
struct host {
	struct preauth *p;
	unsigned challenges; /* of each sign-in */
	unsigned left;       /* of this one */
	bool is_late;        /* the server refuses while the client is to answer */
};

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_credentials(const struct credentials *c)
{
	struct span values[] = {secret_span(&c->user), secret_span(&c->authzid),
		secret_span(&c->password), secret_span(&c->message)};
	unsigned bit = MECHANISM_BIT(c->mechanism);
	bool is_sealed = c->mechanism == MECHANISM_GSSAPI;
	for (size_t i = 0; i < (is_sealed ? 3 : 4); i++) {
		CHECK(span_find(values[i], '\0') == values[i].n);
	}
	bool has_password = (bit & (MECHANISMS_PASSWORD | MECHANISMS_TOKEN)) != 0;
	bool has_user = has_password || (bit & MECHANISMS_SCRAM) != 0;
	CHECK((c->user.len > 0) == has_user);
	CHECK((c->password.len > 0) == has_password);
	CHECK(sasl_is_text(values[0]));
	CHECK(is_sealed || credentials_size(c) <= CREDENTIALS_MAX);
	CHECK(!c->is_verified);
}

/* Replies are whole lines without anything that could end one early. */
static void check_replies(struct span out)
{
	CHECK(out.n == 0 || out.p[out.n - 1] == '\n');
	for (size_t i = 0; i < out.n; i++) {
		uint8_t c = out.p[i];
		CHECK((c >= ' ' && c < 0x7f) || c == '\r' || c == '\n');
		CHECK(c != '\r' || out.p[i + 1] == '\n');
		CHECK(c != '\n' || out.p[i - 1] == '\r');
	}
}

/* Asks for another line, or refuses; now and then both. */
static void go_on(struct host *h, struct buf *log)
{
	struct span refusal = span_str("[UNAVAILABLE] later");
	if (h->left == 0 || !preauth_challenge(h->p, span_str("Y2hhbGxlbmdl"), log)) {
		CHECK(h->left == 0 || h->challenges > SASL_STEPS_MAX);
		preauth_refuse(h->p, refusal, log);
		return;
	}
	CHECK(preauth_is_exchanging(h->p));
	h->left--;
	if (h->left == 0 && h->is_late) {
		preauth_refuse(h->p, refusal, log);
	}
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] >= 0x7f) {
			return false;
		}
	}
	return true;
}

/* What goes to servers and into the log; written down, so that pieces must tell the same. */
static void check_id(struct preauth *p, struct buf *log)
{
	struct client_id *id = preauth_take_id(p);
	if (id != NULL) {
		struct span pairs = buf_peek(&id->pairs);
		CHECK(is_printable(pairs) && is_printable(span_str(id->session_id)));
		CHECK(is_printable(span_str(id->originating_ip)));
		CHECK(pairs.n == 0 || (pairs.p[0] == '"' && pairs.p[pairs.n - 1] == ' '));
		CHECK(buf_add(log, pairs) && buf_addf(log, "%u\r\n", id->proxy_ttl));
	}
	client_id_destroy(&id);
	CHECK(preauth_take_id(p) == NULL);
}

/* Acts on a verdict; false: the end. */
static bool act(struct host *h, enum preauth_verdict verdict, struct buf *log)
{
	struct preauth *p = h->p;
	switch (verdict) {
	case PREAUTH_MORE:
		return true;
	case PREAUTH_STARTTLS:
		preauth_tls_active(p, UINT32_MAX);
		return true;
	case PREAUTH_SIGN_IN:
		check_credentials(preauth_credentials(p));
		CHECK(preauth_tag(p).n > 0);
		check_id(p, log);
		h->left = h->challenges;
		go_on(h, log);
		return true;
	case PREAUTH_RESPONSE:
		CHECK(sasl_is_line(preauth_response(p)));
		CHECK(h->left > 0 || !h->is_late);
		go_on(h, log);
		return true;
	case PREAUTH_CANCELLED:
		CHECK(!preauth_is_exchanging(p));
		CHECK(preauth_credentials(p)->user.len == 0);
		return true;
	case PREAUTH_LOGOUT:
		return false;
	case PREAUTH_FAILED:
		CHECK(preauth_failure(p) != FAIL_NONE);
		return false;
	}
	return false;
}

static struct buf talk(
	const struct preauth_policy *policy, uint8_t how, struct span input, size_t piece)
{
	struct preauth *p = preauth_create(policy);
	struct host host = {.p = p, .challenges = how >> CHALLENGES, .is_late = (how & LATE) != 0};
	struct buf log;
	buf_init(&log, 1 << 22);
	preauth_greet(p, &log);
	bool goes_on = true;
	while (goes_on && input.n > 0) {
		struct span in = span_slice(input, 0, piece < input.n ? piece : input.n);
		size_t before = in.n;
		enum preauth_verdict verdict = preauth_feed(p, &in, &log);
		CHECK(verdict != PREAUTH_MORE || in.n == 0);
		input = span_slice(input, before - in.n, input.n);
		goes_on = act(&host, verdict, &log);
	}
	CHECK(buf_addf(&log, "%d\r\n", (int)preauth_failure(p)));
	preauth_destroy(&p);
	return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2) {
		return 0;
	}
	struct preauth_policy policy = {
		.can_starttls = (data[0] & CAN_STARTTLS) != 0,
		.can_sign_in = (data[0] & CAN_SIGN_IN) != 0,
		.trusts_id = (data[0] & LATE) != 0,
		.mechanisms = (data[0] & CAN_STARTTLS) != 0 ? MECHANISMS_PASSWORD : UINT32_MAX,
		.max_line = (data[0] & SMALL) != 0 ? 30 : 65536,
		.max_bytes = (data[0] & SMALL) != 0 ? 200 : 65536,
	};
	struct span input = span_of(data + 2, size - 2);
	struct buf whole = talk(&policy, data[0], input, SIZE_MAX);
	struct buf pieces = talk(&policy, data[0], input, (size_t)data[1] + 1);
	check_replies(buf_peek(&whole));
	CHECK(span_equal(buf_peek(&whole), buf_peek(&pieces)));
	buf_finish(&whole);
	buf_finish(&pieces);
	return 0;
}
