/*
 * The PROXY protocol, versions 1 and 2: a header in front of a connection by which a load balancer says
 * who has connected to it, and where.
 *
 * Pure: bytes in, a header out, and back; no socket. The reader never uses a byte behind the header:
 * that is the ClientHello, or IMAP. Not thread-safe; a reader belongs to whoever embeds it.
 */
#ifndef IMAPMUX_NET_PROXY_HEADER_H
#define IMAPMUX_NET_PROXY_HEADER_H

#include "base/buf.h"
#include "net/socket_name.h"

/*
 * A longer header is refused. Version 1 has at most 107 bytes; a header of version 2 could have 64 KiB,
 * but its senders keep to one TCP segment (536 bytes, so the specification), and somewhat more with the
 * client's certificate in it.
 */
#define PROXY_HEADER_MAX 4096

/* Longer values of an extension are left out: a host name has 253 bytes, a unique id 128. */
#define PROXY_TEXT_MAX 256

/* Text of an extension; "" when it was not there, was too long, or was not printable ASCII. */
typedef char proxy_text[PROXY_TEXT_MAX];

struct proxy_header {
	/* The addresses are those of the connection itself: a health check of the sender (LOCAL), or one
	 * that has no addresses (UNKNOWN, UNSPEC). source and destination are empty then. */
	bool is_local;
	/* As stream_peer_name and stream_local_name would have said it at the sender: numbers, or "unix"
	 * and "0". */
	struct stream_name source, destination;
	/* The client has spoken TLS with the sender. */
	bool is_tls;
	proxy_text tls_version; /* "TLSv1.3" */
	proxy_text alpn;        /* protocol that was agreed on */
	proxy_text authority;   /* name that the client asked for (SNI) */
	proxy_text unique_id;   /* what the sender calls the connection in its log */
};

enum proxy_read {
	PROXY_READ_MORE, /* all input was used; give more */
	PROXY_READ_DONE, /* the header is whole; the rest of the input is not of it */
	PROXY_READ_BAD,  /* no header, or a broken one: proxy_reader_why; close */
};

struct proxy_reader {
	struct buf bytes;
	const char *why;
};

/* Begins; finish frees what was read so far, and may be called at any time. */
void proxy_reader_init(struct proxy_reader *r);
void proxy_reader_finish(struct proxy_reader *r);

/*
 * Consumes from *in what belongs to the header, in pieces of any size. *out is written with DONE only. An
 * end other than MORE is the end: the reader may then only be finished. What cannot become a header
 * is BAD with the byte that shows it. With a checksum (CRC32C) in the header it must be right.
 */
enum proxy_read proxy_reader_feed(
	struct proxy_reader *r, struct span *in, struct proxy_header *out);

/* After BAD: what is wrong, for the log; static. */
const char *proxy_reader_why(const struct proxy_reader *r);

/*
 * Appends a header of version 1 or 2. Addresses of different families become both IPv6; where one is no
 * number (a unix socket) the header says only that the connection is the sender's own. Version 2 also tells
 * is_tls with tls_version, and authority. False: out's cap.
 */
bool proxy_header_write(struct buf *out, unsigned version, const struct proxy_header *header)
	__attribute__((warn_unused_result));

#endif
