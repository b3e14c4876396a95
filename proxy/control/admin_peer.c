/*
 * A connection's way: READING a line; ASKING the workers, if the request needs them; WRITING the answer in
 * pieces that the stream can hold; READING again. At the end of the input or after an error: CLOSING.
 *
 * What goes wrong: a line that is too long ends the connection after an error line, as does silence; a
 * request that is not understood is answered with an error and the next is read.
 */
#include "admin_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "control/answer.h"

/* How long an answer may take to leave when the connection is closed. */
#define ADMIN_LINGER_MS 1000

static void answer_to(struct peer *p, char *text);

/* Peers. */

void peer_close(struct peer *p, uint64_t linger_ms)
{
	net_loop_disarm(p->admin->options.loop, &p->silence);
	p->state = PEER_CLOSING;
	stream_close(p->stream, linger_ms);
}

static void on_silence(void *owner)
{
	struct peer *p = owner;
	if (p->state == PEER_ASKING) {
		p->is_last = true;
		answer_to(p, answer_error("a worker does not answer"));
		return;
	}
	peer_close(p, 0);
}

static void wait_for_peer(struct peer *p)
{
	net_loop_arm(p->admin->options.loop, &p->silence, ADMIN_SILENCE_MS);
}

static void forget_question(struct peer *p)
{
	request_finish(&p->request);
	inspect_report_finish(&p->report);
	free(p->has_answered);
	p->has_answered = NULL;
	p->awaited = 0;
}

static void free_peer(struct peer *p)
{
	assert(p->state == PEER_CLOSING);
	list_remove(&p->node);
	forget_question(p);
	buf_finish(&p->line);
	free(p->answer);
	free(p);
}

/* Writing. */

static void end_answer(struct peer *p)
{
	free(p->answer);
	p->answer = NULL;
	if (p->is_last) {
		peer_close(p, ADMIN_LINGER_MS);
		return;
	}
	p->state = PEER_READING;
	stream_resume(p->stream);
}

/* As much as the stream should hold; on_drained goes on. */
static void write_on(struct peer *p)
{
	size_t room = STREAM_HIGH_WATER;
	size_t left = p->answer_len - p->written;
	size_t n = left < room ? left : room;
	assert(p->state == PEER_WRITING);
	stream_write(p->stream, span_of(p->answer + p->written, n));
	p->written += n;
	wait_for_peer(p);
	if (p->written == p->answer_len) {
		end_answer(p);
	} else {
		stream_want_drained(p->stream);
	}
}

/* Takes over the text, a line with its end. */
static void answer_to(struct peer *p, char *text)
{
	forget_question(p);
	p->state = PEER_WRITING;
	p->answer = text;
	p->answer_len = strlen(text);
	p->written = 0;
	write_on(p);
}

static void on_drained(void *owner)
{
	struct peer *p = owner;
	if (p->state == PEER_WRITING) {
		write_on(p);
	}
}

/* Asking. */

static void log_deed(const struct peer *p)
{
	struct log_line line;
	bool is_kick = p->request.kind == REQUEST_KICK;
	log_begin(&line, LOG_INFO, is_kick ? "kicked" : "flushed");
	if (p->request.server[0] != '\0') {
		log_str(&line, "backend", p->request.server);
	}
	if (p->request.who[0] != '\0') {
		log_str(&line, is_kick ? "who" : "login", p->request.who);
	}
	log_number(&line, is_kick ? "sessions" : "connections", (int64_t)p->report.done);
	if (!is_kick) {
		log_number(&line, "credentials", (int64_t)p->report.forgotten);
	}
	log_number(&line, "uid", p->uid);
	log_end(&line);
}

static void answer_request(struct peer *p)
{
	const struct admin *a = p->admin;
	if (p->request.kind >= REQUEST_KICK) {
		log_deed(p);
	}
	answer_to(p, answer_make(&p->request, &p->report,
			     &(struct answer_context){
				     .now = a->options.now,
				     .clients = guard_clients(a->options.guard),
				     .uptime_ms = net_loop_now(a->options.loop) - a->started_ms,
			     }));
}

