#include "base/sm.h"

#include <stdio.h>
#include <stdlib.h>

bool sm_can_move(const struct sm_state *table, int from, int to)
{
	return (table[from].may_move_to & SM_TO(to)) != 0;
}

void sm_move(const struct sm_state *table, int *state, int next)
{
	if (!sm_can_move(table, *state, next)) {
		fprintf(stderr, "imapmux: impossible move from %s to %s\n", table[*state].name,
			table[next].name);
		abort();
	}
	*state = next;
}
