/* Line ends that a server finds in what is one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../proxy/imap/line_end_priv.h"

static bool is_encoded(const char *line)
{
	return line_end_is_encoded(span_str(line));
}

static void in_names(void **state)
{
	(void)state;
	assert_true(is_encoded("a DELETE &AAo-"));
	assert_true(is_encoded("a DELETE \"x&AAo-* OK [CLOSED] y\""));
	assert_true(is_encoded("a DELETE &AA0ACg-"));
	assert_true(is_encoded("a DELETE &AOQACg-")); /* behind other characters, at each place */
	assert_true(is_encoded("a DELETE &AOQA5AAK-"));
	assert_true(is_encoded("a RENAME Entw&APw-rfe x&-y&AOQACgDk-"));
	assert_true(is_encoded("a DELETE &AAo"));  /* not ended */
	assert_true(is_encoded("a DELETE &AAp-")); /* bits left over */
	assert_true(is_encoded("a DELETE \"&A\\A\\o-\""));
	assert_false(is_encoded("a DELETE Entw&APw-rfe"));
	assert_false(is_encoded("a DELETE &-AAo-"));
	assert_false(is_encoded("a DELETE &AA"));
	assert_false(is_encoded("a DELETE &"));
	assert_false(is_encoded("a DELETE AAo-"));
	assert_false(is_encoded("a DELETE &A AAo-"));
	assert_false(is_encoded("a DELETE &CgA-"));    /* U+0A00 */
	assert_false(is_encoded("a DELETE &5AAK5A-")); /* 000A, but not where a character begins */
	assert_false(is_encoded(""));
}

static void in_urls(void **state)
{
	(void)state;
	assert_true(is_encoded("a URLFETCH \"imap://x/%0A\""));
	assert_true(is_encoded("a URLFETCH %0D%0ab"));
	assert_true(is_encoded("a URLFETCH \"%\\0\\a\""));
	assert_true(is_encoded("a URLFETCH %%0a"));
	assert_true(is_encoded("a URLFETCH &%0a"));
	assert_false(is_encoded("a LIST \"\" %"));
	assert_false(is_encoded("a LIST \"\" %0"));
	assert_false(is_encoded("a URLFETCH %00%A0%20"));
}

static void in_literals(void **state)
{
	(void)state;
	assert_true(line_end_may_be_in(span_str("x\ny")));
	assert_true(line_end_may_be_in(span_str("x\r\n")));
	assert_true(line_end_may_be_in(span_str("&")));
	assert_true(line_end_may_be_in(span_str("a%")));
	assert_false(line_end_may_be_in(span_str("INBOX\r\x85")));
	assert_false(line_end_may_be_in(span_of("a\0b", 3)));
	assert_false(line_end_may_be_in((struct span){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_names),
		cmocka_unit_test(in_urls),
		cmocka_unit_test(in_literals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
