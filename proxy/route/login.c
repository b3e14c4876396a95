/*
 * One function takes a template apart, for the check and for the expansion, so that the two cannot
 * disagree. A user name is only ever copied: a % or $ in it means nothing.
 */
#include "route/login.h"

#include <assert.h>

#include "base/alloc.h"

/* The name as it grows. */
struct out {
	char text[LOGIN_MAX];
	size_t len;
	bool is_full;
};

static void put(struct out *o, struct span s)
{
	assert(o->len <= sizeof o->text);
	if (s.n > sizeof o->text - o->len) {
		o->is_full = true;
		return;
	}
	if (s.n > 0) {
		memcpy(o->text + o->len, s.p, s.n);
		o->len += s.n;
	}
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* What the next piece of a template stands for. */
struct piece {
	enum { PIECE_TEXT, PIECE_VARIABLE, PIECE_GROUP, PIECE_WRONG } kind;
	struct span text; /* PIECE_TEXT */
	uint8_t name;     /* PIECE_VARIABLE: u n d; PIECE_GROUP: its number */
};

/* Takes a piece from the front; form must not be empty. */
static struct piece take_piece(struct span *form)
{
	assert(form->n > 0);
	uint8_t first = form->p[0];
	uint8_t second = form->n > 1 ? form->p[1] : '\0';
	struct piece piece = {PIECE_TEXT, span_of(form->p, 1), 0};
	size_t taken = 2;
	if (first == '%' && (second == 'u' || second == 'n' || second == 'd')) {
		piece.kind = PIECE_VARIABLE;
		piece.name = second;
	} else if (first == '%' && second != '%') {
		piece.kind = PIECE_WRONG;
		taken = 1;
	} else if (first == '$' && is_digit(second)) {
		piece.kind = PIECE_GROUP;
		piece.name = (uint8_t)(second - '0');
	} else if (first != '%' && !(first == '$' && second == '$')) {
		taken = 1;
	}
	*form = span_slice(*form, taken, form->n);
	return piece;
}

bool login_check(struct span form, size_t groups, const char **why)
{
	assert(groups <= LOGIN_GROUPS);
	while (form.n > 0) {
		struct piece piece = take_piece(&form);
		if (piece.kind == PIECE_WRONG) {
			*why = "behind % stands one of u n d %";
			return false;
		}
		if (piece.kind == PIECE_GROUP && piece.name >= groups) {
			*why = groups > 0 ? "the expression has no group of that number"
					  : "$ and a digit need a rule with regex";
			return false;
		}
	}
	return true;
}

/* Index of the last @, or the length of the name. */
static size_t find_at(struct span user)
{
	for (size_t i = user.n; i > 0; i--) {
		if (user.p[i - 1] == '@') {
			return i - 1;
		}
	}
	return user.n;
}

static struct span variable(uint8_t name, struct span user)
{
	size_t at = find_at(user);
	switch (name) {
	case 'n':
		return span_slice(user, 0, at);
	case 'd':
		return span_slice(user, at < user.n ? at + 1 : at, user.n);
	default:
		assert(name == 'u');
		return user;
	}
}

char *login_expand(struct span form, struct span user, const struct span *groups)
{
	struct out o = {.len = 0};
	if (form.n == 0) {
		put(&o, user);
	}
	while (form.n > 0) {
		struct piece piece = take_piece(&form);
		assert(piece.kind != PIECE_WRONG);
		if (piece.kind == PIECE_VARIABLE) {
			put(&o, variable(piece.name, user));
		} else if (piece.kind == PIECE_GROUP) {
			assert(groups != NULL);
			put(&o, groups[piece.name]);
		} else {
			put(&o, piece.text);
		}
	}
	if (o.is_full || o.len == 0) {
		return NULL;
	}
	/* The caller's string ends at its NUL: none may be inside. */
	assert(memchr(o.text, '\0', o.len) == NULL);
	return xmemdup0(o.text, o.len);
}
