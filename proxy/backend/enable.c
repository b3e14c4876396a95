/*
 * Drives imap/enable: a clean connection becomes one of the class that its loan wants.
 *
 * Happy path: backend_enable sends ENABLE, the server's answer is the class, the loan is ready. A server
 * without ENABLE enables nothing, and the loan is ready at once.
 * Failure ways: an answer that cannot be, or none in time: a connection that was parked is replaced by
 * a new one unseen; with a new one the loan fails.
 */
#include "backend_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

static bool has_enable(const struct backend *b)
{
	struct span list = span_str(b->capabilities);
	return capability_has(list, "ENABLE") || capability_has(list, "IMAP4rev2");
}

void backend_enable(struct backend *b)
{
	struct loan *l = b->loan;
	assert(l != NULL && buf_len(&l->wanted) > 0 && buf_len(&b->enabled) == 0);
	if (!has_enable(b)) {
		loan_become_ready(l);
		return;
	}
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	counter_add(b->pool->counters, COUNTER_POOL_ENABLES, 1);
	backend_move(b, BACKEND_ENABLING);
	b->enable = xcalloc(1, sizeof *b->enable);
	enable_begin(b->enable, b->tag, buf_peek(&l->wanted), &out);
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, POOL_SCRUB_MS);
}

static void end_enable(struct backend *b)
{
	struct loan *l = b->loan;
	struct span class = enable_result(b->enable);
	bool is_taken = enabled_add(&b->enabled, class);
	assert(is_taken); /* canonical, and there was nothing before */
	(void)is_taken;
	enable_finish(b->enable);
	free(b->enable);
	b->enable = NULL;
	loan_become_ready(l);
	l->events->on_ready(l->owner);
}

size_t backend_enable_data(struct backend *b, struct span in)
{
	size_t given = in.n;
	switch (enable_feed(b->enable, &in)) {
	case ENABLE_MORE:
		break;
	case ENABLE_DONE:
		end_enable(b);
		break;
	case ENABLE_FAILED:
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
