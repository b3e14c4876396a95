/*
 * Both sides of any bytes: 0x01 and 0x02 in the input say that what follows is from the client, from the
 * server; 0x03 that the client has gone; 0x04 that the owner gives the connection back, or the one that
 * is wanted; 0x05 that it has none. Told whole and byte by byte, all output must be the same.
 */
#include <stdlib.h>

#include "lib/tracker_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FROM_CLIENT = 1, FROM_SERVER, CLIENT_LEAVES, LINK, REFUSAL };

static struct span next_part(struct span *in)
{
	size_t n = 0;
	while (n < in->n && (in->p[n] < FROM_CLIENT || in->p[n] > REFUSAL)) {
		n++;
	}
	struct span part = span_slice(*in, 0, n);
	*in = span_slice(*in, n, in->n);
	return part;
}

/*
 * What the client has sent and the tracker has not taken goes on at the next line end of the server: the
 * lines behind it may mean something else then, so they must not come in the same piece.
 */
static void from_server(struct tracker_rig *rig, struct span in, size_t size)
{
	while (in.n > 0 && !rig->is_detached) {
		size_t end = span_find(in, '\n');
		size_t n = buf_len(&rig->waiting) > 0 && end < in.n ? end + 1 : in.n;
		tracker_rig_server(rig, span_slice(in, 0, n), size, size);
		in = span_slice(in, n, in.n);
	}
}

static void change_link(struct tracker_rig *rig)
{
	if (rig->is_wanting) {
		tracker_rig_attach(rig, tracker_enabled(rig->t), RIG_CAPABILITIES);
	} else if (rig->ended == TRACKER_MORE && tracker_can_detach(rig->t)) {
		tracker_rig_detach(rig);
	}
}

static void play(struct tracker_rig *rig, struct span in, size_t size)
{
	tracker_rig_init(rig, 200, RIG_CAPABILITIES);
	while (in.n > 0) {
		uint8_t who = in.p[0];
		in = span_slice(in, 1, in.n);
		struct span part = next_part(&in);
		if (who == CLIENT_LEAVES && rig->ended == TRACKER_MORE && !rig->is_gone) {
			tracker_rig_gone(rig);
		} else if (who == LINK) {
			change_link(rig);
		} else if (who == REFUSAL) {
			if (rig->is_wanting) {
				tracker_rig_refuse(rig, "No");
			}
		} else if (who == FROM_SERVER) {
			from_server(rig, part, size);
		} else if (who == FROM_CLIENT) {
			tracker_rig_client(rig, part, size, size);
		}
	}
}

/* Of a line that waits, told byte by byte, the tracker has all but the end. */
static bool is_same_rest(const struct tracker_rig *whole, const struct tracker_rig *bytes)
{
	struct span all = buf_peek(&whole->waiting);
	struct span end = buf_peek(&bytes->waiting);
	if (whole->is_wanting && end.n < all.n) {
		all = span_slice(all, all.n - end.n, all.n);
	}
	return span_equal(all, end);
}

static bool is_same(const struct tracker_rig *a, const struct tracker_rig *b)
{
	return span_equal(buf_peek(&a->to_server), buf_peek(&b->to_server)) &&
	       span_equal(buf_peek(&a->to_client), buf_peek(&b->to_client)) && is_same_rest(a, b) &&
	       span_equal(buf_peek(&a->rest), buf_peek(&b->rest)) && a->ended == b->ended &&
	       (a->byes > 0) == (b->byes > 0) && tracker_dirt(a->t) == tracker_dirt(b->t) &&
	       span_equal(tracker_enabled(a->t), tracker_enabled(b->t)) &&
	       tracker_has_implicit_condstore(a->t) == tracker_has_implicit_condstore(b->t) &&
	       a->is_wanting == b->is_wanting &&
	       tracker_can_detach(a->t) == tracker_can_detach(b->t) &&
	       tracker_selected(a->t) == tracker_selected(b->t) &&
	       span_equal(tracker_mailbox(a->t), tracker_mailbox(b->t)) &&
	       tracker_failure(a->t) == tracker_failure(b->t) &&
	       tracker_is_quiet(a->t) == tracker_is_quiet(b->t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tracker_rig whole, bytes;
	play(&whole, span_of(data, size), SIZE_MAX);
	play(&bytes, span_of(data, size), 1);
	if (!is_same(&whole, &bytes)) {
		abort();
	}
	tracker_rig_finish(&whole);
	tracker_rig_finish(&bytes);
	return 0;
}
