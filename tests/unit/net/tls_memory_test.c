/* Memory for OpenSSL: each test ends with nothing kept, so that a leak is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_memory.h"

enum { MOST = 2 * TLS_MEMORY_SMALL };

static int finish(void **state)
{
	(void)state;
	tls_memory_finish();
	return 0;
}

static void *filled(void *piece, size_t n)
{
	assert_non_null(piece);
	memset(piece, 0xa5, n);
	return piece;
}

/* What is asked for fits, whatever was given back before; the sanitizer looks at each byte. */
static void test_room(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		void *pieces[MOST];
		for (size_t n = 0; n < MOST; n++) {
			pieces[n] = filled(tls_memory_take(n), n);
		}
		for (size_t n = 0; n < MOST; n++) {
			tls_memory_give(pieces[n]);
		}
	}
}

static void test_pieces_come_again(void **state)
{
	(void)state;
	for (size_t n = 1; n <= TLS_MEMORY_SMALL - 8; n++) {
		void *piece = tls_memory_take(n);
		tls_memory_give(piece);
		void *again = tls_memory_take(n);
		assert_ptr_equal(again, piece);
		tls_memory_give(again);
	}
}

/* From the C library and to it. */
static void test_foreign_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n < MOST; n++) {
		tls_memory_give(malloc(n));
	}
	for (size_t n = 1; n < MOST; n++) {
		free(filled(tls_memory_take(n), n));
	}
	tls_memory_give(NULL);
}

static void test_keeps_so_many(void **state)
{
	(void)state;
	enum { COUNT = TLS_MEMORY_SMALL_KEPT + 1 };
	void *pieces[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		pieces[i] = tls_memory_take(100);
	}
	for (size_t i = 0; i < COUNT; i++) {
		tls_memory_give(pieces[i]);
	}
	/* The last is the C library's again; those before come back, the youngest first. */
	for (size_t i = TLS_MEMORY_SMALL_KEPT; i > 0; i--) {
		void *piece = filled(tls_memory_take(100), 100);
		assert_ptr_equal(piece, pieces[i - 1]);
		free(piece);
	}
}

static void test_records(void **state)
{
	(void)state;
	void *read = tls_memory_take(16712);
	void *write = tls_memory_take(17746);
	tls_memory_give(read);
	tls_memory_give(write);
	assert_ptr_equal(tls_memory_take(17746), write);
	assert_ptr_equal(tls_memory_take(16712), read);
	void *third = filled(tls_memory_take(TLS_MEMORY_RECORD_MOST), TLS_MEMORY_RECORD_MOST);
	for (size_t i = 0; i <= TLS_MEMORY_RECORDS_KEPT; i++) {
		tls_memory_give(malloc(TLS_MEMORY_RECORD_LEAST));
	}
	tls_memory_give(third);
	tls_memory_give(write);
	tls_memory_give(read);
}

static void *give_back(void *piece)
{
	tls_memory_give(piece);
	void *mine = filled(tls_memory_take(500), 500);
	tls_memory_finish();
	return mine;
}

/* A connection is carried to another worker and ends there. */
static void test_another_thread(void **state)
{
	(void)state;
	pthread_t thread;
	void *theirs = NULL;
	assert_int_equal(pthread_create(&thread, NULL, give_back, tls_memory_take(40)), 0);
	assert_int_equal(pthread_join(thread, &theirs), 0);
	tls_memory_give(theirs);
	assert_ptr_equal(tls_memory_take(500), theirs);
	tls_memory_give(theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_room, finish),
		cmocka_unit_test_teardown(test_pieces_come_again, finish),
		cmocka_unit_test_teardown(test_foreign_pieces, finish),
		cmocka_unit_test_teardown(test_keeps_so_many, finish),
		cmocka_unit_test_teardown(test_records, finish),
		cmocka_unit_test_teardown(test_another_thread, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
