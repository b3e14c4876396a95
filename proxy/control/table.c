#include "control/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/span.h"

void table_init(struct table *t, const struct table_column *columns, size_t count)
{
	assert(count > 0 && count <= TABLE_COLUMNS_MAX);
	*t = (struct table){.columns = columns, .column_count = count};
}

/* Length of the character that begins here and may be shown as it is; 0: it must not. Terminals act on the
 * control characters U+0080 to U+009F, too. */
static size_t shown_length(const unsigned char *p)
{
	static const unsigned char least[] = {0, 0, 0xc2, 0xe0, 0xf0};
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (n == 1) {
		return p[0] >= ' ' && p[0] != 0x7f ? 1 : 0;
	}
	if (p[0] < least[n] || p[0] > 0xf4 || (p[0] == 0xc2 && p[1] < 0xa0)) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return n;
}

/* The next character of *text as it is shown; returns its width. out has room for 5 bytes. */
static size_t next_shown(const char **text, char *out)
{
	const unsigned char *p = (const unsigned char *)*text;
	size_t n = shown_length(p);
	if (n > 0) {
		memcpy(out, p, n);
		out[n] = '\0';
		*text += n;
		return 1;
	}
	snprintf(out, 5, "\\x%02x", p[0]);
	*text += 1;
	return 4;
}

void table_print_text(const char *text, FILE *out)
{
	char shown[5];
	while (*text != '\0') {
		next_shown(&text, shown);
		fputs(shown, out);
	}
}

static char *shown_cell(const char *text, size_t most)
{
	static const char cut[] = "...";
	size_t width = 0;
	size_t used = 0;
	size_t cut_at = 0; /* where the dots would still fit */
	char *cell = xmalloc(4 * strlen(text) + sizeof cut);
	while (*text != '\0') {
		char shown[5];
		width += next_shown(&text, shown);
		memcpy(cell + used, shown, strlen(shown));
		used += strlen(shown);
		cut_at = width <= most - (sizeof cut - 1) ? used : cut_at;
	}
	if (width > most) {
		memcpy(cell + cut_at, cut, sizeof cut);
	} else {
		cell[used] = '\0';
	}
	return cell;
}

void table_add(struct table *t, const char *text)
{
	bool is_last = (t->cell_count + 1) % t->column_count == 0;
	t->cells = xrealloc(t->cells, (t->cell_count + 1) * sizeof t->cells[0]);
	t->cells[t->cell_count++] =
		shown_cell(text[0] != '\0' ? text : "-", is_last ? SIZE_MAX : TABLE_CELL_MAX);
}

/* Characters: bytes that do not continue one. */
static size_t width_of(const char *cell)
{
	size_t width = 0;
	for (; *cell != '\0'; cell++) {
		width += ((unsigned char)*cell & 0xc0) != 0x80;
	}
	return width;
}

static void measure(const struct table *t, size_t *widths)
{
	for (size_t i = 0; i < t->column_count; i++) {
		widths[i] = width_of(t->columns[i].title);
	}
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t width = width_of(t->cells[i]);
		size_t column = i % t->column_count;
		widths[column] = width > widths[column] ? width : widths[column];
	}
}

static void print_cell(
	const struct table *t, size_t column, const char *cell, size_t width, FILE *out)
{
	int blanks = (int)(width - width_of(cell));
	bool is_last = column + 1 == t->column_count;
	fputs(column > 0 ? "  " : "", out);
	if (t->columns[column].is_right) {
		fprintf(out, "%*s%s", blanks, "", cell);
	} else {
		/* Nothing behind the last: lines without trailing blanks. */
		fprintf(out, "%s%*s", cell, is_last ? 0 : blanks, "");
	}
	fputs(is_last ? "\n" : "", out);
}

void table_print(const struct table *t, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX];
	assert(t->cell_count % t->column_count == 0);
	measure(t, widths);
	for (size_t i = 0; i < t->column_count; i++) {
		print_cell(t, i, t->columns[i].title, widths[i], out);
	}
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t column = i % t->column_count;
		print_cell(t, column, t->cells[i], widths[column], out);
	}
}

void table_finish(struct table *t)
{
	for (size_t i = 0; i < t->cell_count; i++) {
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct table){0};
}

/* Values. */

void table_format_time(uint64_t ms, char *out)
{
	uint64_t s = ms / 1000;
	if (ms < 1000) {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64 "ms", ms);
	} else if (s < 60) {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64 "s", s);
	} else if (s < 3600) {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	} else if (s < 86400) {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	} else {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
			s / 3600 % 24);
	}
}

void table_format_size(uint64_t bytes, char *out)
{
	static const char units[] = "kMGTPE";
	double n = (double)bytes;
	int unit = -1;
	while (n >= 1024) {
		n /= 1024;
		unit++;
	}
	assert(unit < (int)sizeof units - 1);
	if (unit < 0) {
		snprintf(out, TABLE_VALUE_MAX, "%" PRIu64, bytes);
	} else {
		snprintf(out, TABLE_VALUE_MAX, n < 10 ? "%.1f%c" : "%.0f%c", n, units[unit]);
	}
}

void table_format_rate(double rate, char *out)
{
	assert(rate >= 0 && rate <= 1);
	int percent = (int)(rate * 100 + 0.5);
	percent = percent == 0 && rate > 0 ? 1 : percent;
	percent = percent == 100 && rate < 1 ? 99 : percent;
	snprintf(out, TABLE_VALUE_MAX, "%d%%", percent);
}