static enum inspect_kind question_of(enum request_kind kind)
{
	switch (kind) {
	case REQUEST_CLIENTS:
	case REQUEST_SESSIONS:
		return INSPECT_CLIENTS;
	case REQUEST_USERS:
		return INSPECT_USERS;
	case REQUEST_KICK:
		return INSPECT_KICK;
	case REQUEST_FLUSH:
		return INSPECT_FLUSH;
	default:
		assert(kind == REQUEST_POOLS || kind == REQUEST_BACKENDS);
		return INSPECT_POOL;
	}
}

static bool needs_workers(enum request_kind kind)
{
	return kind != REQUEST_STATS && kind != REQUEST_CONFIG && kind != REQUEST_VERSION;
}

static void ask_workers(struct peer *p)
{
	struct admin *a = p->admin;
	const struct running *now = a->options.now;
	struct inspect_query query = {.kind = question_of(p->request.kind),
		.server = p->request.server,
		.who = p->request.who};
	p->state = PEER_ASKING;
	p->number = ++a->queries;
	p->has_answered = xcalloc(now->worker_count, sizeof *p->has_answered);
	for (unsigned i = 0; i < now->worker_count; i++) {
		p->has_answered[i] = a->has_ended[i];
		if (!a->has_ended[i]) {
			p->awaited++;
			worker_post(now->workers[i], message_query(p->number, &query));
		}
	}
	if (p->awaited == 0) {
		answer_request(p);
	}
}

static bool names_unknown_server(const struct peer *p)
{
	const struct config *c = p->admin->options.now->generation->config;
	bool is_group = false;
	size_t index;
	return p->request.server[0] != '\0' &&
	       (!config_find_target(c, p->request.server, &is_group, &index) || is_group);
}

static void handle_line(struct peer *p)
{
	const char *why = "";
	struct span line = span_chomp(buf_peek(&p->line));
	bool is_good = request_parse(line, &p->request, &why);
	buf_finish(&p->line);
	/* Answered or not: one request at a time. */
	stream_pause(p->stream);
	wait_for_peer(p);
	if (!is_good) {
		answer_to(p, answer_error(why));
	} else if (names_unknown_server(p)) {
		answer_to(p, answer_error("there is no backend of that name"));
	} else if (needs_workers(p->request.kind)) {
		ask_workers(p);
	} else {
		answer_request(p);
	}
}

void peer_note_answer(struct peer *p, unsigned worker)
{
	if (p->state != PEER_ASKING || p->has_answered[worker]) {
		return;
	}
	p->has_answered[worker] = true;
	assert(p->awaited > 0);
	if (--p->awaited == 0) {
		answer_request(p);
	}
}

/* Reading. */

static size_t on_data(void *owner, struct span in)
{
	struct peer *p = owner;
	if (p->state != PEER_READING) {
		stream_pause(p->stream);
		return p->state == PEER_CLOSING ? in.n : 0;
	}
	size_t end = span_find(in, '\n');
	size_t used = end < in.n ? end + 1 : in.n;
	if (!buf_add(&p->line, span_slice(in, 0, used))) {
		stream_pause(p->stream);
		p->is_last = true;
		answer_to(p, answer_error("the line is too long"));
		return in.n;
	}
	if (end < in.n) {
		handle_line(p);
	}
	return used;
}

static void on_open(void *owner)
{
	(void)owner;
}

static void on_eof(void *owner)
{
	peer_close(owner, ADMIN_LINGER_MS);
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	(void)why;
	(void)detail;
	peer_close(owner, 0);
}

static void on_closed(void *owner)
{
	free_peer(owner);
}

static const struct stream_events peer_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_eof = on_eof,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

void peer_create(struct admin *a, int fd, uid_t uid)
{
	struct peer *p = xcalloc(1, sizeof *p);
	p->admin = a;
	p->uid = uid;
	buf_init(&p->line, REQUEST_LINE_MAX + sizeof "\r\n");
	wheel_timer_init(&p->silence, on_silence, p);
	p->stream = stream_create(
		a->options.loop, fd, &(struct stream_options){.is_server = true}, &peer_events, p);
	if (p->stream == NULL) {
		free(p);
		return;
	}
	list_push_back(&a->peers, &p->node);
	wait_for_peer(p);
}
