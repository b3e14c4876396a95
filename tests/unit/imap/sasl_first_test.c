/*
 * First messages of mechanisms: who is read in them, and what is none. Messages stand in clear here; "^" is
 * the byte 0x01.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/base64.h"
#include "imap/sasl.h"

static void clear_text(char *text)
{
	for (; *text != '\0'; text++) {
		*text = *text == '^' ? '\x01' : *text;
	}
}

static enum sasl_result read_first(enum mechanism m, struct span message, struct credentials *out)
{
	struct buf line;
	buf_init(&line, 65536);
	assert_true(base64_encode(&line, message));
	enum sasl_result result = sasl_first_read(m, buf_peek(&line), out);
	buf_finish(&line);
	return result;
}

static enum sasl_result read_text(enum mechanism m, const char *message, struct credentials *out)
{
	char text[300];
	assert_true(strlen(message) < sizeof(text));
	strcpy(text, message);
	clear_text(text);
	enum sasl_result result = read_first(m, span_str(text), out);
	if (result == SASL_GOOD && m != MECHANISM_EXTERNAL) {
		assert_true(span_is(secret_span(&out->message), text));
	}
	return result;
}

static void check(enum mechanism m, const char *message, const char *authzid, const char *user,
	const char *password)
{
	struct credentials c = {0};
	secret_set(&c.password, span_str("of somebody before"));
	if (read_text(m, message, &c) != SASL_GOOD) {
		fail_msg("%s", message);
	}
	assert_int_equal(c.mechanism, m);
	assert_true(span_is(secret_span(&c.authzid), authzid));
	assert_true(span_is(secret_span(&c.user), user));
	assert_true(span_is(secret_span(&c.password), password));
	credentials_drop(&c);
}

static void check_bad(enum mechanism m, const char *message, enum sasl_result wanted)
{
	struct credentials c = {0};
	secret_set(&c.user, span_str("before"));
	if (read_text(m, message, &c) != wanted) {
		fail_msg("%s", message);
	}
	/* What does not parse leaves the credentials alone. */
	assert_int_equal(credentials_size(&c), 6);
	assert_null(c.message.data);
	credentials_drop(&c);
}

#define CHECK_ALL_BAD(m, rows)                                                                     \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) {                            \
		check_bad(m, (rows)[i], SASL_MALFORMED);                                           \
	}

static void xoauth2(void **state)
{
	(void)state;
	enum mechanism m = MECHANISM_XOAUTH2;
	check(m, "user=u1@x.org^auth=Bearer ab.c-d_e~f+g/h==^^", "", "u1@x.org",
		"ab.c-d_e~f+g/h==");
	check(m, "auth=bearer t^user=\xc3\xa4 b^^", "", "\xc3\xa4 b", "t");
	check(m, "user=u^auth=Bearer t^host=h.org^port=143^^", "", "u", "t");
	check(m, "user=a=b,c^auth=Bearer t^^", "", "a=b,c", "t");
	check(m, "user=^auth=Bearer t^^", "", "", "t");
	check(m, "user=u^auth=^^", "", "u", "");
	check(m, "auth=Bearer t^^", "", "", "t");
	static const char *const bad[] = {"", "^", "^^", "user=u^^", "user=u",
		"user=u^auth=Bearer t", "user=u^auth=Bearer t^", "user=u^auth=Bearer t^^x",
		"user=u^auth=Bearer t^^^", "user=u^auth=Basic dTE6cA==^^", "user=u^auth=Bearer^^",
		"user=u^auth=Bearer t u^^", "user=u^auth=Bearer  t^^",
		"user=u^auth=Bearer \xc3\xa4^^",
		/* two readers could take two users, or two tokens */
		"user=u^user=v^auth=Bearer t^^", "user=u^USER=v^auth=Bearer t^^",
		"user=u^auth=Bearer t^auth=Bearer s^^", "user=u^auth=^Auth=Bearer t^^",
		"user=u^auth=Bearer t^x^^", "user=u^auth=Bearer t^=x^^",
		"user=u^auth=Bearer t^us er=v^^", "user=\xff^auth=Bearer t^^",
		"user=u\x7f^auth=Bearer t^^", "user=u\x1b^auth=Bearer t^^",
		"n,a=u,^auth=Bearer t^^"};
	CHECK_ALL_BAD(m, bad)
}

