/*
 * How many owners a thing has, where several threads own it: whoever lets go last frees it.
 *
 * A count is an atomic_uint of the thing, 1 for who made it. Any thread; an owner may only pass on what he
 * owns himself.
 */
#ifndef IMAPMUX_BASE_REFS_H
#define IMAPMUX_BASE_REFS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

/* One owner more. */
static inline void refs_take(atomic_uint *refs)
{
	unsigned before = atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
	assert(before > 0);
	(void)before;
}

/* One owner less. True: he was the last, the thing is to be freed. */
static inline bool refs_drop(atomic_uint *refs)
{
	/* Release what this thread did with it, acquire what the others did, before it is freed. */
	unsigned before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);
	assert(before > 0);
	return before == 1;
}

#endif
