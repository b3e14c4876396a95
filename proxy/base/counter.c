#include "base/counter.h"

#include <assert.h>
#include <stddef.h>

static const struct {
	const char *name, *help;
} rows[COUNTER_COUNT] = {
#define COUNTER_ROW(code, name, help) [COUNTER_##code] = {name, help},
	COUNTER_LIST(COUNTER_ROW)
#undef COUNTER_ROW
};

const char *counter_name(enum counter which)
{
	assert(which < COUNTER_COUNT);
	return rows[which].name;
}

const char *counter_help(enum counter which)
{
	assert(which < COUNTER_COUNT);
	return rows[which].help;
}
