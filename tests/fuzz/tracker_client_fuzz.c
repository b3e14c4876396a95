/* A client of any bytes before a model server. Input: number of choices, choices, the client's bytes. */
#include "lib/tracker_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size);
	struct span head, choices;
	if (!span_take_bytes(&rest, 1, &head) || !span_take_bytes(&rest, head.p[0], &choices)) {
		return -1;
	}
	tracker_world_play(rest, choices);
	return 0;
}
