#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/capability.h"

static const struct capability_policy hide_nothing = {0};

static void check_session(
	const struct capability_policy *policy, const char *server, const char *wanted)
{
	struct buf out;
	buf_init(&out, 65536);
	assert_true(capability_write_session(&out, policy, span_str(server)));
	struct span got = buf_peek(&out);
	if (!span_is(got, wanted)) {
		fail_msg("%.*s, not %s", SPAN_ARG(got), wanted);
	}
	buf_finish(&out);
}

static void check_preauth(const struct capability_policy *policy, bool can_starttls,
	bool can_sign_in, const char *wanted)
{
	struct buf out;
	buf_init(&out, 65536);
	struct capability_preauth now = {
		.can_starttls = can_starttls,
		.mechanisms = can_sign_in ? MECHANISMS_PASSWORD : 0,
	};
	assert_true(capability_write_preauth(&out, policy, now));
	struct span got = buf_peek(&out);
	if (!span_is(got, wanted)) {
		fail_msg("%.*s, not %s", SPAN_ARG(got), wanted);
	}
	/* No room for one byte of it: false, and never beyond the cap. */
	for (size_t cap = 0; cap < got.n; cap++) {
		struct buf small;
		buf_init(&small, cap);
		assert_false(capability_write_preauth(&small, policy, now));
		buf_finish(&small);
	}
	buf_finish(&out);
}

static void before_sign_in(void **state)
{
	(void)state;
	check_preauth(
		&hide_nothing, false, true, "IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN");
	check_preauth(
		&hide_nothing, true, false, "IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED");
	check_preauth(&hide_nothing, true, true,
		"IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS AUTH=PLAIN AUTH=LOGIN");
	check_preauth(&hide_nothing, false, false, "IMAP4rev1 LITERAL+ SASL-IR ID LOGINDISABLED");
}

static void check_meet(const char *a, const char *b, const char *wanted)
{
	struct buf common;
	buf_init(&common, CAPABILITY_LIST_MAX);
	capability_meet(&common, span_str(a), true);
	capability_meet(&common, span_str(b), false);
	struct span got = buf_peek(&common);
	if (!span_is(got, wanted)) {
		fail_msg("%.*s, not %s", SPAN_ARG(got), wanted);
	}
	buf_finish(&common);
}

/* A cluster of different servers. */
static void what_all_offer(void **state)
{
	(void)state;
	check_meet("IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN", "idle IMAP4REV1 auth=plain SORT",
		"IMAP4rev1 IDLE AUTH=PLAIN");
	check_meet("IMAP4rev1 IDLE", "", "");
	check_meet("", "IMAP4rev1 IDLE", "");
	check_meet("IMAP4rev1  BAD]WORD \"X\" IDLE ", " IDLE BAD]WORD", "IDLE");
	struct buf out;
	struct capability_preauth now = {.mechanisms = MECHANISMS_PASSWORD,
		.offered = span_str("IMAP4rev1 LITERAL- ID IDLE STARTTLS NAMESPACE AUTH=X "
				    "COMPRESS=DEFLATE LOGIN-REFERRALS NAMESPACE2 imap4rev1")};
	static const char *const hide[] = {"NAMESPACE2"};
	const struct capability_policy policy = {.hide = hide, .hide_count = 1};
	buf_init(&out, 1000);
	assert_true(capability_write_preauth(&out, &policy, now));
	assert_true(span_is(buf_peek(&out),
		"IMAP4rev1 IDLE NAMESPACE LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN"));
	buf_finish(&out);
}

