#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/base64.h"

static void vectors(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		/* RFC 4648 section 10 */
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xef\xbe", "/+++"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret bytes = {0};
		assert_true(base64_decode(span_str(rows[i][1]), &bytes));
		assert_true(span_is(secret_span(&bytes), rows[i][0]));
		struct buf text;
		buf_init(&text, strlen(rows[i][1]));
		assert_true(base64_encode(&text, secret_span(&bytes)));
		assert_true(span_is(buf_peek(&text), rows[i][1]));
		if (bytes.len > 0) {
			assert_false(base64_encode(&text, secret_span(&bytes)));
			assert_int_equal(buf_len(&text), strlen(rows[i][1]));
		}
		buf_finish(&text);
		secret_drop(&bytes);
	}
}

static void refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"Z", "Zg", "Zg=", "Zg===", "=",
		"==", "====", "=g==", "Z===", "Zm9=v", "Zg==Zg==", "Zm8=Zm9v",
		"Zh==", "Zm9=", " Zg==", "Zg== ", "Zm9v\n", "Zm 9", "Zm-_", "\xc3\xa4\xc3\xa4",
		"Zm9vZ*=="};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct secret bytes = {0};
		if (base64_decode(span_str(texts[i]), &bytes)) {
			fail_msg("%s", texts[i]);
		}
		assert_null(bytes.data);
	}
	struct secret bytes = {0};
	assert_false(base64_decode(span_of("Zg\0=", 4), &bytes));
}

static void round_trip(void **state)
{
	(void)state;
	uint8_t data[300];
	uint32_t x = 1;
	for (size_t n = 0; n < sizeof(data); n++) {
		x = x * 1103515245 + 12345;
		data[n] = (uint8_t)(x >> 16);
		struct buf text;
		buf_init(&text, 1024);
		assert_true(base64_encode(&text, span_of(data, n)));
		struct secret bytes = {0};
		assert_true(base64_decode(buf_peek(&text), &bytes));
		assert_true(span_equal(secret_span(&bytes), span_of(data, n)));
		secret_drop(&bytes);
		buf_finish(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(refused),
		cmocka_unit_test(round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
