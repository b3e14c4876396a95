/*
 * State machines told by a table: which states a state may move to.
 *
 * The table is the law, the drawing above it the explanation, and a test holds the two together. A
 * move that the table does not allow ends the process in every build: a connection in an impossible
 * state could carry one user's bytes to another. Pure.
 */
#ifndef IMAPMUX_BASE_SM_H
#define IMAPMUX_BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

/* A row of a table, indexed by state. */
struct sm_state {
	const char *name;
	uint32_t may_move_to; /* bits: SM_TO(state) */
};

#define SM_TO(state) (UINT32_C(1) << (state))

/* Moves *state to next. Aborts when the table forbids it. */
void sm_move(const struct sm_state *table, int *state, int next);

/* True when the table allows the move. */
bool sm_can_move(const struct sm_state *table, int from, int to);

#endif