static void what_they_can_verify(void **state)
{
	(void)state;
	assert_int_equal(capability_mechanisms(span_str("IMAP4rev1 auth=xoauth2 AUTH=SCRAM-SHA-256 "
							"AUTH=SCRAM-SHA-256-PLUS AUTH=NTLM AUTH=")),
		MECHANISM_BIT(MECHANISM_XOAUTH2) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
	assert_int_equal(capability_mechanisms(span_str("")), 0);
}

static void hidden_words(void **state)
{
	(void)state;
	static const char *const hide[] = {
		"AUTH=LOGIN", "LITERAL+", "IDLE", "X-FOO", "IMAP4REV1", "LOGINDISABLED"};
	const struct capability_policy policy = {.hide = hide, .hide_count = 6};
	check_preauth(&policy, false, true, "IMAP4rev1 LITERAL- SASL-IR ID AUTH=PLAIN");
	check_preauth(&policy, false, false, "IMAP4rev1 LITERAL- SASL-IR ID LOGINDISABLED");
	check_session(
		&policy, "IMAP4rev1 Idle x-foo X-FOOD", "IMAP4rev1 X-FOOD LITERAL- SASL-IR ID");
}

static void no_literals_without_waiting(void **state)
{
	(void)state;
	static const char *const hide[] = {"LITERAL+", "LITERAL-"};
	const struct capability_policy policy = {.hide = hide, .hide_count = 2};
	assert_true(capability_is_literal_minus(&policy));
	assert_false(capability_is_literal_minus(&hide_nothing));
	check_session(&policy, "IMAP4rev1 LITERAL+ LITERAL-", "IMAP4rev1 SASL-IR ID");
}

static void what_ends_at_the_proxy(void **state)
{
	(void)state;
	check_session(&hide_nothing,
		"IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN auth=x COMPRESS=DEFLATE "
		"UNAUTHENTICATE "
		"X-UNAUTHENTICATE LOGIN-REFERRALS MAILBOX-REFERRALS URLAUTH URLAUTH=BINARY "
		"URL-PARTIAL MUPDATE=mupdate://x X-REPLICATION LITERAL- SASL-IR ID IDLE",
		"IMAP4rev1 IDLE LITERAL+ SASL-IR ID");
	/* Names that only look alike stay. */
	check_session(&hide_nothing,
		"IMAP4rev1 AUTH= URLAUTHX IDLEX XAPPLEPUSHSERVICE APPENDLIMIT=5",
		"IMAP4rev1 AUTH= URLAUTHX IDLEX XAPPLEPUSHSERVICE APPENDLIMIT=5 LITERAL+ SASL-IR "
		"ID");
}

static void hostile_words(void **state)
{
	(void)state;
	check_session(&hide_nothing, "  IMAP4rev1   A]B C\r\n* D \"E\" {5} F\x80 IDLE ",
		"IMAP4rev1 D IDLE LITERAL+ SASL-IR ID");
	check_session(&hide_nothing, "", "LITERAL+ SASL-IR ID");
}

static void long_lists_are_cut(void **state)
{
	(void)state;
	char list[CAPABILITY_LIST_MAX + 100];
	memset(list, 'x', sizeof(list));
	memcpy(list, "IMAP4rev1 ", 10);
	list[CAPABILITY_LIST_MAX - 10] = ' '; /* the word behind it is the one that is cut */
	struct buf out;
	buf_init(&out, 65536);
	assert_true(capability_write_session(&out, &hide_nothing, span_of(list, sizeof(list))));
	assert_int_equal(buf_len(&out), CAPABILITY_LIST_MAX - 10 + strlen(" LITERAL+ SASL-IR ID"));
	buf_finish(&out);
	/* One endless word: nothing of it. */
	memset(list, 'x', sizeof(list));
	assert_true(capability_write_session(&out, &hide_nothing, span_of(list, sizeof(list))));
	assert_true(span_is(buf_peek(&out), "LITERAL+ SASL-IR ID"));
	buf_finish(&out);
}

static void finds_words(void **state)
{
	(void)state;
	struct span list = span_str("IMAP4rev1 auth=PLAIN  SASL-IR");
	assert_true(capability_has(list, "imap4REV1"));
	assert_true(capability_has(list, "AUTH=PLAIN"));
	assert_true(capability_has(list, "SASL-IR"));
	assert_false(capability_has(list, "SASL"));
	assert_false(capability_has(list, "AUTH=PLAINX"));
	assert_false(capability_has(span_str(""), "ID"));
	assert_false(capability_has((struct span){0}, "ID"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_sign_in),
		cmocka_unit_test(what_all_offer),
		cmocka_unit_test(what_they_can_verify),
		cmocka_unit_test(hidden_words),
		cmocka_unit_test(no_literals_without_waiting),
		cmocka_unit_test(what_ends_at_the_proxy),
		cmocka_unit_test(hostile_words),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(finds_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
