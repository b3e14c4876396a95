#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/base64.h"
#include "imap/jwt.h"

#define NEVER UINT64_MAX

/* The token with this payload. */
static struct buf token_of(const char *payload)
{
	struct buf text, token;
	buf_init(&text, 65536);
	buf_init(&token, 65536);
	assert_true(base64_encode(&text, span_str(payload)));
	assert_true(buf_add_str(&token, "eyJhbGciOiJIUzI1NiJ9."));
	struct span all = buf_peek(&text);
	for (size_t i = 0; i < all.n && all.p[i] != '='; i++) {
		uint8_t c = all.p[i] == '+' ? '-' : all.p[i] == '/' ? '_' : all.p[i];
		assert_true(buf_add(&token, span_of(&c, 1)));
	}
	assert_true(buf_add_str(&token, ".c2lnbmF0dXJl"));
	buf_finish(&text);
	return token;
}

static void check(const char *payload, uint64_t wanted)
{
	struct buf token = token_of(payload);
	uint64_t got = jwt_expiry(buf_peek(&token));
	if (got != wanted) {
		fail_msg("%s: %llu", payload, (unsigned long long)got);
	}
	buf_finish(&token);
}

static void ends(void **state)
{
	(void)state;
	check("{\"exp\":1516239022}", 1516239022);
	check(" { \"sub\" : \"u1\" ,\r\n\t\"exp\" : 1516239022 } ", 1516239022);
	check("{\"exp\":1516239022.75,\"n\":-1.5e3,\"t\":true,\"z\":null}", 1516239022);
	check("{\"a\":{\"exp\":1,\"b\":[{},\"}\",[1,2]]},\"exp\":7}", 7);
	check("{\"a\":\"\\\"exp\\\":3\",\"exp\":7}", 7);
	check("{\"s\":\"\xc3\xbe\xc3\xbf\xc3\xbf?>\",\"exp\":9}", 9); /* - and _ in the text */
	check("{\"exp\":0}", 0);
	/* Who means two ends, means the first. */
	check("{\"exp\":9,\"exp\":5}", 5);
	check("{\"exp\":5,\"exp\":9}", 5);
	check("{\"exp\":9,\"\\u0065xp\":5}", 5);
}

static void no_end(void **state)
{
	(void)state;
	check("{}", NEVER);
	check("{ }", NEVER);
	check("{\"sub\":\"u1\"}", NEVER);
	check("{\"Exp\":1,\"expires\":2,\"a\":{\"exp\":3}}", NEVER);
	static const char *const opaque[] = {"", ".", "..", "ya29.a0AfB_byC", "abc", "a.b.c",
		"a.b.c.d.e", "a.!!!!.c", "a.W10.c" /* [] */, "a..c", "e30.e30", "a.e+A.c"};
	for (size_t i = 0; i < sizeof(opaque) / sizeof(opaque[0]); i++) {
		if (jwt_expiry(span_str(opaque[i])) != NEVER) {
			fail_msg("%s", opaque[i]);
		}
	}
}

/* A payload that cannot be read is good for nothing. */
static void unreadable(void **state)
{
	(void)state;
	static const char *const rows[] = {"{", "{\"exp\"", "{\"exp\":", "{\"exp\":1",
		"{\"exp\":1}x", "{\"exp\":1,}", "{,\"exp\":1}", "{exp:1}", "{\"exp\":\"1\"}",
		"{\"exp\":-1}", "{\"exp\":1e9}", "{\"exp\":1.}", "{\"exp\":.5}", "{\"exp\":true}",
		"{\"exp\":{}}", "{\"exp\":99999999999999999999}", "{\"exp\" 1}", "{\"a\":}",
		"{\"a\":[}", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":\"\n\"}", "{\"a\":1 \"exp\":2}",
		"{\"a\":{\"b\":\"}", "{\"x\\u0065\":\"y\"}", "{{\"exp\":1}}"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(rows[i], 0);
	}
}

/* Wherever a token is cut: an end that is not the true one is never read. */
static void cut_anywhere(void **state)
{
	(void)state;
	struct buf token = token_of("{\"iss\":\"https://x\",\"exp\":1516239022,\"a\":[1]}");
	struct span all = buf_peek(&token);
	for (size_t n = 0; n < all.n; n++) {
		uint64_t end = jwt_expiry(span_slice(all, 0, n));
		assert_true(end == NEVER || end == 0 || end == 1516239022);
	}
	buf_finish(&token);
	/* Depth costs nothing but time. */
	static char deep[20000];
	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "{\"a\":", 5);
	check(deep, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(no_end),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(cut_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
