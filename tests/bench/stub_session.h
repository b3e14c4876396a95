/*
 * One connection to the stub: enough of an IMAP server to be proxied to at full speed, and no more. Any
 * user signs in with any password; INBOX has 100 messages, and only the size of a message exists.
 *
 * Message 1 has 2 KiB, 2 has 64 KiB, 3 has 1 MiB, 4 has 16 MiB: FETCH n BODY[] gives a literal of that
 * size. Other FETCH give a line of 250 bytes for each message of the range. APPEND takes a literal of
 * any size and throws it away.
 */
#ifndef IMAPMUX_BENCH_STUB_SESSION_H
#define IMAPMUX_BENCH_STUB_SESSION_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "bench/loop.h"

struct stub {
	struct loop loop;
	uint64_t signin_cost; /* nanoseconds that a sign-in waits for its answer, as a hash would */
	uint64_t signins;
	uint64_t connections; /* that are open */
};

/* Makes the messages; once, before the first session. */
void stub_session_prepare(void);

/* Serves an accepted, non-blocking socket until its peer ends it. tls NULL: plain. */
void stub_session_serve(struct stub *stub, int fd, SSL_CTX *tls);

#endif
