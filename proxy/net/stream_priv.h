/*
 * What the sources of a stream share: stream.c (the object and its events), stream_io.c (reading and
 * writing), stream_tls.c (what TLS adds to both), carry.c (moving it). See net/stream.h.
 *
 *	          plain                    start_tls
 *	 create ────────> OPENING ──> OPEN ─────────> HANDSHAKE
 *	    └────────────────────────> ^ └──────<────────┘
 *	          TLS: HANDSHAKE ──────┘
 *	 any of them ──error──> FAILED ──close──> CLOSED
 *	 any of them ──close──> FLUSHING ──sent──> DRAINING ──EOF, error, time──> CLOSED
 */
#ifndef IMAPMUX_NET_STREAM_PRIV_H
#define IMAPMUX_NET_STREAM_PRIV_H

#include "base/buf.h"
#include "base/sm.h"
#include "net/stream.h"
#include "net/tls.h"

enum stream_state {
	STREAM_OPENING,   /* plain: on_open is owed */
	STREAM_HANDSHAKE, /* TLS: reading whatever the owner says, writes wait in gathered */
	STREAM_OPEN,      /* bytes go both ways */
	STREAM_FAILED,    /* dead; on_failed is owed or told; waits for stream_close */
	STREAM_FLUSHING,  /* stream_close: output leaves, input is dropped */
	STREAM_DRAINING,  /* our FIN is sent: closing now would reset what the peer has not read */
	STREAM_CLOSED,    /* uv_close called */
};

extern const struct sm_state stream_states[];

/* Events owed to the owner: bits of stream.owed. */
enum stream_event {
	EVENT_OPEN = 1,
	EVENT_DATA = 2, /* resumed: kept bytes, then an EOF that waits behind them */
	EVENT_DRAINED = 4,
	EVENT_FAILED = 8,
	EVENT_SHAKE = 16, /* none of the owner's: undecoded holds bytes for the handshake */
};

enum stream_reading {
	READING_OFF,
	READING_ON,
	READING_ENDED, /* FIN or close_notify seen */
	READING_TOLD,  /* and on_eof called */
};

enum stream_drain {
	DRAIN_SILENT,
	DRAIN_AT_LOW,  /* the high mark was passed */
	DRAIN_AT_ZERO, /* stream_want_drained */
};

/* Output that the kernel did not take at once; lives until it does. */
struct stream_sending {
	uv_write_t request;
	struct buf bytes;
};

/* Bytes that wait. An idle stream has none of it (15 KB an idle session are nearly all OpenSSL's). */
struct stream_queues {
	struct buf unread;    /* given to on_data and not used, or not yet given */
	struct buf undecoded; /* TLS: received, but nobody wanted the plaintext yet */
	struct buf gathered;  /* TLS: small writes of this turn, to become one record */
	struct buf out;       /* for the kernel, in order */
};

struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp; /* unix sockets, too: libuv asks nothing that only TCP could answer */
	} uv;
	struct net_loop *loop;
	const struct stream_events *events;
	void *owner;
	int state;    /* enum stream_state */
	uint8_t owed; /* EVENT_* */
	enum stream_reading reading : 8;
	enum stream_drain drain : 8;
	enum fail why : 8;
	bool is_server; /* whose fault: a client's or a server's */
	bool is_paused;
	bool is_giving;  /* inside on_data */
	bool is_resumed; /* stream_resume was the last word inside on_data */
	char *detail;    /* of the failure */
	struct net_task deliver;
	struct net_task flush;
	struct wheel_timer *linger;         /* closing: when patience ends */
	struct tls *tls;                    /* NULL: plain */
	const struct stream_queues *queues; /* never NULL; changed through stream_queues only */
	struct stream_sending *sending;     /* on its way, before out */
};

/* stream.c: the object. */

/* The queues to put something into, and their end once they are empty. */
struct stream_queues *stream_queues(struct stream *s);
void stream_trim(struct stream *s);

/* A stream on the descriptor in the given state, without events owed. NULL: fd is closed. */
struct stream *stream_make(struct net_loop *loop, int fd, enum stream_state state,
	const struct stream_events *events, void *owner);
void stream_owe(struct stream *s, enum stream_event event);
bool stream_is_live(const struct stream *s); /* neither failed nor closing */
/* The stream is dead. Output that is left is dropped. A closing stream closes. */
void stream_fail(struct stream *s, enum fail why, const char *detail);
void stream_fail_io(struct stream *s, int uv_error);
void stream_shut(struct stream *s); /* CLOSED, whatever was pending */

/* stream_io.c: reading and writing. */

void stream_update_reading(struct stream *s);
bool stream_can_give(
	const struct stream *s); /* the owner wants bytes, and none wait before new ones */
/* Plaintext for the owner, who must want it; keeps what he does not use. */
void stream_give(struct stream *s, struct span in);
void stream_give_kept(struct stream *s); /* after a resume */
void stream_end_of_input(struct stream *s);
void stream_flush(void *stream);
void stream_flush_later(struct stream *s);
/* Writes out and then more, as much as the kernel takes now; what is left of more joins out. False: the
 * stream failed. */
bool stream_send(struct stream *s, struct span more);
/* Appends to out. False: the stream failed. */
bool stream_queue(struct stream *s, struct span bytes);
void stream_check_output(struct stream *s); /* high mark, cap, owed on_drained */

/* stream_tls.c. */

void stream_tls_begin(struct stream *s, const struct stream_options *options);
void stream_tls_received(struct stream *s, struct span in);
void stream_tls_shake(struct stream *s); /* with what is kept in undecoded */
void stream_tls_give_kept(struct stream *s);
void stream_tls_write(struct stream *s, struct span bytes);
void stream_tls_seal(struct stream *s); /* encrypts what was gathered */
void stream_tls_end(struct stream *s);  /* and close_notify behind it */

#endif
