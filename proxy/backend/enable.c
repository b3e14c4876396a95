/*
 * Drives imap/errand with ENABLE: a clean connection becomes one of the class that its loan wants.
 *
 * Happy path: backend_enable sends ENABLE, the server's answer is the class, the loan is ready. A server
 * without ENABLE enables nothing, and the loan is ready at once.
 * Failure ways: an answer that cannot be, or none in time: a connection that was parked is replaced by
 * a new one unseen; with a new one the loan fails.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "user_priv.h"

static bool has_enable(const struct backend *b)
{
	struct span list = span_str(b->capabilities->text);
	return capability_has(list, "ENABLE") || capability_has(list, "IMAP4rev2");
}

void backend_enable(struct backend *b)
{
	struct loan *l = b->loan;
	assert(l != NULL && buf_len(&l->wish->class) > 0 && buf_len(&b->enabled) == 0);
	if (!has_enable(b)) {
		loan_become_ready(l);
		return;
	}
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	counter_add(b->pool->counters, COUNTER_POOL_ENABLES, 1);
	backend_move(b, BACKEND_ENABLING);
	b->errand = xcalloc(1, sizeof *b->errand);
	struct buf command;
	buf_init(&command, ENABLED_MAX + sizeof "ENABLE ");
	bool fits =
		buf_add_str(&command, "ENABLE ") && buf_add(&command, buf_peek(&l->wish->class));
	assert(fits);
	(void)fits;
	errand_begin(b->errand, b->tag, buf_peek(&command), false, &out);
	buf_finish(&command);
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, POOL_SCRUB_MS);
}

static void end_enable(struct backend *b)
{
	struct loan *l = b->loan;
	struct span class = errand_enabled(b->errand);
	bool is_taken = enabled_add(&b->enabled, class);
	assert(is_taken); /* canonical, and there was nothing before */
	(void)is_taken;
	backend_end_errand(b);
	loan_become_ready(l);
	l->events->on_ready(l->owner);
}

size_t backend_enable_data(struct backend *b, struct span in)
{
	size_t given = in.n;
	switch (errand_feed(b->errand, &in)) {
	case ERRAND_MORE:
		break;
	case ERRAND_OK:
	case ERRAND_REFUSED: /* nothing was enabled, and that is what it then is */
		end_enable(b);
		break;
	case ERRAND_FAILED:
		backend_enable_broken(b, FAIL_SERVER_PROTOCOL, "ENABLE");
		break;
	}
	return given;
}

void backend_enable_broken(struct backend *b, enum fail why, const char *detail)
{
	struct loan *l = b->loan;
	assert(l != NULL);
	bool was_parked = b->parked_ms > 0;
	b->loan = NULL;
	if (!was_parked) {
		/* detail may belong to what is closed below: tell first. */
		loan_fail(l, why, detail);
		backend_close(b, why);
		return;
	}
	loan_again(l);
	backend_close(b, why);
}
