/*
 * The dialogue with a server. The first byte chooses what the proxy wants, the second how the server's
 * bytes are cut into pieces. Whatever the server says, no byte of the password is sent before TLS
 * where TLS is wanted, and what is sent is made of whole lines.
 */
#include <stdlib.h>

#include "imap/capability.h"
#include "imap/sasl.h"
#include "imap/signin.h"

enum { WANT_STARTTLS = 1, WITH_ID = 2, LITERALS = 4, WITH_AUTHZID = 8, TOKEN = 16, SCRAM = 32 };

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct talk {
	struct signin *signin;
	struct buf out;
	uint8_t options;
	bool is_tls;
	bool is_started;
	unsigned challenges;
};

/* Another mechanism than a password, if the options say so. */
static void read_first(struct credentials *c, uint8_t options)
{
	enum sasl_result result = SASL_GOOD;
	if ((options & SCRAM) != 0) {
		result = sasl_first_read(
			MECHANISM_SCRAM_SHA_256, span_str("biwsbj11LHI9YWJj"), c); /* n=u */
	} else if ((options & TOKEN) != 0) {
		result = sasl_first_read(MECHANISM_OAUTHBEARER,
			span_str("bixhPXUsAWF1dGg9QmVhcmVyIHRvawEB"), c); /* a=u */
	}
	CHECK(result == SASL_GOOD);
}

static void start(struct talk *t)
{
	static const struct signin_identity identity = {.session_id = "s1",
		.client_address = "2001:db8::1",
		.client_port = "4711",
		.proxy_address = "",
		.proxy_port = "143",
		.proxy_ttl = 3,
		.pairs = "\"name\" \"x\" "};
	bool has_literals = (t->options & LITERALS) != 0;
	struct credentials c = {0};
	secret_set(&c.user, span_str("u"));
	secret_set(&c.password, span_str(has_literals ? "se\r\ncret" : "secret"));
	secret_set(&c.authzid, span_str((t->options & WITH_AUTHZID) != 0 ? "boss" : ""));
	read_first(&c, t->options);
	CHECK((t->options & WANT_STARTTLS) == 0 || t->is_tls);
	t->is_started = true;
	signin_start(t->signin, span_str(has_literals ? "u\xff" : "u"), &c,
		(t->options & WITH_ID) != 0 ? &identity : NULL, &t->out);
	credentials_drop(&c);
}

/* What the server offers, as clients are told before anybody signs in: nothing of it ends the line or the
 * response code that it stands in, and a server has all in common with itself. */
static void show(const struct talk *t)
{
	static const struct capability_policy policy;
	struct span list = signin_capabilities(t->signin);
	struct buf common;
	struct buf out;
	buf_init(&common, CAPABILITY_LIST_MAX);
	buf_init(&out, (size_t)2 * CAPABILITY_LIST_MAX);
	capability_meet(&common, list, true);
	size_t n = buf_len(&common);
	capability_meet(&common, list, false);
	CHECK(buf_len(&common) == n);
	struct capability_preauth now = {
		.mechanisms = capability_mechanisms(list), .offered = buf_peek(&common)};
	CHECK(capability_write_preauth(&out, &policy, now));
	struct span text = buf_peek(&out);
	for (size_t i = 0; i < text.n; i++) {
		CHECK(text.p[i] >= ' ' && text.p[i] < 0x7f && text.p[i] != ']');
	}
	buf_finish(&common);
	buf_finish(&out);
}

/* True while the dialogue goes on. */
static bool act(struct talk *t, enum signin_verdict verdict)
{
	switch (verdict) {
	case SIGNIN_MORE:
		return true;
	case SIGNIN_STARTTLS:
		CHECK(!t->is_tls);
		t->is_tls = true;
		signin_tls_active(t->signin, &t->out);
		return true;
	case SIGNIN_READY:
		show(t);
		start(t);
		return signin_failure(t->signin) == FAIL_NONE;
	case SIGNIN_CHALLENGE:
		CHECK(t->is_started && (t->options & (TOKEN | SCRAM)) != 0);
		CHECK(sasl_is_line(signin_challenge(t->signin)));
		t->challenges++;
		CHECK(t->challenges <= SASL_STEPS_MAX);
		/* The client may take its time: what the server says meanwhile comes first. */
		if ((t->options & LITERALS) == 0) {
			signin_respond(t->signin, span_str("cHJvb2Y="), &t->out);
		}
		return true;
	case SIGNIN_OK:
		CHECK((t->options & SCRAM) == 0 || t->challenges > 0);
		CHECK(t->is_started);
		CHECK(signin_capabilities(t->signin).n > 0);
		return false;
	case SIGNIN_NO:
		CHECK(t->is_started);
		CHECK(span_find(signin_refusal(t->signin), '\n') == signin_refusal(t->signin).n);
		signin_is_wrong_credential(t->signin);
		return false;
	case SIGNIN_FAILED:
		CHECK(signin_failure(t->signin) != FAIL_NONE);
		return false;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2) {
		return 0;
	}
	struct talk t = {.options = data[0]};
	t.signin = signin_create((data[0] & WANT_STARTTLS) != 0);
	buf_init(&t.out, 1 << 22);
	size_t piece = (size_t)data[1] + 1;
	struct span input = span_of(data + 2, size - 2);
	bool goes_on = true;
	while (goes_on && input.n > 0) {
		/* A server waits for TLS: a piece ends with its line. */
		struct span in = span_slice(input, 0, piece < input.n ? piece : input.n);
		size_t line = span_find(in, '\n');
		in.n = line < in.n ? line + 1 : in.n;
		size_t before = in.n;
		enum signin_verdict verdict = signin_feed(t.signin, &in, &t.out);
		input = span_slice(input, before - in.n, input.n);
		goes_on = act(&t, verdict);
	}
	struct span out = buf_peek(&t.out);
	CHECK(out.n == 0 || out.p[out.n - 1] == '\n');
	CHECK(t.is_started || !span_contains_nocase(out, "LOGIN"));
	CHECK(t.is_started || !span_contains_nocase(out, "AUTHENTICATE"));
	signin_destroy(&t.signin);
	buf_finish(&t.out);
	return 0;
}
