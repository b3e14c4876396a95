/*
 * Credentials: what is decoded from PLAIN or LOGIN is the only thing that encodes to the same text, any
 * two values come back from a quoted command as exactly two arguments, and who is read in a token or a
 * SCRAM message is a name.
 */
#include <stdlib.h>

#include "imap/base64.h"
#include "imap/lexer.h"
#include "imap/quote.h"
#include "imap/sasl.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_base64(struct span text)
{
	struct secret bytes = {0};
	if (base64_decode(text, &bytes)) {
		struct buf again;
		buf_init(&again, text.n);
		CHECK(base64_encode(&again, secret_span(&bytes)));
		CHECK(span_equal(buf_peek(&again), text));
		buf_finish(&again);
	}
	secret_drop(&bytes);
}

/* True when the command holds exactly these two arguments. */
static void check_command(struct quote *q, struct span user, struct span password)
{
	struct buf out;
	buf_init(&out, QUOTE_COMMAND_MAX);
	while (!quote_is_sent(q)) {
		CHECK(quote_send(q, &out));
	}
	struct span rest = buf_peek(&out);
	struct secret value = {0};
	CHECK(span_take_nocase(&rest, "a LOGIN ") && lexer_take_astring(&rest, &value));
	CHECK(span_equal(secret_span(&value), user));
	CHECK(span_take(&rest, ' ') && lexer_take_astring(&rest, &value));
	CHECK(span_equal(secret_span(&value), password));
	CHECK(span_is(rest, "\r\n"));
	secret_drop(&value);
	buf_finish(&out);
}

static void check_quote(struct span user, struct span password)
{
	struct quote q;
	quote_begin(&q, "a LOGIN");
	bool has_nul = span_find(user, '\0') < user.n || span_find(password, '\0') < password.n;
	bool is_built = quote_astring(&q, user) && quote_astring(&q, password);
	CHECK(!is_built || !has_nul);
	CHECK(is_built || has_nul || user.n + password.n > QUOTE_COMMAND_MAX / 2);
	if (is_built) {
		quote_end(&q);
		check_command(&q, user, password);
	}
	quote_finish(&q);
}

static void check_plain(struct span line)
{
	struct credentials c = {0};
	if (sasl_plain_read(line, &c) == SASL_GOOD && !span_is(line, "=")) {
		struct buf again;
		buf_init(&again, 2 * SASL_LINE_MAX);
		CHECK(sasl_plain_write(&again, secret_span(&c.authzid), secret_span(&c.user),
			secret_span(&c.password)));
		CHECK(span_equal(buf_peek(&again), line));
		buf_finish(&again);
		check_quote(secret_span(&c.user), secret_span(&c.password));
	}
	credentials_drop(&c);
}

static void check_login(struct span line)
{
	struct secret value = {0};
	if (sasl_login_read(line, &value) == SASL_GOOD) {
		CHECK(span_find(secret_span(&value), '\0') == value.len);
	}
	secret_drop(&value);
}

static void check_first(struct span line)
{
	for (int m = MECHANISM_XOAUTH2; m <= MECHANISM_EXTERNAL; m++) {
		struct credentials c = {0};
		if (sasl_first_read((enum mechanism)m, line, &c) == SASL_GOOD) {
			CHECK(c.mechanism == (enum mechanism)m);
			CHECK(sasl_is_text(secret_span(&c.user)));
			CHECK(sasl_is_text(secret_span(&c.authzid)));
			CHECK(sasl_is_text(secret_span(&c.password)));
			CHECK(c.user.len + c.password.len <= c.message.len);
		}
		credentials_drop(&c);
	}
}

static void check_astring(struct span text)
{
	struct secret value = {0};
	struct span rest = text;
	if (lexer_take_astring(&rest, &value)) {
		CHECK(rest.n < text.n);
		CHECK(value.len <= text.n);
		CHECK(span_find(secret_span(&value), '\0') == value.len);
	} else {
		CHECK(rest.n == text.n);
	}
	secret_drop(&value);
}

/* The bytes as the message of PLAIN: most inputs are no base64 themselves. */
static void check_message(struct span message)
{
	struct buf text;
	buf_init(&text, 1 << 22);
	if (base64_encode(&text, message)) {
		check_base64(buf_peek(&text));
		check_plain(buf_peek(&text));
		check_login(buf_peek(&text));
		check_first(buf_peek(&text));
	}
	buf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	check_base64(input);
	check_plain(input);
	check_login(input);
	check_astring(input);
	check_message(input);
	size_t middle = size > 0 ? data[0] % size : 0;
	check_quote(span_slice(input, 0, middle), span_slice(input, middle, size));
	return 0;
}
