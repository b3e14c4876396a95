/*
 * An intrusive doubly linked list that knows its length.
 *
 * The length matters: a pooled state is a list, and the numbers that an operator sees are lengths of
 * lists, so they cannot drift from the truth. A node is in one list at most and remembers which, so
 * that moving it needs no second argument. Not thread-safe.
 */
#ifndef IMAPMUX_BASE_LIST_H
#define IMAPMUX_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list;

struct list_node {
	struct list_node *next, *prev;
	struct list *list; /* NULL: in no list */
};

struct list {
	struct list_node *first, *last;
	size_t len;
};

/* The object of type `type` whose member `member` is the node. The node must not be NULL. */
#define LIST_OBJECT(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks the list; the node may be removed (and freed) inside the body, its neighbours may not. */
#define LIST_FOREACH_SAFE(node, list_)                                                             \
	for (struct list_node *node = (list_)->first, *node##_next = node ? node->next : NULL;     \
		node != NULL; node = node##_next, node##_next = node ? node->next : NULL)

static inline void list_push_back(struct list *l, struct list_node *n)
{
	assert(n->list == NULL);
	*n = (struct list_node){.prev = l->last, .list = l};
	*(l->last != NULL ? &l->last->next : &l->first) = n;
	l->last = n;
	l->len++;
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
	assert(n->list == NULL);
	*n = (struct list_node){.next = l->first, .list = l};
	*(l->first != NULL ? &l->first->prev : &l->last) = n;
	l->first = n;
	l->len++;
}

/* Takes the node out of the list it is in; nothing happens when it is in none. */
static inline void list_remove(struct list_node *n)
{
	struct list *l = n->list;
	if (l == NULL) {
		return;
	}
	assert(l->len > 0);
	*(n->prev != NULL ? &n->prev->next : &l->first) = n->next;
	*(n->next != NULL ? &n->next->prev : &l->last) = n->prev;
	l->len--;
	*n = (struct list_node){0};
}

/* Takes out and returns the first node, or NULL. */
static inline struct list_node *list_pop_front(struct list *l)
{
	struct list_node *n = l->first;
	if (n != NULL) {
		list_remove(n);
	}
	return n;
}

#endif
