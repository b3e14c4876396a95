/*
 * The table. A new key is a row here, a field in config.h, a line in etc/imapmux.conf and a paragraph in
 * imapmux.conf(5); the lint says when one is missing. Bounds keep an operator's slip from taking the
 * service down (a time-out of zero, a million threads), not from tuning it.
 */
#include "config/schema.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "config/nearest.h"
#include "raw.h"

#define SECOND UINT64_C(1000)
#define DAY    (86400 * SECOND)
#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)

/* Where a value goes. */
#define CONFIG(field)          .in = SCHEMA_IN_CONFIG, .offset = offsetof(struct config, field)
#define RAW(field)             .in = SCHEMA_IN_RAW, .offset = offsetof(struct raw, field)
#define ELEMENT(type_, field)  .in = SCHEMA_IN_ELEMENT, .offset = offsetof(struct type_, field)
#define COUNTED(owner_, count) .count_offset = offsetof(struct owner_, count)

/* One form of row for each type; an initial of NULL means that the key must be given. */
#define GROUP(path_, help_)                                                                        \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_GROUP, .help = (help_)                             \
	}
#define LIST(path_, size_, help_, ...)                                                             \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_LIST, .element_size = (size_), .help = (help_),    \
		__VA_ARGS__                                                                        \
	}
#define BOOL(path_, initial_, help_, ...)                                                          \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_BOOL, .initial = (initial_), .help = (help_),      \
		__VA_ARGS__                                                                        \
	}
#define RANGE(path_, type_, initial_, min_, max_, help_, ...)                                      \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_##type_, .initial = (initial_), .min = (min_),     \
		.max = (max_), .help = (help_), __VA_ARGS__                                        \
	}
#define TEXT(path_, type_, initial_, help_, ...)                                                   \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_##type_, .initial = (initial_), .help = (help_),   \
		__VA_ARGS__                                                                        \
	}
#define ONE_OF(path_, type_, initial_, choices_, help_, ...)                                       \
	{                                                                                          \
		.path = (path_), .type = SCHEMA_##type_, .initial = (initial_),                    \
		.choices = (choices_), .help = (help_), __VA_ARGS__                                \
	}

#define RESTART .use = SCHEMA_RESTART
#define LATER   .use = SCHEMA_LATER

/* The numbers of these words are the values of enum tls_mode, log_level, log_format. */
#define TLS_MODES   "none|starttls|implicit"
#define LOG_LEVELS  "error|warn|info|debug"
#define LOG_FORMATS "logfmt|json"
/* The same with client_auth, client_user, gssapi_user, master_form. */
#define CLIENT_AUTHS "none|optional|require"
#define CLIENT_USERS "cn|email|dns"
#define GSSAPI_USERS "name|address"
#define MASTER_FORMS "authzid|separator"

static_assert(TLS_NONE == 0 && TLS_STARTTLS == 1 && TLS_IMPLICIT == 2, "TLS_MODES");
static_assert(LOG_ERROR == 0 && LOG_DEBUG == 3, "LOG_LEVELS");
static_assert(LOG_LOGFMT == 0 && LOG_JSON == 1, "LOG_FORMATS");
static_assert(CLIENT_AUTH_NONE == 0 && CLIENT_AUTH_REQUIRE == 2, "CLIENT_AUTHS");
static_assert(CLIENT_USER_CN == 0 && CLIENT_USER_DNS == 2, "CLIENT_USERS");
static_assert(GSSAPI_USER_NAME == 0 && GSSAPI_USER_ADDRESS == 1, "GSSAPI_USERS");
static_assert(MASTER_AUTHZID == 0 && MASTER_SEPARATOR == 1, "MASTER_FORMS");

