/*
 * What a server lists after sign-in, and what clients are told of it (imap/capability.h): written once
 * for all sessions of a thread, because it is the same for nearly all of them and takes as long to write as
 * all else that the answer to a sign-in from the pool takes.
 *
 * Listings are counted and never change; their table keeps the last ones in use. One thread.
 */
#ifndef IMAPMUX_IMAP_LISTING_H
#define IMAPMUX_IMAP_LISTING_H

#include "imap/capability.h"

struct listing;
struct listings;

/* Kept at the same time; servers of one cluster differ in few lists. */
#define LISTINGS_MAX 16

struct listings *listings_create(void);

/* Frees the table and nulls the pointer; listings that are in use live on. NULL is accepted. */
void listings_destroy(struct listings **table);

/*
 * The listing of a server's list under a policy; the caller owns a reference. Found in the table when its
 * policy number and its words are the same, else written and put there. table may be NULL and
 * policy->number 0: then it is written for the caller alone.
 */
struct listing *listing_get(
	struct listings *table, const struct capability_policy *policy, struct span server_list);

/* Nulls the pointer; NULL is accepted. */
void listing_unref(struct listing **l);

/* For clients: capability_write_session. Lives as long as the listing. */
struct span listing_told(const struct listing *l);

/* True when the server itself has ID. */
bool listing_has_id(const struct listing *l);

#endif
