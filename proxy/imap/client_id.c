#include "imap/client_id.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "imap/lexer.h"
#include "imap/quote.h"

#define PROXY_KEYS   "x-"
#define FORWARD_KEYS "x-forward-"

bool client_id_add(struct buf *out, struct span key, struct span value)
{
	/* Quotes around both, blanks behind both; each byte of the value may need a backslash. */
	size_t most = key.n + 2 * value.n + 6;
	if (!quote_is_quotable(key) || !quote_is_quotable(value) || most > buf_free_space(out)) {
		return false;
	}
	bool is_added = quote_string(out, key) && buf_add_str(out, " ") &&
			quote_string(out, value) && buf_add_str(out, " ");
	assert(is_added);
	return is_added;
}

static void keep_text(char *out, struct span value)
{
	bool is_plain = value.n > 0 && value.n < CLIENT_ID_TEXT_MAX;
	for (size_t i = 0; i < value.n && is_plain; i++) {
		is_plain = value.p[i] > ' ' && value.p[i] < 0x7f;
	}
	if (is_plain && out[0] == '\0') {
		memcpy(out, value.p, value.n);
		out[value.n] = '\0';
	}
}

static void keep_pair(struct client_id *id, struct span key, struct span value)
{
	if (id->pair_count < CLIENT_ID_PAIRS_MAX && key.n > 0 && key.n <= CLIENT_ID_KEY_MAX &&
		client_id_add(&id->pairs, key, value)) {
		id->pair_count++;
	}
}

/* Larger ones are as good: far more than is passed on (SIGNIN_PROXY_TTL). */
enum { TTL_MAX = 1000 };

static void keep_ttl(struct client_id *id, struct span value)
{
	uint64_t ttl;
	if (!span_take_number(&value, &ttl) || value.n > 0) {
		return;
	}
	/* 0 is said by who should have refused: as good as 1. */
	ttl = ttl == 0 ? 1 : ttl;
	if (id->proxy_ttl == 0 || ttl < id->proxy_ttl) {
		id->proxy_ttl = ttl < TTL_MAX ? (unsigned)ttl : TTL_MAX;
	}
}

static void take_pair(struct client_id *id, struct span key, struct span value, bool is_trusted)
{
	const struct {
		const char *key;
		char *text;
	} known[] = {
		{"x-session-id", id->session_id},
		{"x-originating-ip", id->originating_ip},
		{"x-originating-port", id->originating_port},
		{"x-connected-ip", id->connected_ip},
		{"x-connected-port", id->connected_port},
	};
	if (span_is_nocase(key, "x-proxy-ttl")) {
		keep_ttl(id, value);
		return;
	}
	bool is_forward = is_trusted && span_starts_nocase(key, FORWARD_KEYS);
	if (is_forward || !span_starts_nocase(key, PROXY_KEYS)) {
		keep_pair(id, key, value);
		return;
	}
	for (size_t i = 0; is_trusted && i < sizeof known / sizeof known[0]; i++) {
		if (span_is_nocase(key, known[i].key)) {
			keep_text(known[i].text, value);
		}
	}
}

/* A string, or NIL as an empty one. */
static bool take_string(struct span *args, struct secret *out)
{
	bool is_string = args->n > 0 && (args->p[0] == '"' || args->p[0] == '{');
	return lexer_take_astring(args, out) &&
	       (is_string || span_is_nocase(secret_span(out), "NIL"));
}

static bool is_nil(struct span args)
{
	return args.n > 0 && args.p[0] != '"' && args.p[0] != '{';
}

/* False: the rest cannot be read. */
static bool read_pair(struct client_id *id, struct span *args, bool is_trusted)
{
	struct secret key = {0};
	struct secret value = {0};
	bool is_read = !is_nil(*args) && take_string(args, &key) && span_take(args, ' ');
	bool has_value = is_read && !is_nil(*args);
	is_read = is_read && take_string(args, &value);
	if (is_read && has_value) {
		take_pair(id, secret_span(&key), secret_span(&value), is_trusted);
	}
	secret_drop(&key);
	secret_drop(&value);
	return is_read;
}

static bool is_empty(const struct client_id *id)
{
	return id->pair_count == 0 && id->proxy_ttl == 0 && id->session_id[0] == '\0' &&
	       id->originating_ip[0] == '\0' && id->originating_port[0] == '\0' &&
	       id->connected_ip[0] == '\0' && id->connected_port[0] == '\0';
}

struct client_id *client_id_read(struct span args, bool is_trusted)
{
	struct client_id *id = xcalloc(1, sizeof *id);
	buf_init(&id->pairs, CLIENT_ID_BYTES_MAX);
	if (span_take(&args, '(')) {
		while (read_pair(id, &args, is_trusted) && span_take(&args, ' ')) {
		}
	}
	if (is_empty(id)) {
		client_id_destroy(&id);
	}
	return id;
}

void client_id_destroy(struct client_id **id)
{
	struct client_id *old = *id;
	*id = NULL;
	if (old != NULL) {
		buf_finish(&old->pairs);
		free(old);
	}
}
