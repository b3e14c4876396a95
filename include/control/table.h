/*
 * A table for people: columns that line up, two blanks between them, a line of titles.
 *
 *	BACKEND  ACTIVE  PARKED  HIT RATE
 *	mail1         2       1       50%
 *
 * Cells may come from strangers: control characters are shown as \xNN, and a long one is cut, so that nobody
 * draws on an operator's terminal. Widths count characters of UTF-8. Owned by one thread.
 */
#ifndef IMAPMUX_CONTROL_TABLE_H
#define IMAPMUX_CONTROL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Characters of a cell, unless it stands in the last column; a longer one ends in "...". */
#define TABLE_CELL_MAX    48
#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	bool is_right; /* numbers line up at their right end */
};

struct table {
	const struct table_column *columns; /* not owned */
	size_t column_count;
	char **cells; /* row by row */
	size_t cell_count;
};

void table_init(struct table *t, const struct table_column *columns, size_t count);

/* The next cell, from left to right, row by row; copied. "" is shown as "-". */
void table_add(struct table *t, const char *text);

/* All rows must be complete. */
void table_print(const struct table *t, FILE *out);
void table_finish(struct table *t);

/* Writes text as a cell shows it, not cut. */
void table_print_text(const char *text, FILE *out);

/* "420ms" "12s" "3m05s" "2h07m" "4d03h", and "17" "1.2k" "34M" (powers of 1024), and "97%"; into at least
 * TABLE_VALUE_MAX bytes. A rate between 0 and 1 is shown as 0% or 100% only when it is that. */
#define TABLE_VALUE_MAX 32
void table_format_time(uint64_t ms, char *out);
void table_format_size(uint64_t bytes, char *out);
void table_format_rate(double rate, char *out);

#endif
