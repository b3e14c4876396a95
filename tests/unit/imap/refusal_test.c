#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/fail.h"
#include "imap/refusal.h"

static void check(const char *line, const char *text, bool is_wrong)
{
	struct response r = response_parse(span_str(line));
	struct refusal got = refusal_of(&r);
	assert_string_equal(got.text, text != NULL ? text : fail_client_text(FAIL_AUTH));
	assert_int_equal(got.is_wrong_credential, is_wrong);
}

static void words_never_pass(void **state)
{
	(void)state;
	check("a NO user bob does not exist", NULL, true);
	check("a NO [AUTHENTICATIONFAILED] no such user", NULL, true);
	check("a NO [authenticationfailed] bob", NULL, true);
	check("a NO [X-USER-UNKNOWN] bob", NULL, true);
	check("a NO [ALERT", NULL, true);
	check("a NO", NULL, true);
	check("a NO [AUTHORIZATIONFAILED] bob may not be carol", NULL, false);
	check("a NO [REFERRAL imap://evil.example/] go there", NULL, false);
	check("a BAD [ALERT] bob", NULL, false);
	check("a BAD [AUTHENTICATIONFAILED] bob", NULL, false);
}

static void known_codes(void **state)
{
	(void)state;
	check("a NO [unavailable] bob", "[UNAVAILABLE] Sign-in is not possible at the moment",
		false);
	check("a NO [LIMIT] bob", "[LIMIT] Too many connections", false);
	check("a NO [EXPIRED] bob", "[EXPIRED] Password has expired", true);
	check("a NO [ALERT] bob", "[ALERT] Sign-in was refused by the server", false);
	check("a NO [CONTACTADMIN] bob",
		"[CONTACTADMIN] Sign-in was refused: ask the administrator", false);
	check("a NO [PRIVACYREQUIRED] bob",
		"[PRIVACYREQUIRED] Sign-in needs a protected connection", false);
	check("a NO [INUSE] bob", "[INUSE] Mailbox is in use", false);
	check("a NO [SERVERBUG] bob", "[UNAVAILABLE] Sign-in is not possible at the moment", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_never_pass),
		cmocka_unit_test(known_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
