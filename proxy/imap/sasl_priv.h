/*
 * The mechanisms behind sasl_first_read. Each takes a decoded message that is not empty of meaning yet,
 * and sets the names and the secret of *out, which is empty before; on failure *out is to be dropped.
 */
#ifndef IMAPMUX_IMAP_SASL_PRIV_H
#define IMAPMUX_IMAP_SASL_PRIV_H

#include "imap/sasl.h"

/* The bytes of a line, "=" being none; *out untouched unless SASL_GOOD. */
enum sasl_result sasl_decode(struct span line, struct secret *out);

/* sasl_token.c */
enum sasl_result sasl_xoauth2_read(struct span message, struct credentials *out);
enum sasl_result sasl_oauthbearer_read(struct span message, struct credentials *out);

/* sasl_scram.c: client-first. */
enum sasl_result sasl_scram_read(struct span message, struct credentials *out);

/*
 * The GS2 header of RFC 5801, up to and with the comma behind the authorization identity: "n,a=user,".
 * "y" means that the client could bind, and the server did not offer it, which is what it was shown here.
 */
enum sasl_result sasl_gs2_take(struct span *rest, struct secret *authzid);

/* A saslname up to the next comma (which stays): "=2C" is a comma, "=3D" an equals sign. */
bool sasl_name_take(struct span *rest, struct secret *out);

#endif
