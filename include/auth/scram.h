/*
 * SCRAM-SHA-1 and SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677): the client proves that it knows
 * the password, the server proves that it knows the keys made of it, and neither tells the other.
 *
 *	C: n,,n=user,r=NONCE                     scram_first_read, scram_create
 *	S: r=NONCEnonce,s=SALT,i=4096            scram_server_first
 *	C: c=biws,r=NONCEnonce,p=PROOF           scram_finish
 *	S: v=SIGNATURE                           its out-parameter
 *
 * Messages are the text of the exchange, without base64 around it. No channel binding: TLS ends at the
 * proxy, -PLUS is never offered, and a client that binds ("p=") is refused (section 6: it would be an
 * attack otherwise); one that could bind ("y") is honest in saying that we cannot. Names are compared as
 * they came: SASLprep (RFC 4013) is left to the client, who must do it before he hashes anyway. Pure, any
 * thread.
 */
#ifndef IMAPMUX_AUTH_SCRAM_H
#define IMAPMUX_AUTH_SCRAM_H

#include "auth/digest.h"
#include "base/secret.h"

/* What is believed of a key: more salt or work than this is a slip (a minute of CPU a guess), less work
 * than 4096 rounds a stolen file's delight (RFC 7677 section 4). */
#define SCRAM_SALT_MAX       64
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 1000000
/* Of `doveadm pw`, and of whoever has no keys yet. */
#define SCRAM_ITERATIONS 4096
#define SCRAM_SALT_SIZE  16

/* Longest message of a client; a name of 1024 bytes with each of them quoted fits. */
#define SCRAM_MESSAGE_MAX 4096
#define SCRAM_NONCE_MAX   512

/* What a server keeps instead of a password: {SCRAM-SHA-1}, {SCRAM-SHA-256}. */
struct scram_keys {
	enum digest digest;
	unsigned iterations;
	size_t salt_size;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[DIGEST_MAX], server_key[DIGEST_MAX];
};

/* Reads "4096,SALT,STOREDKEY,SERVERKEY", the last three in base64 (as `doveadm pw` writes them). False
 * with a static explanation. */
bool scram_keys_read(enum digest d, struct span text, struct scram_keys *out, const char **why);

/* Makes the keys of a password, under the digest, salt and iterations that stand in *keys. Takes its time
 * (digest_stretch). */
void scram_keys_derive(struct scram_keys *keys, struct span password);

/* True when the keys are those of the password. Takes the same time. */
bool scram_keys_check(const struct scram_keys *keys, struct span password);

/* A client's first message; the spans show it, the secrets are its own. */
struct scram_first {
	struct span header; /* "n,," : to be repeated in the second one */
	struct span bare;   /* the rest */
	struct span nonce;
	struct secret authzid; /* empty: the user himself */
	struct secret user;    /* not empty; neither holds a NUL */
};

/* False with a static explanation: malformed, or wants what is not offered; *out is untouched then. */
bool scram_first_read(struct span message, struct scram_first *out, const char **why);
void scram_first_drop(struct scram_first *f);

struct scram;

/* The keys are copied. nonce: our half, printable, without a comma; empty: a random one. */
struct scram *scram_create(
	const struct scram_first *first, const struct scram_keys *keys, struct span nonce);
void scram_destroy(struct scram **s);

/* "r=...,s=...,i=...": valid as long as the exchange lives. */
struct span scram_server_first(const struct scram *s);

enum scram_verdict {
	SCRAM_GOOD,      /* the client knows the password */
	SCRAM_WRONG,     /* he does not */
	SCRAM_MALFORMED, /* not the second message of this exchange */
};

/* Judges the client's second message, once. After SCRAM_GOOD scram_server_final is "v=...". */
enum scram_verdict scram_finish(struct scram *s, struct span message);
struct span scram_server_final(const struct scram *s);

#endif
