/* Capability lists that connections share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../proxy/backend/backend_priv.h"

static void test_shared(void **state)
{
	(void)state;
	struct list known = {0};
	struct caps *a = caps_get(&known, span_str("IMAP4rev1 ID"));
	struct caps *b = caps_get(&known, span_str("IMAP4rev1 IDLE"));
	struct caps *c = caps_get(&known, span_str("IMAP4rev1 ID"));
	struct caps *d = caps_ref(b);
	assert_ptr_equal(a, c);
	assert_ptr_not_equal(a, b);
	assert_string_equal(b->text, "IMAP4rev1 IDLE");
	caps_unref(&a);
	caps_unref(&a); /* NULL is fine */
	assert_string_equal(c->text, "IMAP4rev1 ID");
	caps_unref(&b);
	caps_unref(&c);
	assert_int_equal(known.len, 1);
	caps_unref(&d);
	assert_int_equal(known.len, 0);
}

static void test_empty(void **state)
{
	(void)state;
	struct list known = {0};
	struct caps *c = caps_get(&known, (struct span){0});
	assert_string_equal(c->text, "");
	caps_unref(&c);
}

/* A server that tells each user something else: right, if not shared. */
static void test_all_different(void **state)
{
	(void)state;
	enum { MANY = 100 };
	struct list known = {0};
	struct caps *all[2 * MANY];
	for (int i = 0; i < 2 * MANY; i++) {
		char text[16];
		snprintf(text, sizeof text, "X%d", i % MANY);
		all[i] = caps_get(&known, span_str(text));
		assert_string_equal(all[i]->text, text);
	}
	for (int i = 0; i < 2 * MANY; i++) {
		caps_unref(&all[i]);
	}
	assert_int_equal(known.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_all_different),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