static void oauthbearer(void **state)
{
	(void)state;
	enum mechanism m = MECHANISM_OAUTHBEARER;
	/* RFC 7628 section 4.1 */
	check(m,
		"n,a=user@example.com,^host=server.example.com^port=143^"
		"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==^^",
		"", "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
	check(m, "y,a=a=2Cb=3Dc,^auth=Bearer t^^", "", "a,b=c", "t");
	check(m, "n,,^auth=Bearer t^^", "", "", "t");
	check(m, "n,a=u,^auth=^^", "", "u", "");
	check_bad(m, "p=tls-unique,a=u,^auth=Bearer t^^", SASL_BINDING);
	static const char *const bad[] = {"", "^", "n", "n,", "n,a=u", "n,a=u,", "n,a=u,^",
		"n,a=u,^^", "n,a=u,auth=Bearer t^^", "n,a=u^auth=Bearer t^^",
		"n,a=u=41,^auth=Bearer t^^", "n,a=u=2c,^auth=Bearer t^^", "n,a=u=,^auth=Bearer t^^",
		"n,b=u,^auth=Bearer t^^", "na=u,^auth=Bearer t^^", "N,a=u,^auth=Bearer t^^",
		"n,a=u,^user=v^auth=Bearer t^^", "n,a=u,^auth=Bearer t^", "n,au,^auth=Bearer t^^",
		"n,a=\xff,^auth=Bearer t^^", "user=u^auth=Bearer t^^"};
	CHECK_ALL_BAD(m, bad)
}

static void scram(void **state)
{
	(void)state;
	enum mechanism m = MECHANISM_SCRAM_SHA_256;
	/* RFC 7677 section 3 */
	check(m, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "", "user", "");
	check(m, "y,a=boss,n=u=2C=3D,r=x,x=extension,Y=two", "boss", "u,=", "");
	check(m, "n,,n=\xc3\xa4,r=x", "", "\xc3\xa4", "");
	check(m, "n,,n=,r=x", "", "", "");
	check(MECHANISM_SCRAM_SHA_1, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", "", "user", "");
	check_bad(m, "p=tls-exporter,,n=u,r=x", SASL_BINDING);
	static const char *const bad[] = {"", "n", "n,", "n,,", "n,,n=u", "n,,n=u,",
		"n,,n=u,r=", "n,,n=u,r=a b", "n,,n=u,r=\xc3\xa4", "n,,r=x,n=u", "n,,m=must,n=u,r=x",
		"n=u,r=x", "x,,n=u,r=x", "n,,n=u,r=x,", "n,,n=u,r=x,n=v", "n,,n=u,r=x,a=v",
		"n,,n=u,r=x,=v", "n,,n=u,r=x,xy", "n,,n=a=b,r=x", "n,,n=u=2,r=x", "n,,N=u,r=x",
		"n,,n=\xff,r=x", "n,a=\xc0\x80,n=u,r=x", "n,,n=u,r=x,e=\xff"};
	CHECK_ALL_BAD(m, bad)
}

static void external(void **state)
{
	(void)state;
	check(MECHANISM_EXTERNAL, "u1", "u1", "", "");
	check(MECHANISM_EXTERNAL, "", "", "", "");
	check_bad(MECHANISM_EXTERNAL, "\xff", SASL_MALFORMED);
	struct credentials c = {0};
	assert_int_equal(sasl_first_read(MECHANISM_EXTERNAL, span_str("="), &c), SASL_GOOD);
	assert_int_equal(c.authzid.len, 0);
	assert_null(c.message.data);
	credentials_drop(&c);
}

/* A token for another name: all but the name as the client wrote it. */
static void check_renamed(
	enum mechanism m, const char *message, const char *login, const char *wanted)
{
	char text[300];
	struct credentials c = {0};
	assert_int_equal(read_text(m, message, &c), SASL_GOOD);
	strcpy(text, wanted);
	clear_text(text);
	struct buf line, expected;
	buf_init(&line, 65536);
	buf_init(&expected, 65536);
	assert_true(base64_encode(&expected, span_str(text)));
	assert_true(sasl_token_write(&line, &c, span_str(login)));
	assert_true(span_equal(buf_peek(&line), buf_peek(&expected)));
	/* It can be read again, and says the same of everything else. */
	struct credentials again = {0};
	assert_int_equal(sasl_first_read(m, buf_peek(&line), &again), SASL_GOOD);
	assert_true(span_is(secret_span(&again.user), login));
	assert_true(span_equal(secret_span(&again.password), secret_span(&c.password)));
	buf_finish(&line);
	buf_init(&line, buf_len(&expected) - 1);
	assert_false(sasl_token_write(&line, &c, span_str(login)));
	/* ^A would begin another field. */
	assert_false(sasl_token_write(&line, &c, span_str("x\x01user=y")));
	assert_false(sasl_token_write(&line, &c, span_str("\xff")));
	buf_finish(&line);
	buf_finish(&expected);
	credentials_drop(&again);
	credentials_drop(&c);
}

static void renamed(void **state)
{
	(void)state;
	check_renamed(
		MECHANISM_XOAUTH2, "auth=Bearer t^user=u^x=y^^", "u", "auth=Bearer t^user=u^x=y^^");
	check_renamed(MECHANISM_XOAUTH2, "auth=Bearer t^user=u^x=y^^", "v@x.org",
		"auth=Bearer t^user=v@x.org^x=y^^");
	check_renamed(
		MECHANISM_XOAUTH2, "user=u^auth=Bearer t^^", "a=b,c", "user=a=b,c^auth=Bearer t^^");
	check_renamed(MECHANISM_OAUTHBEARER, "n,a=u=2C,^host=h^auth=Bearer t^^", "u,",
		"n,a=u=2C,^host=h^auth=Bearer t^^");
	check_renamed(MECHANISM_OAUTHBEARER, "y,a=u,^host=h^auth=Bearer t^^", "a=b,c",
		"y,a=a=3Db=2Cc,^host=h^auth=Bearer t^^");
}

static void nul_anywhere(void **state)
{
	(void)state;
	static const struct {
		enum mechanism m;
		const char *text;
	} rows[] = {{MECHANISM_XOAUTH2, "user=u1\x01"
					"auth=Bearer tok\x01\x01"},
		{MECHANISM_OAUTHBEARER, "n,a=u1,\x01"
					"auth=Bearer tok\x01\x01"},
		{MECHANISM_SCRAM_SHA_1, "n,a=b,n=u1,r=abc,x=y"}, {MECHANISM_EXTERNAL, "user"}};
	for (size_t i = 0; i < 4; i++) {
		size_t n = strlen(rows[i].text);
		for (size_t at = 0; at <= n; at++) {
			char text[64] = {0};
			memcpy(text, rows[i].text, at);
			memcpy(text + at + 1, rows[i].text + at, n - at);
			struct credentials c = {0};
			assert_int_equal(
				read_first(rows[i].m, span_of(text, n + 1), &c), SASL_MALFORMED);
		}
	}
	/* A ticket is bytes. */
	struct credentials c = {0};
	assert_int_equal(read_first(MECHANISM_GSSAPI, span_of("\0x", 2), &c), SASL_GOOD);
	assert_int_equal(c.message.len, 2);
	credentials_drop(&c);
}

static void utf8(void **state)
{
	(void)state;
	static const char *const good[] = {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
		"a\xe2\x82\xac z"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
		"\xfe", "\xff", "a\xe2\x28\xa1"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(sasl_is_text(span_str(good[i])));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(sasl_is_text(span_str(bad[i])));
	}
	assert_false(sasl_is_text(span_of("a\0b", 3)));
}

static void lines(void **state)
{
	(void)state;
	assert_true(sasl_is_line(span_str("")));
	assert_true(sasl_is_line(span_str("dTE=")));
	assert_false(sasl_is_line(span_str("=")));
	assert_false(sasl_is_line(span_str("*")));
	assert_false(sasl_is_line(span_str("dTE")));
	static char text[SASL_LINE_MAX + 4];
	memset(text, 'A', sizeof(text));
	assert_true(sasl_is_line(span_of(text, SASL_LINE_MAX)));
	assert_false(sasl_is_line(span_of(text, SASL_LINE_MAX + 4)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xoauth2),
		cmocka_unit_test(oauthbearer),
		cmocka_unit_test(scram),
		cmocka_unit_test(external),
		cmocka_unit_test(renamed),
		cmocka_unit_test(nul_anywhere),
		cmocka_unit_test(utf8),
		cmocka_unit_test(lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
