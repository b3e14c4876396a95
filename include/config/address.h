/*
 * Network addresses as an operator writes them: "127.0.0.1:143", "[::]:993", "mail2.internal:993",
 * "unix:/run/imapmux/imap.sock". Only the text is understood here; names are resolved by net/dial.
 * Pure, any thread.
 */
#ifndef IMAPMUX_CONFIG_ADDRESS_H
#define IMAPMUX_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum address_kind { ADDRESS_INET, ADDRESS_UNIX };

struct address {
	enum address_kind kind;
	char *text;    /* as it was written; owned */
	char *host;    /* ADDRESS_INET: name or literal address without brackets; owned */
	uint16_t port; /* ADDRESS_INET: 1..65535 */
	char *path;    /* ADDRESS_UNIX: absolute path shorter than sun_path; owned */
	bool is_loopback; /* a literal 127.0.0.0/8 or ::1, or a unix socket: never leaves the machine */
};

/* Longest path of a unix socket: the kernel's array (sun_path) has room for it with its NUL. */
#define ADDRESS_PATH_MAX 107

/* Understands the text; false with a static explanation in *why. */
bool address_parse(const char *text, struct address *out, const char **why);

/* "[::]", and any other address in brackets. */
bool address_is_any6(const struct address *a);
bool address_is_ipv6(const struct address *a);

/* Frees what address_parse made; the struct may be parsed into again. */
void address_finish(struct address *a);

#endif
