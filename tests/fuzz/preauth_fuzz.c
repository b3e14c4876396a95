/*
 * The dialogue with a client. The first byte chooses the policy, the second how the rest is cut into
 * pieces; the replies and verdicts must be those that the whole gives.
 */
#include <stdlib.h>

#include "imap/preauth.h"

enum { CAN_STARTTLS = 1, CAN_SIGN_IN = 2, SMALL = 4 };

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_credentials(const struct credentials *c)
{
	struct span values[] = {
		secret_span(&c->user), secret_span(&c->authzid), secret_span(&c->password)};
	for (size_t i = 0; i < 3; i++) {
		CHECK(span_find(values[i], '\0') == values[i].n);
	}
	CHECK(c->user.len > 0);
	CHECK(c->password.len > 0);
	CHECK(credentials_size(c) <= CREDENTIALS_MAX);
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

/* Acts on a verdict; false: the end. */
static bool act(struct preauth *p, enum preauth_verdict verdict, struct buf *log)
{
	switch (verdict) {
	case PREAUTH_MORE:
		return true;
	case PREAUTH_STARTTLS:
		preauth_tls_active(p);
		return true;
	case PREAUTH_SIGN_IN:
		check_credentials(preauth_credentials(p));
		CHECK(preauth_tag(p).n > 0);
		preauth_refuse(p, span_str("[UNAVAILABLE] later"), log);
		return true;
	case PREAUTH_LOGOUT:
		return false;
	case PREAUTH_FAILED:
		CHECK(preauth_failure(p) != FAIL_NONE);
		return false;
	}
	return false;
}

static struct buf talk(const struct preauth_policy *policy, struct span input, size_t piece)
{
	struct preauth *p = preauth_create(policy);
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
		goes_on = act(p, verdict, &log);
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
		.max_line = (data[0] & SMALL) != 0 ? 30 : 65536,
		.max_bytes = (data[0] & SMALL) != 0 ? 200 : 65536,
	};
	struct span input = span_of(data + 2, size - 2);
	struct buf whole = talk(&policy, input, SIZE_MAX);
	struct buf pieces = talk(&policy, input, (size_t)data[1] + 1);
	check_replies(buf_peek(&whole));
	CHECK(span_equal(buf_peek(&whole), buf_peek(&pieces)));
	buf_finish(&whole);
	buf_finish(&pieces);
	return 0;
}
