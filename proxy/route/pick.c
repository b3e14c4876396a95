/*
 * One hash and one logarithm for each member: a group of ten servers costs two microseconds, and needs
 * no table that every process would have to agree on.
 */
#include "route/pick.h"

#include <assert.h>

/* Fixed, so that all processes agree: ASCII of "imapmux " "pick key". */
static const struct hash_key name_key = {
	UINT64_C(0x696d61706d757820), UINT64_C(0x7069636b206b6579)};

#define FRACTION_BITS 32

struct pick_member pick_member(const char *name, unsigned weight)
{
	assert(weight <= PICK_WEIGHT_MAX);
	struct hash_key key = {.k0 = hash_bytes(name_key, span_str(name)), .k1 = name_key.k1};
	return (struct pick_member){.key = key, .weight = weight};
}

/*
 * Digit by digit: squaring a mantissa in [1, 2) doubles its logarithm, and whether it leaves the
 * interval is the next binary digit. No libm, whose last bit differs between machines.
 */
uint64_t pick_log(uint64_t hash)
{
	if (hash == UINT64_MAX) {
		return 0; /* u = 1 */
	}
	uint64_t u = hash + 1;
	unsigned whole = 63 - (unsigned)__builtin_clzll(u);
	uint64_t mantissa = u << (63 - whole); /* 1.63 bits */
	uint64_t log = whole;
	for (unsigned i = 0; i < FRACTION_BITS; i++) {
		unsigned __int128 square = (unsigned __int128)mantissa * mantissa; /* 2.126 bits */
		bool is_two = (square >> 127) != 0;
		mantissa = (uint64_t)(square >> (is_two ? 64 : 63));
		log = log << 1 | is_two;
	}
	assert(log < UINT64_C(64) << FRACTION_BITS);
	return (UINT64_C(64) << FRACTION_BITS) - log;
}

/* The cost of a is log / weight; compared crosswise, since 38 + 16 bits fit. */
static bool is_cheaper(uint64_t log_a, unsigned weight_a, uint64_t log_b, unsigned weight_b)
{
	assert(weight_a <= PICK_WEIGHT_MAX && weight_b <= PICK_WEIGHT_MAX);
	return log_a * weight_b < log_b * weight_a;
}

static bool has_weight(const struct pick_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (members[i].weight > 0) {
			return true;
		}
	}
	return false;
}

size_t pick_one(const struct pick_member *members, size_t count, struct span user)
{
	assert(count > 0);
	bool weights_count = has_weight(members, count);
	size_t best = count;
	uint64_t best_log = 0;
	unsigned best_weight = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned weight = weights_count ? members[i].weight : 1;
		if (weight == 0) {
			continue;
		}
		uint64_t log = pick_log(hash_bytes_nocase(members[i].key, user));
		/* Equal costs: the key decides, not the order of the file. */
		bool is_tie = best < count && log * best_weight == best_log * weight;
		if (best == count || is_cheaper(log, weight, best_log, best_weight) ||
			(is_tie && members[i].key.k0 < members[best].key.k0)) {
			best = i;
			best_log = log;
			best_weight = weight;
		}
	}
	assert(best < count);
	return best;
}
