/*
 * What the files of the PROXY protocol share: the form of version 2.
 *
 *	0   signature, 12 bytes     16  addresses, by family
 *	12  version, command            TLVs: type, length (2), value
 *	13  family, transport
 *	14  length of what follows
 */
#ifndef IMAPMUX_NET_PROXY_HEADER_PRIV_H
#define IMAPMUX_NET_PROXY_HEADER_PRIV_H

#include "net/proxy_header.h"

#define PROXY_V1_PREFIX "PROXY "
#define PROXY_V1_MAX    107 /* "\r\n" included */

#define PROXY_V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PROXY_V2_FIXED     16

enum {
	PROXY_V2_SIGNATURE_LEN = sizeof(PROXY_V2_SIGNATURE) - 1,
	PROXY_V2_LOCAL = 0x20, /* version and command */
	PROXY_V2_PROXY = 0x21,

	PROXY_FAMILY_UNSPEC = 0x0, /* the upper half of byte 13 */
	PROXY_FAMILY_INET = 0x1,
	PROXY_FAMILY_INET6 = 0x2,
	PROXY_FAMILY_UNIX = 0x3,
	PROXY_TRANSPORT_STREAM = 0x1, /* the lower half; 0: unspecified */

	PROXY_TLV_ALPN = 0x01,
	PROXY_TLV_AUTHORITY = 0x02,
	PROXY_TLV_CRC32C = 0x03,
	PROXY_TLV_UNIQUE_ID = 0x05,
	PROXY_TLV_SSL = 0x20, /* flags (1), verify (4), TLVs */
	PROXY_TLV_SSL_VERSION = 0x21,
	PROXY_SSL_FLAG = 0x01, /* the client has spoken TLS */
	PROXY_SSL_FIXED = 5,
};

_Static_assert(PROXY_V2_SIGNATURE_LEN == 12, "signature");

/* A whole header of version 2. NULL: it is in *out; else why not. */
const char *proxy_v2_parse(struct span header, struct proxy_header *out);

/* RFC 3720 appendix B.4; going on from an earlier result, or 0. */
uint32_t proxy_crc32c(uint32_t crc, struct span bytes);

#endif
