#include "lib/tracker_rig.h"

#include <assert.h>
#include <stdlib.h>

/* Far more than any test makes; a runaway ends here. */
enum { RIG_CAP = 1 << 26 };

static void must(bool held)
{
	if (!held) {
		abort();
	}
}

static void on_to_client(void *owner, struct span bytes)
{
	struct tracker_rig *rig = owner;
	must(!rig->is_gone);
	must(bytes.n > 0);
	must(buf_add(&rig->to_client, bytes));
}

static void on_to_server(void *owner, struct span bytes)
{
	struct tracker_rig *rig = owner;
	must(bytes.n > 0);
	must(buf_add(&rig->to_server, bytes));
}

static struct tracker_sink sink_of(struct tracker_rig *rig)
{
	return (struct tracker_sink){
		.owner = rig, .to_client = on_to_client, .to_server = on_to_server};
}

static void init(
	struct tracker_rig *rig, size_t max_line, const char *capabilities, bool is_attached)
{
	static const char *const hide[] = {"XHIDDEN"};
	*rig = (struct tracker_rig){.ended = TRACKER_MORE, .is_detached = !is_attached};
	struct tracker_options options = {
		.capabilities = {.hide = hide, .hide_count = 1},
		.server_capabilities = span_str(capabilities),
		.server_id = RIG_SERVER_ID,
		.max_line = max_line,
		.proxy_tag = is_attached ? RIG_PROXY_TAG : NULL,
		.is_attached = is_attached,
	};
	rig->t = tracker_create(&options);
	buf_init(&rig->to_server, RIG_CAP);
	buf_init(&rig->to_client, RIG_CAP);
	buf_init(&rig->waiting, RIG_CAP);
	buf_init(&rig->rest, RIG_CAP);
}

void tracker_rig_init(struct tracker_rig *rig, size_t max_line, const char *capabilities)
{
	init(rig, max_line, capabilities, true);
}

void tracker_rig_init_detached(struct tracker_rig *rig, size_t max_line, const char *capabilities)
{
	init(rig, max_line, capabilities, false);
}

void tracker_rig_finish(struct tracker_rig *rig)
{
	tracker_destroy(&rig->t);
	buf_finish(&rig->to_server);
	buf_finish(&rig->to_client);
	buf_finish(&rig->waiting);
	buf_finish(&rig->rest);
}

/* A copy of its own, so that a sanitizer sees every read behind its end. */
static struct span copy_of(struct span in, void **owned)
{
	*owned = malloc(in.n > 0 ? in.n : 1);
	must(*owned != NULL);
	if (in.n > 0) {
		memcpy(*owned, in.p, in.n);
	}
	return span_of(*owned, in.n);
}

static void feed_client(struct tracker_rig *rig, struct span piece)
{
	if (rig->ended != TRACKER_MORE || rig->is_gone) {
		return;
	}
	if (buf_len(&rig->waiting) > 0) {
		must(buf_add(&rig->waiting, piece));
		return;
	}
	void *owned;
	struct span in = copy_of(piece, &owned);
	struct tracker_sink sink = sink_of(rig);
	enum tracker_verdict verdict = tracker_client(rig->t, &in, &sink);
	switch (verdict) {
	case TRACKER_MORE:
		must(in.n == 0);
		break;
	case TRACKER_ATTACH:
		rig->is_wanting = true;
		must(!tracker_is_quiet(rig->t) && !tracker_can_detach(rig->t));
		must(in.n > 0);
		must(buf_add(&rig->waiting, in));
		break;
	case TRACKER_BLOCKED:
		must(in.n > 0);
		must(buf_add(&rig->waiting, in));
		break;
	case TRACKER_LOGOUT:
	case TRACKER_FAILED:
		rig->ended = verdict;
		break;
	default:
		must(false);
	}
	free(owned);
}

static void feed_waiting(struct tracker_rig *rig)
{
	void *owned;
	struct span in = copy_of(buf_peek(&rig->waiting), &owned);
	buf_clear(&rig->waiting);
	feed_client(rig, in);
	free(owned);
}

/* Fed too early, the waiting bytes must change nothing. */
static void feed_early(struct tracker_rig *rig)
{
	struct span in = buf_peek(&rig->waiting);
	struct span all = in;
	struct tracker_sink sink = sink_of(rig);
	size_t told = buf_len(&rig->to_client);
	must(tracker_client(rig->t, &in, &sink) == TRACKER_ATTACH);
	must(span_equal(in, all));
	must(buf_len(&rig->to_client) == told);
}

void tracker_rig_attach(struct tracker_rig *rig, struct span enabled, const char *capabilities)
{
	must(rig->is_wanting);
	feed_early(rig);
	must(tracker_can_attach(rig->t, enabled));
	rig->is_wanting = false;
	tracker_attach(rig->t, enabled, span_str(capabilities), RIG_PROXY_TAG);
	rig->is_detached = false;
	feed_waiting(rig);
}

void tracker_rig_detach(struct tracker_rig *rig)
{
	must(!rig->is_detached);
	tracker_detach(rig->t);
	rig->is_detached = true;
}

void tracker_rig_refuse(struct tracker_rig *rig, const char *text)
{
	must(rig->is_wanting);
	feed_early(rig);
	rig->is_wanting = false;
	tracker_refuse_next(rig->t, text);
	must(!tracker_is_quiet(rig->t));
	feed_waiting(rig);
}

static void feed_server(struct tracker_rig *rig, struct span piece)
{
	must(!rig->is_detached);
	if (rig->ended != TRACKER_MORE) {
		must(buf_add(&rig->rest, piece));
		return;
	}
	void *owned;
	struct span in = copy_of(piece, &owned);
	struct tracker_sink sink = sink_of(rig);
	enum tracker_verdict verdict = tracker_server(rig->t, &in, &sink);
	switch (verdict) {
	case TRACKER_MORE:
		must(in.n == 0);
		break;
	case TRACKER_UNBLOCKED:
		must(in.n == 0);
		must(!rig->is_gone);
		must(buf_len(&rig->waiting) > 0);
		feed_waiting(rig);
		break;
	case TRACKER_SERVER_BYE:
		must(in.n == 0);
		rig->byes++;
		break;
	case TRACKER_LOGOUT:
	case TRACKER_FAILED:
		rig->ended = verdict;
		must(buf_add(&rig->rest, in));
		break;
	default:
		must(false);
	}
	free(owned);
}

static void in_pieces(struct tracker_rig *rig, struct span in, size_t first, size_t step,
	void (*feed)(struct tracker_rig *rig, struct span piece))
{
	assert(first > 0 && step > 0);
	size_t size = first;
	while (in.n > 0) {
		struct span piece;
		must(span_take_bytes(&in, in.n < size ? in.n : size, &piece));
		feed(rig, piece);
		size = step;
	}
}

void tracker_rig_client(struct tracker_rig *rig, struct span in, size_t first, size_t step)
{
	in_pieces(rig, in, first, step, feed_client);
}

void tracker_rig_server(struct tracker_rig *rig, struct span in, size_t first, size_t step)
{
	in_pieces(rig, in, first, step, feed_server);
}

bool tracker_rig_gone(struct tracker_rig *rig)
{
	struct tracker_sink sink = sink_of(rig);
	rig->is_gone = true;
	rig->is_wanting = false;
	buf_clear(&rig->waiting);
	return tracker_client_gone(rig->t, &sink);
}
