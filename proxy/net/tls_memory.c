/*
 * The C library rounds what is asked for up to 24, 40, 56 ... bytes. For each of these sizes a list holds
 * pieces that were given back, chained through their first bytes.
 */
#include "net/tls_memory.h"

#include <assert.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	STEP = 16,
	SIZES = TLS_MEMORY_SMALL / STEP,
};

struct piece {
	struct piece *next;
};

struct pieces {
	struct piece *first;
	size_t count;
};

static _Thread_local struct pieces small[SIZES];
static _Thread_local void *records[TLS_MEMORY_RECORDS_KEPT];

static size_t room_of(size_t size)
{
	return size * STEP + STEP / 2;
}

static bool is_for_record(size_t room)
{
	return room >= TLS_MEMORY_RECORD_LEAST && room <= TLS_MEMORY_RECORD_MOST;
}

static void *take_record(size_t n)
{
	for (size_t i = 0; i < TLS_MEMORY_RECORDS_KEPT; i++) {
		void *piece = records[i];
		if (piece != NULL && malloc_usable_size(piece) >= n) {
			records[i] = NULL;
			return piece;
		}
	}
	return xmalloc(n);
}

static void give_record(void *piece)
{
	for (size_t i = 0; i < TLS_MEMORY_RECORDS_KEPT; i++) {
		if (records[i] == NULL) {
			records[i] = piece;
			return;
		}
	}
	free(piece);
}

void *tls_memory_take(size_t n)
{
	if (n > room_of(SIZES - 1)) {
		return is_for_record(n) ? take_record(n) : xmalloc(n);
	}
	size_t size = n <= room_of(1) ? 1 : (n + STEP / 2 - 1) / STEP;
	assert(n <= room_of(size));
	struct piece *piece = small[size].first;
	if (piece == NULL) {
		return xmalloc(room_of(size));
	}
	small[size].first = piece->next;
	small[size].count--;
	return piece;
}

void tls_memory_give(void *given)
{
	struct piece *piece = given;
	if (piece == NULL) {
		return;
	}
	size_t room = malloc_usable_size(piece);
	if (is_for_record(room)) {
		give_record(piece);
		return;
	}
	/* Not what it was taken as: it may come from elsewhere, or have more room than was asked for. */
	size_t size = room < room_of(1) ? SIZES : (room - STEP / 2) / STEP;
	if (size >= SIZES || small[size].count == TLS_MEMORY_SMALL_KEPT) {
		free(piece);
		return;
	}
	assert(piece != small[size].first); /* given twice */
	piece->next = small[size].first;
	small[size].first = piece;
	small[size].count++;
}

void tls_memory_finish(void)
{
	for (size_t i = 0; i < SIZES; i++) {
		struct piece *piece;
		while ((piece = small[i].first) != NULL) {
			small[i].first = piece->next;
			free(piece);
		}
		small[i].count = 0;
	}
	for (size_t i = 0; i < TLS_MEMORY_RECORDS_KEPT; i++) {
		free(records[i]);
		records[i] = NULL;
	}
}

#ifdef IMAPMUX_SANITIZED

void tls_memory_use(void)
{
}

#else

static void *on_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return tls_memory_take(n);
}

static void *on_realloc(void *piece, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	if (n == 0) {
		tls_memory_give(piece);
		return NULL;
	}
	return xrealloc(piece, n);
}

static void on_free(void *piece, const char *file, int line)
{
	(void)file, (void)line;
	tls_memory_give(piece);
}

void tls_memory_use(void)
{
	CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free);
}

#endif
