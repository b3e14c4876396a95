#include "imap/listing.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

struct listing {
	size_t refs;
	unsigned number; /* of the policy */
	bool has_id;
	size_t heard_len, told_len;
	char text[]; /* heard, told */
};

struct listings {
	struct listing *kept[LISTINGS_MAX];
	size_t next; /* to be replaced */
};

struct listings *listings_create(void)
{
	return xcalloc(1, sizeof(struct listings));
}

void listings_destroy(struct listings **table)
{
	if (*table == NULL) {
		return;
	}
	for (size_t i = 0; i < LISTINGS_MAX; i++) {
		listing_unref(&(*table)->kept[i]);
	}
	free(*table);
	*table = NULL;
}

static struct span heard(const struct listing *l)
{
	return span_of(l->text, l->heard_len);
}

struct span listing_told(const struct listing *l)
{
	return span_of(l->text + l->heard_len, l->told_len);
}

bool listing_has_id(const struct listing *l)
{
	return l->has_id;
}

static struct listing *write_listing(
	const struct capability_policy *policy, struct span server_list)
{
	struct buf told;
	buf_init(&told, (size_t)2 * CAPABILITY_LIST_MAX);
	bool fits = capability_write_session(&told, policy, server_list);
	assert(fits);
	(void)fits;
	struct listing *l = xmalloc(sizeof *l + server_list.n + buf_len(&told));
	*l = (struct listing){
		.refs = 1,
		.number = policy->number,
		.has_id = capability_has(server_list, "ID"),
		.heard_len = server_list.n,
		.told_len = buf_len(&told),
	};
	if (server_list.n > 0) {
		memcpy(l->text, server_list.p, server_list.n);
	}
	if (l->told_len > 0) {
		memcpy(l->text + l->heard_len, buf_peek(&told).p, l->told_len);
	}
	buf_finish(&told);
	return l;
}

static struct listing *find(const struct listings *table, unsigned number, struct span server_list)
{
	for (size_t i = 0; i < LISTINGS_MAX && table->kept[i] != NULL; i++) {
		struct listing *l = table->kept[i];
		if (l->number == number && span_equal(heard(l), server_list)) {
			return l;
		}
	}
	return NULL;
}

static void keep(struct listings *table, struct listing *l)
{
	listing_unref(&table->kept[table->next]);
	table->kept[table->next] = l;
	table->next = (table->next + 1) % LISTINGS_MAX;
	l->refs++;
}

struct listing *listing_get(
	struct listings *table, const struct capability_policy *policy, struct span server_list)
{
	bool is_shared = table != NULL && policy->number != 0;
	struct listing *l = is_shared ? find(table, policy->number, server_list) : NULL;
	if (l != NULL) {
		l->refs++;
		return l;
	}
	l = write_listing(policy, server_list);
	/* A list of a length that no server has is nothing to keep sixteen of. */
	if (is_shared && server_list.n <= CAPABILITY_LIST_MAX) {
		keep(table, l);
	}
	return l;
}

void listing_unref(struct listing **l)
{
	struct listing *old = *l;
	*l = NULL;
	if (old != NULL && --old->refs == 0) {
		free(old);
	}
}
