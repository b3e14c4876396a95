/*
 * Why something ended: one list of failure codes for the whole program.
 *
 * Each code carries its name (the value of `reason=` in the log), whose fault it is, and what the
 * client is told (NULL: nothing, the connection just ends; a text beginning with "[" holds its RFC
 * 5530 response code). The text for clients never repeats a server's words. Pure, any thread.
 */
#ifndef IMAPMUX_BASE_FAIL_H
#define IMAPMUX_BASE_FAIL_H

enum fail_side { FAIL_SIDE_NONE, FAIL_SIDE_CLIENT, FAIL_SIDE_SERVER, FAIL_SIDE_PROXY };

/*   code, name in the log, side, text for the client */
#define FAIL_LIST(X)                                                                               \
	X(FAIL_NONE, "none", NONE, NULL)                                                           \
	X(FAIL_LOGOUT, "logout", NONE, NULL)                                                       \
	X(FAIL_CLIENT_LEFT, "client-left", NONE, NULL)                                             \
	X(FAIL_CLIENT_IO, "client-io", CLIENT, NULL)                                               \
	X(FAIL_CLIENT_TLS, "client-tls", CLIENT, NULL)                                             \
	X(FAIL_CLIENT_PROTOCOL, "client-protocol", CLIENT, "Protocol error")                       \
	X(FAIL_PREAUTH_TIMEOUT, "preauth-timeout", CLIENT, "Sign-in took too long")                \
	X(FAIL_PREAUTH_BYTES, "preauth-bytes", CLIENT, "Too many bytes before sign-in")            \
	X(FAIL_PREAUTH_ERRORS, "preauth-errors", CLIENT, "Too many invalid commands")              \
	X(FAIL_STARTTLS_INJECTED, "starttls-injected", CLIENT, NULL)                               \
	X(FAIL_LINE_TOO_LONG, "line-too-long", CLIENT, "Command line too long")                    \
	X(FAIL_IDLE_TIMEOUT, "idle-timeout", CLIENT, "Idle for too long")                          \
	X(FAIL_SLOW_READER, "slow-reader", CLIENT, NULL)                                           \
	X(FAIL_LIMIT_CLIENTS, "limit-clients", PROXY, "[UNAVAILABLE] Too many connections")        \
	X(FAIL_LIMIT_PER_IP, "limit-per-ip", CLIENT,                                               \
		"[LIMIT] Too many connections from your address")                                  \
	X(FAIL_LIMIT_SESSIONS, "limit-sessions", CLIENT, "[LIMIT] Too many sessions of this user") \
	X(FAIL_PROXY_UNTRUSTED, "proxy-untrusted", CLIENT, NULL)                                   \
	X(FAIL_PROXY_HEADER, "proxy-header", CLIENT, NULL)                                         \
	X(FAIL_PROXY_LOOP, "proxy-loop", PROXY,                                                    \
		"[UNAVAILABLE] Too many proxies on the way, they seem to form a circle")           \
	X(FAIL_NO_ROUTE, "no-route", CLIENT, "[AUTHENTICATIONFAILED] Authentication failed.")      \
	X(FAIL_AUTH, "auth-failed", CLIENT, "[AUTHENTICATIONFAILED] Authentication failed.")       \
	X(FAIL_LOGIN_REWRITTEN, "login-rewritten", CLIENT,                                         \
		"[AUTHENTICATIONFAILED] Authentication failed.")                                   \
	X(FAIL_CANCELLED, "auth-cancelled", CLIENT, NULL)                                          \
	X(FAIL_NO_MASTER, "no-master-user", PROXY, "[UNAVAILABLE] Server is not available")        \
	X(FAIL_SERVER_REFUSED, "server-refused", SERVER,                                           \
		"[UNAVAILABLE] Server refused the sign-in")                                        \
	X(FAIL_RESOLVE, "server-resolve", SERVER, "[UNAVAILABLE] Server is not available")         \
	X(FAIL_CONNECT, "server-connect", SERVER, "[UNAVAILABLE] Server is not available")         \
	X(FAIL_CONNECT_TIMEOUT, "server-connect-timeout", SERVER,                                  \
		"[UNAVAILABLE] Server is not available")                                           \
	X(FAIL_SERVER_TLS, "server-tls", SERVER, "[UNAVAILABLE] Server is not available")          \
	X(FAIL_SERVER_VERIFY, "server-verify", SERVER, "[UNAVAILABLE] Server is not available")    \
	X(FAIL_SERVER_STARTTLS, "server-starttls-refused", SERVER,                                 \
		"[UNAVAILABLE] Server is not available")                                           \
	X(FAIL_SERVER_INJECTED, "server-starttls-injected", SERVER,                                \
		"[UNAVAILABLE] Server is not available")                                           \
	X(FAIL_SERVER_PREAUTH, "server-preauth", SERVER, "[UNAVAILABLE] Server is not available")  \
	X(FAIL_SERVER_BYE, "server-bye", SERVER, "[UNAVAILABLE] Server is not available")          \
	X(FAIL_SERVER_NO_MECHANISM, "server-no-mechanism", SERVER,                                 \
		"[UNAVAILABLE] Server is not available")                                           \
	X(FAIL_MECHANISM, "mechanism-not-offered", CLIENT,                                         \
		"[CANNOT] The server does not offer this mechanism")                               \
	X(FAIL_SERVER_PROTOCOL, "server-protocol", SERVER,                                         \
		"[UNAVAILABLE] Server is not available")                                           \
	X(FAIL_SIGNIN_TIMEOUT, "server-signin-timeout", SERVER,                                    \
		"[UNAVAILABLE] Server did not answer in time")                                     \
	X(FAIL_QUEUE_USER, "queue-user", CLIENT,                                                   \
		"[LIMIT] All connections of this user to the server are in use")                   \
	X(FAIL_QUEUE_SERVER, "queue-server", PROXY,                                                \
		"[LIMIT] All connections to the server are in use, try again later")               \
	X(FAIL_SERVER_LEFT, "server-left", SERVER, "[UNAVAILABLE] Server closed the connection")   \
	X(FAIL_SERVER_IO, "server-io", SERVER, "[UNAVAILABLE] Server closed the connection")       \
	X(FAIL_SERVER_CHANGED, "server-changed", SERVER,                                           \
		"[UNAVAILABLE] Server has changed, please connect again")                          \
	X(FAIL_SIGNED_OUT, "signed-out", SERVER, "[UNAVAILABLE] Please sign in again")             \
	X(FAIL_STALE, "pool-stale", PROXY, NULL)                                                   \
	X(FAIL_POOL_IDLE, "pool-idle-timeout", NONE, NULL)                                         \
	X(FAIL_POOL_AGE, "pool-lifetime", NONE, NULL)                                              \
	X(FAIL_POOL_FULL, "pool-full", NONE, NULL)                                                 \
	X(FAIL_POOL_WANTED, "pool-wanted", NONE, NULL)                                             \
	X(FAIL_POOL_OFF, "pool-off", NONE, NULL)                                                   \
	X(FAIL_PROBED, "probed", NONE, NULL)                                                       \
	X(FAIL_POOL_FLUSHED, "pool-flushed", NONE, NULL)                                           \
	X(FAIL_POOL_UNEXPECTED, "pool-unexpected-bytes", SERVER, NULL)                             \
	X(FAIL_NOT_REUSABLE, "not-reusable", NONE, NULL)                                           \
	X(FAIL_SCRUB, "scrub-failed", SERVER, NULL)                                                \
	X(FAIL_SCRUB_TIMEOUT, "scrub-timeout", SERVER, NULL)                                       \
	X(FAIL_KICKED, "kicked", PROXY, "[UNAVAILABLE] Session ended by the administrator")        \
	X(FAIL_SHUTDOWN, "shutdown", PROXY, "[UNAVAILABLE] Server is shutting down")

enum fail {
#define FAIL_ENUM(code, name, side, text) code,
	FAIL_LIST(FAIL_ENUM)
#undef FAIL_ENUM
		FAIL_COUNT
};

/* The name in the log; never NULL. */
const char *fail_name(enum fail why);

/* Whose fault it is. */
enum fail_side fail_side(enum fail why);

/* What a client is told behind NO or BYE; NULL: nothing. */
const char *fail_client_text(enum fail why);

#endif
