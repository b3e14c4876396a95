/*
 * The admin socket at work: reads requests, asks the workers, answers.
 *
 * One request a line, one JSON document a line back, in turn. Only root and the user that this process
 * runs as are served (SO_PEERCRED): whoever else comes gets an error line, and the log says so. All of it
 * on the control thread; what belongs to workers is asked for by messages.
 */
#ifndef IMAPMUX_CONTROL_ADMIN_H
#define IMAPMUX_CONTROL_ADMIN_H

#include "client/guard.h"
#include "control/door.h"
#include "control/reload.h"

/* Operators and their monitoring; nobody needs more at once, and each may hold an answer of megabytes. */
#define ADMIN_CONNECTIONS_MAX 16
/* Who says nothing, does not read his answer, or asks a worker that does not answer, is let go after it. */
#define ADMIN_SILENCE_MS 10000

struct admin;

struct admin_options {
	struct net_loop *loop;
	const struct running *now; /* what serves; read for each request */
	const struct guard *guard;
};

/* Nothing listens yet. What the options point to must outlive it. */
struct admin *admin_create(const struct admin_options *options);

/* From now on listens where d says (takes it over), and no more where it did; or goes on as before when d
 * says so. Connections live on. */
void admin_listen(struct admin *a, struct door *d);

/* Where it listens, for the next reload. */
const struct door *admin_door(const struct admin *a);

/* An ANSWER has come. Takes the report out of m. */
void admin_on_answer(struct admin *a, struct message *m);

/* That worker has ended: it will not answer any more. */
void admin_on_worker_ended(struct admin *a, unsigned worker);

/* Stops listening, removes the file, closes every connection; the loop runs until they have closed. */
void admin_stop(struct admin *a);

/* Only after admin_stop, once the loop has run. Nulls; NULL inside is fine. */
void admin_destroy(struct admin **a);

#endif
