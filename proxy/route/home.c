#include "route/home.h"

#include <assert.h>

#include "base/hash.h"

/* Fixed, so that all processes agree: ASCII of "imapmux " "home key". */
static const struct hash_key home_key = {
	UINT64_C(0x696d61706d757820), UINT64_C(0x686f6d65206b6579)};

unsigned home_worker(struct span user, unsigned workers)
{
	assert(workers > 0);
	return (unsigned)(hash_bytes_nocase(home_key, user) % workers);
}
