/*
 * A loop for tests: runs until something has happened, or fails the test when it does not happen.
 */
#ifndef IMAPMUX_LIB_LOOPER_H
#define IMAPMUX_LIB_LOOPER_H

#include "base/buf.h"
#include "net/stream.h"

/* The longest that any test waits for an event; only a broken one waits so long. */
#define LOOPER_PATIENCE_MS 20000

struct looper {
	struct net_loop loop;
	uv_timer_t glance;
};

void looper_init(struct looper *l);
void looper_finish(struct looper *l);

/* Runs turns until *flag is not 0 (or until the predicate holds). Fails the test after
 * LOOPER_PATIENCE_MS. */
void looper_wait(struct looper *l, const int *flag);
void looper_until(struct looper *l, bool (*is_so)(void *arg), void *arg);

/* A few turns in which nothing needs to happen. */
void looper_spin(struct looper *l, int turns);

/* Connected sockets: [0] and [1], TCP on loopback or unix. Non-blocking. */
void looper_tcp_pair(int fds[2]);
void looper_unix_pair(int fds[2]);

/* A stream that keeps what it is given and counts its events. */
struct peer {
	struct stream *stream;
	struct buf in;
	int opened, drained, ended, failed, closed;
	enum fail why;
	char detail[256];
	size_t bite;    /* bytes used of each on_data; 0: all */
	size_t seen;    /* bytes ever given */
	bool is_inside; /* inside a call to the stream: no event may come */
	void (*on_data)(struct peer *p, struct span in); /* NULL or called after keeping */
	void (*on_open)(struct peer *p);
	void *arg;
};

extern const struct stream_events peer_events;

void peer_init(struct peer *p);
/* Takes the descriptor; events come to the peer. */
void peer_start(struct peer *p, struct looper *l, int fd, const struct stream_options *options);
void peer_say(struct peer *p, const char *text);
void peer_say_bytes(struct peer *p, struct span bytes);
/* Runs until the peer has been given this many bytes in all. */
void peer_wait_bytes(struct peer *p, struct looper *l, size_t n);
bool peer_heard(const struct peer *p, const char *text);
/* Closes at once, waits for on_closed and frees. */
void peer_finish(struct peer *p, struct looper *l);

#endif
