/*
 * What signin.c (the dialogue), signin_auth.c (the part of it that has to do with a credential) and
 * signin_command.c (what is sent) share.
 */
#ifndef IMAPMUX_IMAP_SIGNIN_PRIV_H
#define IMAPMUX_IMAP_SIGNIN_PRIV_H

#include "imap/quote.h"
#include "imap/refusal.h"
#include "imap/response.h"
#include "imap/signin.h"

/* "mux" and a number. */
#define SIGNIN_TAG_MAX 16

enum signin_state {
	STATE_GREETING,
	STATE_ASKING,
	STATE_STARTTLS,
	STATE_HANDSHAKE,
	STATE_READY,
	STATE_AUTH,
	STATE_CHALLENGED, /* the caller owes an answer */
	STATE_CANCELLED,
	STATE_ASKING_AGAIN,
	STATE_OK,
	STATE_NO,
	STATE_FAILED
};

struct signin {
	struct response_reader reader;
	struct buf capabilities; /* the newest list; empty: none, or forgotten */
	struct buf server_id;    /* its answer to our ID */
	struct quote command;    /* what is still to be sent of the sign-in: the credential */
	int state;               /* enum signin_state */
	bool want_starttls;      /* still to be done */
	bool may_challenge;      /* the mechanism has more messages than the first */
	bool needs_challenge;    /* and without them no OK is true */
	bool has_challenge;      /* to be told */
	unsigned steps;          /* challenges so far */
	struct secret challenge; /* the last */
	enum fail failure;
	struct refusal refusal;
	size_t seen;                 /* bytes of input of this half of the dialogue */
	unsigned tags;               /* drawn so far */
	char tag[SIGNIN_TAG_MAX];    /* of the command that is waited for; "": none */
	char id_tag[SIGNIN_TAG_MAX]; /* of an ID before it */
};

/* signin.c */
void signin_fail(struct signin *s, enum fail why); /* its state is FAILED from here on */
void signin_move(struct signin *s, enum signin_state next);
bool signin_offers(const struct signin *s, const char *word);
void signin_draw_tag(struct signin *s, char *tag);

/* signin_auth.c: a line that begins with "+". */
void signin_on_continue(struct signin *s, const struct response *r, struct buf *out);

/* None of the values holds a NUL. */
struct signin_auth {
	const char *tag;
	struct span authzid, login, password;
};

/* AUTHENTICATE PLAIN; without initial response the message waits for "+". False: too long. */
bool signin_write_plain(struct quote *q, const struct signin_auth *auth, bool has_initial_response);

/* LOGIN; auth->authzid is not used. False: too long. */
bool signin_write_login(struct quote *q, const struct signin_auth *auth);

/* AUTHENTICATE of any mechanism; message: its first, which takes over. As above. */
bool signin_write_message(struct quote *q, const char *tag, const char *mechanism,
	struct span base64, bool has_initial_response);

/* ID, one line. Values that are empty or not printable are left out. False: out's cap. */
bool signin_write_id(struct buf *out, const char *tag, const struct signin_identity *identity);

#endif
