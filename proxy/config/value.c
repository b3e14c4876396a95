/*
 * A number, then a unit that is all of the rest. Products are checked: a duration that wrapped around
 * would be a time-out of milliseconds where years were meant.
 */
#include "config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", UINT64_C(60) * 1000},
	{"h", UINT64_C(3600) * 1000},
	{"d", UINT64_C(86400) * 1000},
};

static const struct unit size_units[] = {
	{"", 1},
	{"k", UINT64_C(1) << 10},
	{"m", UINT64_C(1) << 20},
	{"g", UINT64_C(1) << 30},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool number_with_unit(
	struct span text, const struct unit *units, size_t count, uint64_t *out)
{
	uint64_t n;
	if (!span_take_number(&text, &n)) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (span_is_nocase(text, units[i].name)) {
			return !__builtin_mul_overflow(n, units[i].factor, out);
		}
	}
	return false;
}

bool value_seconds(uint64_t seconds, uint64_t *ms)
{
	uint64_t product;
	if (__builtin_mul_overflow(seconds, UINT64_C(1000), &product)) {
		return false;
	}
	*ms = product;
	return true;
}

bool value_duration(struct span text, uint64_t *ms)
{
	uint64_t n;
	struct span rest = text;
	/* No unit: seconds, as for an integer without quotes. */
	if (span_take_number(&rest, &n) && rest.n == 0) {
		return value_seconds(n, ms);
	}
	if (!number_with_unit(text, time_units, COUNT(time_units), &n)) {
		return false;
	}
	*ms = n;
	return true;
}

bool value_size(struct span text, uint64_t *bytes)
{
	uint64_t n;
	if (!number_with_unit(text, size_units, COUNT(size_units), &n)) {
		return false;
	}
	*bytes = n;
	return true;
}

bool value_mode(struct span text, unsigned *mode)
{
	unsigned bits = 0;
	if (text.n < 1 || text.n > 4) {
		return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7') {
			return false;
		}
		bits = bits * 8 + (unsigned)(text.p[i] - '0');
	}
	/* Set-id and sticky bits mean nothing on a socket. */
	if (bits > 0777) {
		return false;
	}
	*mode = bits;
	return true;
}

bool value_bool(struct span text, bool *out)
{
	bool is_true = span_is(text, "true");
	if (!is_true && !span_is(text, "false")) {
		return false;
	}
	*out = is_true;
	return true;
}

bool value_choice(struct span text, const char *choices, unsigned *number)
{
	struct span rest = span_str(choices);
	assert(rest.n > 0);
	for (unsigned i = 0;; i++) {
		struct span word = span_take_until(&rest, "|");
		if (span_equal(word, text)) {
			*number = i;
			return true;
		}
		if (!span_take(&rest, '|')) {
			return false;
		}
	}
}

/* The largest unit that divides n. */
static void print_with_unit(uint64_t n, const struct unit *units, size_t count, char *out)
{
	size_t best = 0;
	for (size_t i = 1; i < count && n > 0; i++) {
		if (n % units[i].factor == 0) {
			best = i;
		}
	}
	assert(n % units[best].factor == 0);
	snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%s", n / units[best].factor, units[best].name);
}

void value_print_duration(uint64_t ms, char *out)
{
	print_with_unit(ms, time_units, COUNT(time_units), out);
}

void value_print_size(uint64_t bytes, char *out)
{
	print_with_unit(bytes, size_units, COUNT(size_units), out);
}
