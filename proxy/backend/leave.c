/*
 * Drives imap/errand with UNAUTHENTICATE (RFC 8437): a connection whose session has left becomes a spare for
 * any user. Only toward servers where the operator says so (backends.unauthenticate), and only when the
 * server has listed it to this very user: Cyrus has it for administrators.
 *
 * Happy path: backend_leave sends it in the place of the barrier, which its tagged OK then is: nothing of
 * the session can be behind it. What was selected is closed without expunge, what was enabled is off. The
 * user lets go of the connection; the capabilities before sign-in come with the OK or are asked for; it
 * is a spare (spare.c). The next user is signed in by the server itself. Nothing is ever sent behind it
 * before its answer.
 * Failure ways: any other answer than OK, or none: closed. A server that refuses what it has listed may
 * hold other surprises for the next user.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "user_priv.h"

static bool can_leave(const struct backend *b)
{
	const struct config_backend *config = b->server->config;
	/* Its PROXY header names the client whom it was opened for. */
	return config != NULL && config->unauthenticate && config->send_proxy == 0 &&
	       capability_has(span_str(b->capabilities->text), "UNAUTHENTICATE");
}

bool backend_leave(struct backend *b, bool is_selected)
{
	assert(b->state == BACKEND_SCRUBBING && b->loan == NULL);
	if (!can_leave(b)) {
		return false;
	}
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	b->errand = xcalloc(1, sizeof *b->errand);
	errand_begin(b->errand, b->tag, span_str("UNAUTHENTICATE"), is_selected, &out);
	tracker_destroy(&b->tracker);
	backend_write(b, &out);
	net_loop_arm(b->pool->loop, &b->timer, POOL_SCRUB_MS);
	return true;
}

static void log_left(void)
{
	struct log_line line;
	log_begin(&line, LOG_DEBUG, "left by its user");
	log_end(&line);
}

/* Nobody's: as if it had just been greeted. */
static void begin_anew(struct backend *b)
{
	struct pool *p = b->pool;
	struct buf out;
	buf_init(&out, BACKEND_OUT_MAX);
	b->signin = signin_create_again(errand_capabilities(b->errand), &out);
	backend_end_errand(b);
	user_signed_out(b);
	log_left();
	counter_add(p->counters, COUNTER_POOL_UNAUTHENTICATED, 1);
	if (signin_state(b->signin) == SIGNIN_READY) {
		buf_finish(&out);
		spare_ready(b);
		return;
	}
	backend_move(b, BACKEND_SIGNIN);
	backend_write(b, &out);
	net_loop_arm(p->loop, &b->timer, p->config->limits.signin_timeout);
}

void backend_leave_data(struct backend *b, struct span *in)
{
	switch (errand_feed(b->errand, in)) {
	case ERRAND_MORE:
		break;
	case ERRAND_OK:
		begin_anew(b);
		break;
	case ERRAND_REFUSED:
	case ERRAND_FAILED:
		backend_scrub_broken(b, FAIL_SCRUB);
		break;
	}
}