/* A row begins with its path on the line of its form: tests/lint/settings.sh reads that. */
/* clang-format off */
static const struct schema_key keys[] = {
	RANGE("workers", NUMBER, "0", 0, 256,
		"threads; 0: one for each CPU", CONFIG(workers), RESTART),
	GROUP("log", "the log on stderr"),
	ONE_OF("log.level", CHOICE, "info", LOG_LEVELS,
		"least important lines that are written", CONFIG(log_level)),
	ONE_OF("log.format", CHOICE, "logfmt", LOG_FORMATS,
		"key=value pairs or one JSON object a line", CONFIG(log_format)),
	TEXT("user", STRING, "",
		"user to become once the sockets are bound; empty: stay", CONFIG(user), RESTART),
	TEXT("group", STRING, "",
		"group to become; empty: that of the user", CONFIG(group), RESTART),

	LIST("listeners", sizeof(struct config_listener),
		"where clients connect", CONFIG(listeners), COUNTED(config, listener_count)),
	TEXT("listeners.address", ADDRESS, NULL,
		"host:port, [v6]:port or unix:/path", ELEMENT(config_listener, address)),
	ONE_OF("listeners.tls", CHOICE, "none", TLS_MODES,
		"TLS never, after STARTTLS, or from the first byte", ELEMENT(config_listener, tls)),
	BOOL("listeners.insecure", "false",
		"allow sign-in in clear beyond this machine", ELEMENT(config_listener, insecure)),
	TEXT("listeners.mode", MODE, "0660",
		"permission bits of a unix socket", ELEMENT(config_listener, mode)),
	BOOL("listeners.proxy_protocol", "false",
		"expect a PROXY header before each connection",
		ELEMENT(config_listener, proxy_protocol)),
	TEXT("listeners.trusted", NAMES, "",
		"networks that may say for whom they speak (PROXY header, ID)",
		ELEMENT(config_listener, trusted_names)),
	TEXT("listeners.mechanisms", NAMES, "",
		"ways to sign in (SASL); none: PLAIN LOGIN XOAUTH2 OAUTHBEARER",
		ELEMENT(config_listener, mechanisms)),

	GROUP("tls", "TLS toward clients"),
	TEXT("tls.certificate", STRING, "",
		"PEM file: certificate, then its chain", RAW(pair.certificate)),
	TEXT("tls.key", STRING, "",
		"PEM file: private key", RAW(pair.key)),
	LIST("tls.names", sizeof(struct config_certificate),
		"certificates chosen by the name that the client asks for (SNI)",
		CONFIG(tls.certificates), COUNTED(config, tls.certificate_count)),
	TEXT("tls.names.name", STRING, NULL,
		"host name, or *.domain", ELEMENT(config_certificate, name)),
	TEXT("tls.names.certificate", STRING, NULL,
		"PEM file: certificate, then its chain", ELEMENT(config_certificate, certificate)),
	TEXT("tls.names.key", STRING, NULL,
		"PEM file: private key", ELEMENT(config_certificate, key)),
	ONE_OF("tls.min_version", WORD, "1.2", "1.2|1.3",
		"oldest version of TLS", CONFIG(tls.min_version)),
	TEXT("tls.ciphers", STRING, "",
		"cipher list for TLS 1.2; empty: those with forward secrecy", CONFIG(tls.ciphers)),
	TEXT("tls.ciphersuites", STRING, "",
		"cipher suites for TLS 1.3; empty: those of OpenSSL", CONFIG(tls.ciphersuites)),
	TEXT("tls.client_ca", STRING, "",
		"PEM file: authorities of client certificates", CONFIG(tls.client_ca)),
	ONE_OF("tls.client_auth", CHOICE, "none", CLIENT_AUTHS,
		"ask clients for a certificate", CONFIG(tls.client_auth)),
	ONE_OF("tls.client_user", CHOICE, "cn", CLIENT_USERS,
		"field of the certificate that names the user, for EXTERNAL",
		CONFIG(tls.client_user)),
	TEXT("tls.ticket_key_file", STRING, "",
		"keys of session tickets, shared by several proxies", CONFIG(tls.ticket_key_file)),

	GROUP("auth", "sign-ins that the proxy itself judges"),
	TEXT("auth.password_file", STRING, "",
		"users and passwords", CONFIG(auth.password_file)),
	TEXT("auth.gssapi_keytab", STRING, "",
		"keys of the service, for GSSAPI", CONFIG(auth.gssapi_keytab)),
	TEXT("auth.gssapi_service", STRING, "imap",
		"name of the service", CONFIG(auth.gssapi_service)),
	TEXT("auth.gssapi_hostname", STRING, "",
		"host of the service; empty: any that the keytab has", CONFIG(auth.gssapi_hostname)),
	ONE_OF("auth.gssapi_user", CHOICE, "name", GSSAPI_USERS,
		"what alice@EXAMPLE.ORG is called: alice, or alice@example.org",
		CONFIG(auth.gssapi_user)),

	LIST("backends", sizeof(struct config_backend),
		"the IMAP servers", CONFIG(backends), COUNTED(config, backend_count)),
	TEXT("backends.name", STRING, NULL,
		"its name in rules, logs and tables", ELEMENT(config_backend, name)),
	TEXT("backends.address", ADDRESS, NULL,
		"host:port, [v6]:port or unix:/path", ELEMENT(config_backend, address)),
	ONE_OF("backends.tls", CHOICE, "none", TLS_MODES,
		"TLS never, after STARTTLS, or from the first byte", ELEMENT(config_backend, tls)),
	TEXT("backends.ca", STRING, "",
		"PEM file: authorities to trust; empty: those of the system", ELEMENT(config_backend, ca)),
	BOOL("backends.verify", "true",
		"check certificate and host name", ELEMENT(config_backend, verify)),
	TEXT("backends.server_name", STRING, "",
		"name that is checked and sent (SNI); empty: the host of the address",
		ELEMENT(config_backend, server_name)),
	ONE_OF("backends.min_version", WORD, "1.2", "1.0|1.1|1.2|1.3",
		"oldest version of TLS; below 1.2 with all the weak ciphers of that time",
		ELEMENT(config_backend, min_version)),
	RANGE("backends.weight", NUMBER, "1", 0, 1000,
		"share of the users of a group; 0: none", ELEMENT(config_backend, weight)),
	BOOL("backends.send_id", "true",
		"tell the server who the client is (ID)", ELEMENT(config_backend, send_id)),
	TEXT("backends.forward", NAMES, "",
		"name=value for the server's sign-in (x-forward-name of ID)",
		ELEMENT(config_backend, forward)),
	RANGE("backends.max_connections", NUMBER, "0", 0, 1000000,
		"most connections to this server; 0: no limit",
		ELEMENT(config_backend, max_connections)),
	BOOL("backends.unauthenticate", "false",
		"let connections serve one user after another (RFC 8437)",
		ELEMENT(config_backend, unauthenticate)),
	RANGE("backends.send_proxy", NUMBER, "0", 0, 2,
		"version of the PROXY header to send; 0: none",
		ELEMENT(config_backend, send_proxy)),
	TEXT("backends.master_user", STRING, "",
		"user who may sign in for others", ELEMENT(config_backend, master_user)),
	TEXT("backends.master_password_file", STRING, "",
		"file with his password", ELEMENT(config_backend, master_password_file)),
	ONE_OF("backends.master_form", CHOICE, "authzid", MASTER_FORMS,
		"how he says for whom: authorization identity of PLAIN, or user*master",
		ELEMENT(config_backend, master_form)),
	TEXT("backends.master_separator", STRING, "*",
		"what stands between the two names", ELEMENT(config_backend, master_separator)),

	LIST("groups", sizeof(struct raw_group),
		"servers that share users", RAW(groups), COUNTED(raw, group_count)),
	TEXT("groups.name", STRING, NULL,
		"its name in rules", ELEMENT(raw_group, name)),
	TEXT("groups.backends", NAMES, NULL,
		"names of its servers; a user sticks to one", ELEMENT(raw_group, backends)),

	LIST("users", sizeof(struct raw_rule),
		"which user lives where; the first match wins", RAW(rules), COUNTED(raw, rule_count)),
	TEXT("users.match", STRING, "",
		"a user name; * and ? stand for any bytes and any byte", ELEMENT(raw_rule, match)),
	TEXT("users.regex", STRING, "",
		"a regular expression (PCRE2)", ELEMENT(raw_rule, regex)),
	TEXT("users.file", STRING, "",
		"a map file", ELEMENT(raw_rule, file)),
	TEXT("users.backend", STRING, "",
		"the server of these users", ELEMENT(raw_rule, backend)),
	TEXT("users.group", STRING, "",
		"the group of servers of these users", ELEMENT(raw_rule, group)),
	TEXT("users.login", STRING, "",
		"name at the server: %u %n %d %%, $1 of regex; empty: as it came",
		ELEMENT(raw_rule, login)),

	GROUP("pool", "connections kept signed in for the next session"),
	BOOL("pool.enabled", "true",
		"keep connections at all", CONFIG(pool.enabled)),
	RANGE("pool.idle_timeout", TIME, "5m", 1, DAY,
		"closed when not used for so long", CONFIG(pool.idle_timeout)),
	RANGE("pool.max_lifetime", TIME, "1h", 1, 30 * DAY,
		"not kept again when older", CONFIG(pool.max_lifetime)),
	RANGE("pool.check_after", TIME, "30s", 0, DAY,
		"asked by NOOP before it is lent when idle for longer", CONFIG(pool.check_after)),
	RANGE("pool.credential_ttl", TIME, "5m", 0, DAY,
		"answers for its credential so long after the server proved it",
		CONFIG(pool.credential_ttl)),
	RANGE("pool.max_idle_per_user", NUMBER, "2", 0, 1000,
		"most kept connections of one user", CONFIG(pool.max_idle_per_user)),
	RANGE("pool.max_per_user", NUMBER, "10", 0, 1000,
		"most connections of one user to a server; 0: no limit", CONFIG(pool.max_per_user)),
	RANGE("pool.max_idle", NUMBER, "1000", 0, 1000000,
		"most kept connections in all", CONFIG(pool.max_idle)),
	RANGE("pool.queue_timeout", TIME, "3s", 0, DAY,
		"wait for a free connection, then NO [LIMIT]", CONFIG(pool.queue_timeout)),
	BOOL("pool.purge_on_new_secret", "true",
		"a new password that the server accepts ends what others opened",
		CONFIG(pool.purge_on_new_secret)),
	BOOL("pool.separate_addresses", "false",
		"lend a kept connection to clients of the same address only",
		CONFIG(pool.separate_addresses)),
	RANGE("pool.spares", NUMBER, "0", 0, 1000,
		"connections to each server that wait before sign-in", CONFIG(pool.spares)),

	GROUP("limits", "bounds on what clients may use"),
	RANGE("limits.clients", NUMBER, "10000", 0, 10000000,
		"client connections; 0: no limit", CONFIG(limits.clients)),
	RANGE("limits.clients_per_ip", NUMBER, "100", 0, 10000000,
		"client connections from one address; 0: no limit", CONFIG(limits.clients_per_ip)),
	RANGE("limits.sessions_per_user", NUMBER, "20", 0, 1000000,
		"signed-in sessions of one user; 0: no limit", CONFIG(limits.sessions_per_user)),
	RANGE("limits.preauth_timeout", TIME, "60s", 1, DAY,
		"time to sign in", CONFIG(limits.preauth_timeout)),
	RANGE("limits.preauth_bytes", SIZE, "64k", 256, 16 * MIB,
		"bytes that a client may send before it is signed in", CONFIG(limits.preauth_bytes)),
	RANGE("limits.line", SIZE, "64k", 256, 16 * MIB,
		"longest command line, literals not counted", CONFIG(limits.line)),
	RANGE("limits.idle_timeout", TIME, "31m", 1, 7 * DAY,
		"a signed-in client that is silent for longer is signed out",
		CONFIG(limits.idle_timeout)),
	RANGE("limits.connect_timeout", TIME, "5s", 1, DAY,
		"time to connect to a server, TLS included", CONFIG(limits.connect_timeout)),
	RANGE("limits.signin_timeout", TIME, "60s", 1, DAY,
		"time for a server to answer a sign-in", CONFIG(limits.signin_timeout)),
	RANGE("limits.auth_delay", TIME, "2s", 0, DAY,
		"a refused user or password is not answered earlier; doubled by each further one",
		CONFIG(limits.auth_delay)),
	RANGE("limits.auth_delay_max", TIME, "15s", 0, DAY,
		"longest wait after several", CONFIG(limits.auth_delay_max)),
	RANGE("limits.drain_timeout", TIME, "30s", 0, DAY,
		"time for sessions to end after SIGTERM", CONFIG(limits.drain_timeout)),

	GROUP("capabilities", "what clients are told"),
	TEXT("capabilities.hide", NAMES, "",
		"capabilities that are never shown", RAW(hide)),
	BOOL("capabilities.tell_reuse", "false",
		"tell clients by XPROXYREUSE that the server was not asked", CONFIG(tell_reuse)),
	RANGE("capabilities.probe", TIME, "60s", 0, DAY,
		"ask a server what it offers when nobody has for so long; 0: never", CONFIG(probe)),

	GROUP("admin", "the operator's doors"),
	TEXT("admin.socket", STRING, "/run/imapmux/admin.sock",
		"path of the admin socket; empty: off", CONFIG(admin_socket)),
	TEXT("admin.http", STRING, "127.0.0.1:9143",
		"address of metrics and status page; empty: off", CONFIG(admin_http), LATER),
};
/* clang-format on */

