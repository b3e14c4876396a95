/*
 * Capability lists of a server, after sign-in. Nearly all users of a server are told the same: each
 * connection and each user has a reference, and the text is in memory once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backend_priv.h"
#include "base/alloc.h"

/* So many are compared: a server that tells everybody something else must not make sign-ins slow. */
enum { CAPS_LOOK = 8 };

struct caps *caps_get(struct list *known, struct span text)
{
	size_t left = CAPS_LOOK;
	for (struct list_node *n = known->first; n != NULL && left > 0; n = n->next, left--) {
		struct caps *c = LIST_OBJECT(n, struct caps, node);
		if (span_is(text, c->text)) {
			return caps_ref(c);
		}
	}
	struct caps *c = xcalloc(1, sizeof *c + text.n + 1);
	c->refs = 1;
	if (text.n > 0) {
		memcpy(c->text, text.p, text.n);
	}
	list_push_front(known, &c->node);
	return c;
}

struct caps *caps_ref(struct caps *c)
{
	assert(c->refs > 0);
	c->refs++;
	return c;
}

void caps_unref(struct caps **c)
{
	struct caps *old = *c;
	*c = NULL;
	if (old != NULL && --old->refs == 0) {
		list_remove(&old->node);
		free(old);
	}
}
