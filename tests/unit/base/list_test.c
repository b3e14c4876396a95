/* The list that knows its length, held to an array that does the same. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
	int number;
	struct list_node node;
};

/* Walks both ways; the numbers must come as expected. */
static void assert_items(const struct list *l, const int *numbers, size_t count)
{
	size_t i = 0;
	assert_int_equal(l->len, count);
	for (struct list_node *n = l->first; n != NULL; n = n->next) {
		assert_true(i < count);
		assert_ptr_equal(n->list, l);
		assert_int_equal(LIST_OBJECT(n, struct item, node)->number, numbers[i]);
		i++;
	}
	assert_int_equal(i, count);
	for (struct list_node *n = l->last; n != NULL; n = n->prev) {
		i--;
		assert_int_equal(LIST_OBJECT(n, struct item, node)->number, numbers[i]);
	}
	assert_int_equal(i, 0);
}

static void test_push_and_remove(void **state)
{
	(void)state;
	struct list l = {0};
	struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
	assert_null(list_pop_front(&l));
	list_remove(&items[0].node); /* in none: nothing happens */
	list_push_back(&l, &items[1].node);
	assert_items(&l, (int[]){1}, 1);
	list_push_front(&l, &items[0].node);
	list_push_back(&l, &items[2].node);
	assert_items(&l, (int[]){0, 1, 2}, 3);
	list_remove(&items[1].node);
	assert_null(items[1].node.list);
	assert_items(&l, (int[]){0, 2}, 2);
	list_remove(&items[1].node);
	assert_items(&l, (int[]){0, 2}, 2);
	list_push_front(&l, &items[1].node);
	assert_items(&l, (int[]){1, 0, 2}, 3);
	assert_ptr_equal(list_pop_front(&l), &items[1].node);
	assert_null(items[1].node.list);
	list_remove(&items[2].node);
	assert_items(&l, (int[]){0}, 1);
	list_remove(&items[0].node);
	assert_items(&l, NULL, 0);
	assert_null(l.first);
	assert_null(l.last);
	list_push_front(&l, &items[2].node);
	assert_items(&l, (int[]){2}, 1);
}

static void test_removed_while_walked(void **state)
{
	(void)state;
	struct list l = {0};
	struct list others = {0};
	for (int i = 0; i < 6; i++) {
		struct item *item = calloc(1, sizeof *item);
		item->number = i;
		list_push_back(&l, &item->node);
	}
	int seen = 0;
	LIST_FOREACH_SAFE(node, &l)
	{
		struct item *item = LIST_OBJECT(node, struct item, node);
		assert_int_equal(item->number, seen++);
		if (item->number % 3 == 0) {
			list_remove(node);
			free(item);
		} else if (item->number % 3 == 1) {
			list_remove(node);
			list_push_back(&others, node);
		}
	}
	assert_int_equal(seen, 6);
	assert_items(&l, (int[]){2, 5}, 2);
	assert_items(&others, (int[]){1, 4}, 2);
	struct list *both[] = {&l, &others};
	for (size_t i = 0; i < 2; i++) {
		struct list_node *node;
		while ((node = list_pop_front(both[i])) != NULL) {
			free(LIST_OBJECT(node, struct item, node));
		}
	}
}

/* A few thousand random steps on two lists beside two arrays. */
enum { ITEMS = 12 };

struct model {
	int numbers[ITEMS];
	size_t len;
};

static void model_remove(struct model *m, int number)
{
	for (size_t i = 0; i < m->len; i++) {
		if (m->numbers[i] == number) {
			memmove(&m->numbers[i], &m->numbers[i + 1], (m->len - i - 1) * sizeof(int));
			m->len--;
			return;
		}
	}
}

static void model_push(struct model *m, int number, bool at_front)
{
	if (at_front) {
		memmove(&m->numbers[1], &m->numbers[0], m->len * sizeof(int));
		m->numbers[0] = number;
	} else {
		m->numbers[m->len] = number;
	}
	m->len++;
}

static void test_as_an_array(void **state)
{
	(void)state;
	struct list lists[2] = {0};
	struct model models[2] = {0};
	struct item items[ITEMS] = {0};
	for (int i = 0; i < ITEMS; i++) {
		items[i].number = i;
	}
	srand(1);
	for (int step = 0; step < 5000; step++) {
		struct item *item = &items[rand() % ITEMS];
		list_remove(&item->node);
		model_remove(&models[0], item->number);
		model_remove(&models[1], item->number);
		int which = rand() % 3;
		if (which < 2) {
			bool at_front = rand() % 2 == 0;
			(at_front ? list_push_front : list_push_back)(&lists[which], &item->node);
			model_push(&models[which], item->number, at_front);
		}
		assert_items(&lists[0], models[0].numbers, models[0].len);
		assert_items(&lists[1], models[1].numbers, models[1].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push_and_remove),
		cmocka_unit_test(test_removed_while_walked),
		cmocka_unit_test(test_as_an_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
