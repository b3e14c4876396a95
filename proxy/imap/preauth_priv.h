/*
 * What preauth.c (reading, states), preauth_command.c (the commands) and preauth_exchange.c (from
 * credentials to the answer) share.
 */
#ifndef IMAPMUX_IMAP_PREAUTH_PRIV_H
#define IMAPMUX_IMAP_PREAUTH_PRIV_H

#include "imap/command.h"
#include "imap/command_reader.h"
#include "imap/preauth.h"

enum preauth_state {
	PREAUTH_STATE_COMMAND,
	PREAUTH_STATE_MESSAGE,  /* waits for the first message of a mechanism */
	PREAUTH_STATE_USER,     /* waits for the first answer of LOGIN */
	PREAUTH_STATE_PASSWORD, /* waits for the second */
	PREAUTH_STATE_EXCHANGE, /* waits for the answer to the caller's challenge */
	PREAUTH_STATE_SIGN_IN,  /* the caller asks a server */
	PREAUTH_STATE_STARTTLS, /* the caller begins TLS */
	PREAUTH_STATE_ENDED,
};

struct preauth {
	struct preauth_policy policy;
	struct command_reader reader;
	struct credentials credentials;
	int state; /* enum preauth_state */
	enum fail failure;
	bool is_first;        /* no line has been read: is this IMAP at all? */
	bool has_asked;       /* the client sent CAPABILITY */
	bool has_id;          /* the client sent ID */
	struct client_id *id; /* what it told, until it is taken */
	size_t seen;          /* bytes consumed */
	unsigned errors;      /* invalid commands */
	unsigned literals;    /* of the command at hand */
	unsigned steps;       /* challenges of the exchange at hand */
	const char *refusal;  /* the answer when a refused command has passed by */
	char *offered;        /* policy.offered */
	char *late_refusal;   /* EXCHANGE: the answer to whatever the client sends now */
	struct secret response;
	size_t tag_len; /* 0: the command had no usable tag */
	char tag[COMMAND_TAG_MAX];
};

/* Texts that are said in both files. */
#define PREAUTH_SAY_PRIVACY   "NO [PRIVACYREQUIRED] Sign-in is not possible without TLS"
#define PREAUTH_SAY_MALFORMED "BAD Malformed command"

/* Appends text; running out of room fails the connection at the end of the feed. */
void preauth_say(struct preauth *p, struct buf *out, const char *text);

/* Appends the pre-auth capability list. */
void preauth_say_capabilities(struct preauth *p, struct buf *out);

/* Appends the tagged reply; text begins with the status. */
void preauth_reply(struct preauth *p, struct buf *out, const char *text);

/* Appends the tagged reply and ends the command. A BAD counts, and the last that is allowed ends all. */
enum preauth_verdict preauth_answer(struct preauth *p, const char *text, struct buf *out);

/* Ends the command at hand, which the reader forgets, and moves to (or stays in) a state. */
void preauth_move(struct preauth *p, enum preauth_state next);

/* Runs the command whose verb is given; args holds literals as sent. */
enum preauth_verdict preauth_run(
	struct preauth *p, struct span verb, struct span args, struct buf *out);

/* AUTHENTICATE. */
enum preauth_verdict preauth_authenticate(struct preauth *p, struct span args, struct buf *out);

/* Takes the line that a SASL state waits for. */
enum preauth_verdict preauth_run_sasl(struct preauth *p, struct span line, struct buf *out);

/* The credentials are complete: hands them up. Those that no server should see are refused as wrong. */
enum preauth_verdict preauth_sign_in(struct preauth *p, struct buf *out);

#endif
