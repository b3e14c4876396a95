#include "bench/samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/must.h"

void samples_add(struct samples *s, uint64_t ns)
{
	s->ns = must_grow(s->ns, &s->capacity, s->count + 1, sizeof(*s->ns));
	s->ns[s->count++] = ns;
}

void samples_finish(struct samples *s)
{
	free(s->ns);
	*s = (struct samples){0};
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

/* The smallest duration that at least so many of a thousand do not exceed. */
static double at(const struct samples *s, size_t thousandths)
{
	size_t rank = (s->count * thousandths + 999) / 1000;
	return (double)s->ns[rank > 0 ? rank - 1 : 0] / 1000.0;
}

void samples_print(struct samples *s, const char *name)
{
	if (s->count == 0) {
		return;
	}
	qsort(s->ns, s->count, sizeof(*s->ns), compare);
	double sum = 0;
	for (size_t i = 0; i < s->count; i++) {
		sum += (double)s->ns[i] / 1000.0;
	}
	printf("latency\t%s\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\n", name, s->count,
		sum / (double)s->count, at(s, 500), at(s, 900), at(s, 990), at(s, 1000));
}
