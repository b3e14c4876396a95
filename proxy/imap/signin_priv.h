/*
 * The commands of the sign-in at a server, written for signin.c.
 */
#ifndef IMAPMUX_IMAP_SIGNIN_PRIV_H
#define IMAPMUX_IMAP_SIGNIN_PRIV_H

#include "imap/quote.h"
#include "imap/signin.h"

/* "mux" and a number. */
#define SIGNIN_TAG_MAX 16

/* None of the values holds a NUL. */
struct signin_auth {
	const char *tag;
	struct span authzid, login, password;
};

/* AUTHENTICATE PLAIN; without initial response the message waits for "+". False: too long. */
bool signin_write_plain(struct quote *q, const struct signin_auth *auth, bool has_initial_response);

/* LOGIN; auth->authzid is not used. False: too long. */
bool signin_write_login(struct quote *q, const struct signin_auth *auth);

/* ID, one line. Values that are empty or not printable are left out. False: out's cap. */
bool signin_write_id(struct buf *out, const char *tag, const struct signin_identity *identity);

#endif
