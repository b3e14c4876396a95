/*
 * A client connection with the test on both sides of it: the session above, and the peer at the other
 * end of a real socket. Both loops run on the test's thread; the second is another worker's.
 */
#ifndef IMAPMUX_LIB_CLIENT_RIG_H
#define IMAPMUX_LIB_CLIENT_RIG_H

#include "client/client.h"
#include "lib/looper.h"

struct client_rig {
	struct looper looper;
	struct looper other;
	struct config_limits limits;
	struct client_options options;
	struct client *client; /* NULL: closed */
	struct peer peer;
	struct buf data; /* what came up after the sign-in */
	size_t bite;     /* bytes of each on_data that are used; 0: all */
	int credentials, movable, drained, gone, closed, responses, cancelled;
	unsigned mechanisms; /* that may be used; what a listener offers by default */
	enum fail why;
	char user[64], password[64]; /* of the last sign-in */
	char response[64];           /* the last */
	bool is_inside;              /* inside a call to the client: no event may come */
	void (*on_credentials)(struct client_rig *r);
};

/* Each call to the client is made like this: an event from inside it fails the test. */
#define CALL(r, call)                                                                              \
	do {                                                                                       \
		bool was_inside = (r)->is_inside;                                                  \
		(r)->is_inside = true;                                                             \
		call;                                                                              \
		(r)->is_inside = was_inside;                                                       \
	} while (0)

/* TLS of both sides; the certificate is for mail.example.org. Group set-up and tear-down. */
extern struct tls_context *rig_server_tls, *rig_client_tls;
int rig_make_pki(void **state);
int rig_unmake_pki(void **state);

/* Of a test; unmake then make gives a fresh one in between. */
int rig_make(void **state);
int rig_unmake(void **state);
struct client_rig *rig_renew(void **state);

extern const struct client_events rig_events;

/* Connects: the client is in its first state, the peer has begun. */
void rig_begin(struct client_rig *r, enum tls_mode mode);

/* Turns of both loops until it is so; a broken test fails in the end. */
void rig_until(struct client_rig *r, bool (*is_so)(void *arg), void *arg);
void rig_wait(struct client_rig *r, int *flag);

/* It is later by so much, and what is due has happened. */
void rig_jump(struct client_rig *r, uint64_t ms);

/* Until what the peer has heard ends in the text; then forget. */
void rig_hear(struct client_rig *r, const char *ending);
void rig_forget(struct client_rig *r);
/* All that the peer has heard; forgotten then. */
void rig_assert_heard(struct client_rig *r, const char *expected);
/* Until the stream has ended at the peer. */
void rig_hear_the_end(struct client_rig *r);
/* Until that much has come up to the session; and exactly that, forgotten then. */
void rig_wait_data(struct client_rig *r, size_t n);
void rig_expect_data(struct client_rig *r, const char *text);

/* Waits for the greeting. */
void rig_greet(struct client_rig *r);
/* Says the text and waits for on_credentials. */
void rig_sign_in(struct client_rig *r, const char *text);
void rig_accept(struct client_rig *r);
void rig_refuse(struct client_rig *r);
/* STARTTLS from the peer's side, up to the end of the handshake. */
void rig_start_tls(struct client_rig *r);
/* The peer's side is closed. */
void rig_hang_up(struct client_rig *r);

/* What the peer hears then. */
#define ACCEPTED(tag) tag " OK [CAPABILITY IMAP4rev1 X] Logged in\r\n"
#define REFUSED(tag)  tag " NO [AUTHENTICATIONFAILED] No.\r\n"

/* A sign-in as alice with the password "se cret", and what a client pipelines behind it. */
#define SIGNIN_TEXT "a LOGIN {5+}\r\nalice \"se cret\"\r\n"
#define BEHIND_TEXT "b NOOP\r\nc APPEND x {3+}\r\nabc\r\n"

#endif
