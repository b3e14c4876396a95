/*
 * What all workers know of each server together: how many connections there are to it
 * (backends.max_connections), and what it offers before sign-in.
 *
 * Shared by the pools of all workers, which hold a place for each server they know. Taking and giving back
 * is lock-free; only entering and leaving a place takes the lock. Who finds nothing left is counted
 * as waiting, so that workers who hold idle connections can make room. Any thread.
 */
#ifndef IMAPMUX_BACKEND_BUDGET_H
#define IMAPMUX_BACKEND_BUDGET_H

#include <stdbool.h>

#include "backend/offer.h"

struct budget;
struct budget_place;

/* Owned by the process. destroy: only when every place was left. Nulls; NULL inside is fine. */
struct budget *budget_create(void);
void budget_destroy(struct budget **b);

/*
 * The place of a server, by all that makes it that server; the same for all who enter with the same
 * text. It lives until the last one has left, who must have given back everything.
 */
struct budget_place *budget_enter(struct budget *b, const char *server);
void budget_leave(struct budget *b, struct budget_place **p);

/* Takes one connection. False: max have been taken (0: there is no limit). */
bool budget_take(struct budget_place *p, unsigned max) __attribute__((warn_unused_result));
void budget_give(struct budget_place *p);
unsigned budget_taken(const struct budget_place *p);

/* Begins and ends to wait for one. */
void budget_wait(struct budget_place *p);
void budget_wait_no_more(struct budget_place *p);
unsigned budget_waiting(const struct budget_place *p);

/* What the server offers. Lives with the place. */
struct offer *budget_offer(struct budget_place *p);

/* Another number whenever the offer of any server has changed. */
unsigned budget_offers_version(const struct budget *b);

#endif
