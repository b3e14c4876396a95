/*
 * What exchange.c (the frame) and the mechanisms beside it share; see auth/exchange.h.
 */
#ifndef IMAPMUX_AUTH_EXCHANGE_PRIV_H
#define IMAPMUX_AUTH_EXCHANGE_PRIV_H

#include "auth/cram_md5.h"
#include "auth/exchange.h"
#include "auth/gssapi.h"
#include "auth/scram.h"
#include "base/buf.h"

/* A mechanism. respond: NULL where the client is never asked; message is decoded. work, worked: NULL
 * where nothing takes long. */
struct auth_mechanism {
	enum auth_verdict (*begin)(struct auth *a, const struct credentials *credentials,
		const struct auth_facts *facts);
	enum auth_verdict (*respond)(struct auth *a, struct span message);
	void (*work)(struct auth *a);
	enum auth_verdict (*worked)(struct auth *a);
};

struct auth {
	struct auth_store *store; /* a reference */
	const struct auth_mechanism *mechanism;
	enum mechanism number;
	enum auth_verdict verdict;
	struct buf challenge;   /* base64 */
	struct secret identity; /* of the file, the certificate, the ticket; proved with AUTH_OK */
	const char *reason;
	bool is_known; /* the file has what this mechanism needs of the user */
	bool is_equal; /* what auth_work found out */
	enum scheme scheme;
	struct secret value;    /* of the file */
	struct secret password; /* of the client */
	/* SCRAM */
	struct scram_first first;
	struct secret message; /* which `first` shows */
	struct scram_keys keys;
	struct scram *scram;
	/* CRAM-MD5 */
	char cram_room[CRAM_CHALLENGE_MAX];
	struct span cram_text;
	/* GSSAPI */
	struct gss_exchange *gss;
	enum gss_verdict gss_verdict;
	struct buf token; /* of the client, then ours */
};

extern const struct auth_mechanism auth_password, auth_scram, auth_cram_md5, auth_external,
	auth_gssapi;

/* Says no. reason is static, or lives as long as the exchange. */
enum auth_verdict auth_no(struct auth *a, const char *reason);

/* Asks for another message; ours in clear. */
enum auth_verdict auth_ask(struct auth *a, struct span message);

/* True when the client wants to be himself: no authorization identity, or his own name. */
bool auth_is_himself(struct span authzid, struct span user);

/* Looks the user up: copies value and spelling of the first of the schemes that he has. */
bool auth_look_up(struct auth *a, struct span user, const enum scheme *schemes, size_t count);

#endif
