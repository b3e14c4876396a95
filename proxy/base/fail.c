#include "base/fail.h"

#include <assert.h>
#include <stddef.h>

static const struct {
	const char *name;
	enum fail_side side;
	const char *client_text;
} fails[FAIL_COUNT] = {
#define FAIL_ROW(code, name, side, text) [code] = {name, FAIL_SIDE_##side, text},
	FAIL_LIST(FAIL_ROW)
#undef FAIL_ROW
};

const char *fail_name(enum fail why)
{
	assert(why < FAIL_COUNT);
	return fails[why].name;
}

enum fail_side fail_side(enum fail why)
{
	assert(why < FAIL_COUNT);
	return fails[why].side;
}

const char *fail_client_text(enum fail why)
{
	assert(why < FAIL_COUNT);
	return fails[why].client_text;
}