#define KEY_COUNT (sizeof keys / sizeof keys[0])

const struct schema_key *schema_keys(size_t *count)
{
	*count = KEY_COUNT;
	return keys;
}

const struct schema_key *schema_find(const char *path)
{
	assert(path != NULL);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].path, path) == 0) {
			return &keys[i];
		}
	}
	return NULL;
}

const char *schema_name(const struct schema_key *key)
{
	const char *dot = strrchr(key->path, '.');
	return dot != NULL ? dot + 1 : key->path;
}

bool schema_is_in(const struct schema_key *key, const char *section)
{
	const char *name = schema_name(key);
	size_t n = strlen(section);
	assert(n == 0 || section[n - 1] != '.');
	if (n == 0) {
		return name == key->path;
	}
	return key->path + n + 1 == name && strncmp(key->path, section, n) == 0;
}

const struct schema_key *schema_find_in(const char *section, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (schema_is_in(&keys[i], section) && strcmp(schema_name(&keys[i]), name) == 0) {
			return &keys[i];
		}
	}
	return NULL;
}

static unsigned depth_of(const char *path)
{
	unsigned dots = 0;
	for (; (path = strchr(path, '.')) != NULL; path++) {
		dots++;
	}
	return dots;
}

const char *schema_near_miss(const char *section, const char *name)
{
	struct nearest nearest;
	const char *elsewhere = NULL;
	unsigned least = UINT_MAX;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		unsigned depth = depth_of(keys[i].path);
		if (schema_is_in(&keys[i], section)) {
			nearest_try(&nearest, schema_name(&keys[i]));
		} else if (strcmp(schema_name(&keys[i]), name) == 0 && depth <= least) {
			/* What several sections have ("name") points to none of them. */
			elsewhere = depth < least ? keys[i].path : NULL;
			least = depth;
		}
	}
	/* A slip of the finger is more likely than a key in the wrong group. */
	return nearest.best != NULL ? nearest.best : elsewhere;
}
