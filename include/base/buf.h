/*
 * A byte queue with a hard cap: bytes are appended at the back and consumed from the front.
 *
 * Memory is allocated with the first byte and given back when the queue runs empty (an idle session
 * owns none). Going beyond the cap is an answer (false), never a crash: the caller fails its one
 * connection. Not thread-safe; owned by whoever embeds it.
 */
#ifndef IMAPMUX_BASE_BUF_H
#define IMAPMUX_BASE_BUF_H

#include "base/span.h"

/* No cap is above this: a session has many queues, which are empty for most of the time. */
#define BUF_CAP_MAX ((size_t)1 << 30)

struct buf {
	uint8_t *data;
	uint32_t begin; /* first unread byte */
	uint32_t end;   /* one past the last byte */
	uint32_t room;  /* allocated */
	uint32_t cap;   /* end - begin never grows beyond this */
};

/* An empty queue that holds at most cap bytes, which are at most BUF_CAP_MAX. */
void buf_init(struct buf *b, size_t cap);

/* Wipes and frees what is held; the buf may be used again (it keeps its cap). */
void buf_finish(struct buf *b);

/* Unread bytes and their number. The span is valid until the next call that changes the buf. */
struct span buf_peek(const struct buf *b);
size_t buf_len(const struct buf *b);

/* How many more bytes fit under the cap. */
size_t buf_free_space(const struct buf *b);

/* Appends; false (and nothing appended) when the cap would be exceeded. */
bool buf_add(struct buf *b, struct span s) __attribute__((warn_unused_result));
bool buf_add_str(struct buf *b, const char *s) __attribute__((warn_unused_result));
bool buf_addf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/*
 * A place for at least n more bytes; NULL when the cap would be exceeded. What was written there is
 * made part of the queue by buf_commit (at most the n that were reserved).
 */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Drops n bytes from the front; n <= buf_len(). Frees the memory when nothing is left. */
void buf_consume(struct buf *b, size_t n);

/* Drops all and wipes it (used where secrets passed through). */
void buf_clear(struct buf *b);

/* Moves everything of from into to (which must be empty and have the same or a larger cap). */
void buf_move(struct buf *to, struct buf *from);

#endif
