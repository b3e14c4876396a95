#include "imap/refusal.h"

#include <assert.h>

#include "base/fail.h"

/* text NULL: that of a wrong credential. */
static const struct known {
	const char *code;
	struct refusal refusal;
} known_codes[] = {
	{"AUTHENTICATIONFAILED", {NULL, true}},
	{"EXPIRED", {"[EXPIRED] Password has expired", true}},
	{"AUTHORIZATIONFAILED", {NULL, false}}, /* the credential was right: do not tell */
	{"REFERRAL", {NULL, false}},
	{"UNAVAILABLE", {"[UNAVAILABLE] Sign-in is not possible at the moment", false}},
	{"SERVERBUG", {"[UNAVAILABLE] Sign-in is not possible at the moment", false}},
	{"INUSE", {"[INUSE] Mailbox is in use", false}},
	{"LIMIT", {"[LIMIT] Too many connections", false}},
	{"ALERT", {"[ALERT] Sign-in was refused by the server", false}},
	{"CONTACTADMIN", {"[CONTACTADMIN] Sign-in was refused: ask the administrator", false}},
	{"PRIVACYREQUIRED", {"[PRIVACYREQUIRED] Sign-in needs a protected connection", false}},
};

struct refusal refusal_of(const struct response *r)
{
	assert(r->status == RESPONSE_NO || r->status == RESPONSE_BAD);
	struct refusal found = {.is_wrong_credential = r->status == RESPONSE_NO};
	for (size_t i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++) {
		if (r->status == RESPONSE_NO && span_is_nocase(r->code, known_codes[i].code)) {
			found = known_codes[i].refusal;
			break;
		}
	}
	if (found.text == NULL) {
		found.text = fail_client_text(FAIL_AUTH);
	}
	return found;
}
