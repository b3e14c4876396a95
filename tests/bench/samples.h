/*
 * Durations of one kind of thing, all of them kept: a percentile of a tail must not come from buckets.
 */
#ifndef IMAPMUX_BENCH_SAMPLES_H
#define IMAPMUX_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint64_t *ns;
	size_t count, capacity;
};

/* Zeroed memory is an empty set. */
void samples_add(struct samples *samples, uint64_t ns);
void samples_finish(struct samples *samples);

/* Prints "latency NAME COUNT MEAN P50 P90 P99 MAX" in microseconds, tabs between; nothing when empty.
 * Sorts the samples. */
void samples_print(struct samples *samples, const char *name);

#endif
