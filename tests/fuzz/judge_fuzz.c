/*
 * Sign-ins that end at the proxy: the first byte chooses a mechanism, the lines behind it are what the
 * client sends: first what imap/preauth makes of it, then the answers. Nobody is let in but who stands in
 * the table with a password that the input could hold by chance; every way ends.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/exchange.h"
#include "base/alloc.h"
#include "imap/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth_store *make_store(void)
{
	static const struct {
		const char *user, *text;
	} lines[] = {
		{"a", "{PLAIN}b"},
		{"c", "{CRAM-MD5}"
		      "7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080"},
		{"s", "{SCRAM-SHA-1}4096,palRQrIcNkdspoxpeAaC2A==,"
		      "XbbKuFbdKMax/7lNr7cpbJZAEvk=,//2A9rbz7DLn9UgpJIt49T9kJnQ="},
	};
	struct auth_store *s = xcalloc(1, sizeof *s);
	s->refs = 1;
	s->users = passtable_create();
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct passtable_entry e = {.user = span_str(lines[i].user)};
		const char *why;
		bool is_good = scheme_read(span_str(lines[i].text), &e.scheme, &e.value, &why) &&
			       passtable_add(s->users, &e);
		assert(is_good);
		(void)is_good;
	}
	passtable_seal(s->users, NULL, NULL);
	return s;
}

/* What preauth hands up; false: it answers such a line itself. */
static bool read_first(enum mechanism m, struct span line, struct credentials *c)
{
	c->mechanism = m;
	if (m == MECHANISM_CRAM_MD5) {
		return true;
	}
	if (m == MECHANISM_LOGIN || m == MECHANISM_LOGIN_COMMAND) {
		secret_set(&c->user, span_str("a"));
		return sasl_login_read(line, &c->password) == SASL_GOOD;
	}
	return sasl_first_read(m, line, c) == SASL_GOOD;
}

static struct span take_line(struct span *input)
{
	struct span line = span_take_until(input, "\n");
	(void)span_take(input, '\n');
	return line;
}

static void run(struct auth_store *store, const struct credentials *c, struct span input)
{
	static const char *const names[] = {"x", "y"};
	struct auth_facts facts = {names, input.n % 3, (input.n & 4) != 0};
	struct auth *a = NULL;
	enum auth_verdict verdict = auth_begin(store, c, &facts, &a);
	for (unsigned steps = 0; verdict == AUTH_MORE || verdict == AUTH_WAIT; steps++) {
		assert(steps < 2 * SASL_LINE_MAX);
		if (verdict == AUTH_WAIT) {
			auth_work(a);
			verdict = auth_worked(a);
			continue;
		}
		assert(sasl_is_line(auth_challenge(a)));
		verdict = auth_respond(a, take_line(&input));
	}
	if (verdict == AUTH_OK) {
		assert(auth_identity(a).n == 1);
	} else if (verdict == AUTH_NO) {
		assert(strlen(auth_reason(a)) > 0);
	}
	assert((verdict == AUTH_PASS) == (a == NULL));
	auth_destroy(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct auth_store *store;
	struct span input = span_of(data, size);
	struct credentials c = {0};
	if (size < 1) {
		return 0;
	}
	if (store == NULL) {
		store = make_store();
	}
	enum mechanism m = (enum mechanism)(data[0] % MECHANISM_COUNT);
	input = span_slice(input, 1, input.n);
	if (m != MECHANISM_XOAUTH2 && m != MECHANISM_OAUTHBEARER &&
		read_first(m, take_line(&input), &c)) {
		run(store, &c, input);
	}
	credentials_drop(&c);
	return 0;
}
