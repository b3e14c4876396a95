/*
 * The checked configuration: an immutable, counted snapshot of one file.
 *
 * Built by config_load on the main thread, then shared by all workers and never written again. A
 * reload builds a new one; sessions that began under the old one keep it until they end. Every
 * string is owned by the snapshot and never NULL ("" is "not set"). Times are milliseconds, sizes
 * bytes. The names are those of imapmux.conf(5).
 */
#ifndef IMAPMUX_CONFIG_CONFIG_H
#define IMAPMUX_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "config/address.h"
#include "config/errors.h"
#include "config/network.h"

/* A list of strings as it was written. */
struct config_names {
	char **items;
	size_t count;
};

enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

struct config_listener {
	struct config_place place;
	char *text; /* the address as written; its identity across reloads */
	struct address address;
	bool takes_ipv4; /* "[::]" is for both, unless another listener has the port for IPv4 */
	enum tls_mode tls;
	bool insecure;                     /* sign-in in clear allowed although not loopback */
	unsigned mode;                     /* unix socket: permission bits */
	bool proxy_protocol;               /* each connection begins with a PROXY header */
	struct config_names trusted_names; /* as written */
	struct network *trusted;           /* who may say for whom he speaks: PROXY header, ID */
	size_t trusted_count;
	struct config_names mechanisms; /* SASL names in any case; none: the default */
};

struct config_certificate {
	struct config_place place, key_place; /* of the keys certificate, key */
	char *name;                           /* SNI name or "*.domain"; "" for the default pair */
	char *certificate, *key;
};

/* Which clients are asked for a certificate. */
enum client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_OPTIONAL, CLIENT_AUTH_REQUIRE };

/* The field of it that names the user: subject common name, or subject alternative names. */
enum client_user { CLIENT_USER_CN, CLIENT_USER_EMAIL, CLIENT_USER_DNS };

struct config_tls {
	struct config_place place;
	struct config_place ciphers_place, ciphersuites_place, client_ca_place,
		ticket_key_file_place;
	struct config_certificate *certificates; /* [0] is the default pair when there is any */
	size_t certificate_count;
	char *min_version; /* "1.2" or "1.3" */
	char *ciphers, *ciphersuites;
	char *client_ca;
	enum client_auth client_auth;
	enum client_user client_user;
	char *ticket_key_file;
};

/* What a Kerberos principal alice@EXAMPLE.ORG is called as a user: "alice", "alice@example.org". */
enum gssapi_user { GSSAPI_USER_NAME, GSSAPI_USER_ADDRESS };

struct config_auth {
	struct config_place password_file_place, gssapi_keytab_place;
	char *password_file;
	char *gssapi_keytab, *gssapi_service, *gssapi_hostname;
	enum gssapi_user gssapi_user;
};

/* How a master user says for whom he signs in: by PLAIN's authorization identity, or "user*master". */
enum master_form { MASTER_AUTHZID, MASTER_SEPARATOR };

struct config_backend {
	struct config_place place;
	struct config_place ca_place, forward_place, master_password_file_place;
	char *name;
	struct address address;
	enum tls_mode tls;
	char *ca; /* "": the system's store */
	bool verify;
	char *server_name; /* checked and sent as SNI; defaults to the host of the address */
	char *min_version; /* oldest TLS: "1.0" to "1.3"; NULL (no file was read): "1.2" */
	unsigned weight;   /* 0: takes no new users of a group */
	bool send_id;
	struct config_names forward; /* "name=value": x-forward-name of ID */
	unsigned send_proxy;         /* version of the PROXY header that it wants; 0: none */
	unsigned max_connections;    /* of all workers; 0: no limit */
	bool unauthenticate;         /* one user's connection may be another's next */
	char *master_user;           /* "": none */
	char *master_password_file;
	enum master_form master_form;
	char *master_separator;
};

struct config_group {
	struct config_place place;
	char *name;
	size_t *backends; /* indexes into config.backends */
	size_t backend_count;
};

enum rule_kind { RULE_MATCH, RULE_REGEX, RULE_FILE };

struct config_rule {
	struct config_place place;
	struct config_place pattern_place, login_place;
	enum rule_kind kind;
	char *pattern; /* glob or exact name, regular expression, or path of the map file */
	char *target;  /* name of a backend or group; "" for RULE_FILE */
	char *login;   /* template; "" keeps the name */
};

struct config_pool {
	bool enabled;
	uint64_t idle_timeout, max_lifetime, check_after, credential_ttl; /* ms */
	uint64_t queue_timeout;                                           /* ms */
	unsigned max_idle_per_user, max_idle;
	unsigned max_per_user;    /* at one server; 0: no limit */
	unsigned spares;          /* at each server */
	bool separate_addresses;  /* kept connections are for the address that they show */
	bool purge_on_new_secret; /* a password that the server proves ends the others */
};

struct config_limits {
	unsigned clients, clients_per_ip, sessions_per_user; /* 0: no limit */
	uint64_t preauth_timeout, idle_timeout, connect_timeout, signin_timeout,
		drain_timeout;   /* ms */
	uint64_t auth_delay;     /* ms; a refused credential is not answered earlier */
	uint64_t auth_delay_max; /* ms; nor, after several, than this; below auth_delay: as that */
	size_t preauth_bytes, line;
};

struct config {
	_Atomic unsigned refs;
	char *file;
	char **files; /* this file and what it includes; every place points into these */
	size_t file_count;
	unsigned workers; /* already resolved: at least 1 */
	enum log_level log_level;
	enum log_format log_format;
	char *user, *group;
	struct config_listener *listeners;
	size_t listener_count;
	struct config_tls tls;
	struct config_auth auth;
	struct config_backend *backends;
	size_t backend_count;
	struct config_group *groups;
	size_t group_count;
	struct config_rule *rules;
	size_t rule_count;
	struct config_pool pool;
	struct config_limits limits;
	char **hide; /* capabilities never shown, upper case */
	size_t hide_count;
	bool tell_reuse; /* XIMAPPROXY, XPROXYREUSE */
	uint64_t
		probe; /* ms; a server is asked what it offers when nobody was there for so long; 0: never */
	struct config_place admin_socket_place;
	char *admin_socket, *admin_http;
	struct config_errors notes; /* what is allowed, but does not do what one might think */
};

/*
 * Reads and checks a file. NULL: errors has at least one line. The caller owns one reference.
 * Certificates are only checked for being readable: net/tls_context and route/table report on the
 * content of certificates and map files through the same errors.
 */
struct config *config_load(const char *file, struct config_errors *errors);

/*
 * The same, but with errors too the snapshot is handed out, so that the content of certificates and
 * map files can be checked in the same run. Fit for nothing else: a default stands where a value was
 * wrong, and a file that cannot be read is left out, so that nobody complains about it again. NULL:
 * the file could not be parsed.
 */
struct config *config_load_to_check(const char *file, struct config_errors *errors);

struct config *config_ref(struct config *c);
void config_unref(
	struct config **c); /* nulls; frees with the last reference; NULL inside is fine */

/* The backend or group of that name; false: none. Names are unique across both. */
bool config_find_target(const struct config *c, const char *name, bool *is_group, size_t *index);

#endif
