#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/fake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "imap/command.h"
#include "imap/credentials.h"
#include "imap/lexer.h"
#include "imap/sasl.h"

static const struct stream_events fake_events;

static struct fake_connection *connection_of(void *owner)
{
	return owner;
}

void fake_say(struct fake_connection *c, const char *text)
{
	if (c->stream != NULL) {
		stream_write(c->stream, span_str(text));
	}
}

void fake_reply(struct fake_connection *c, const char *text)
{
	fake_say(c, c->tag);
	fake_say(c, " ");
	fake_say(c, text);
	fake_say(c, "\r\n");
}

void fake_hang_up(struct fake_connection *c)
{
	if (c->stream != NULL) {
		c->has_hung_up = true;
		stream_close(c->stream, 1000);
	}
}

void fake_reset(struct fake_connection *c)
{
	uv_os_fd_t fd = -1;
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	/* The stream hides its handle, and rightly so; its address is enough to find the descriptor. */
	assert_non_null(c->stream);
	assert_int_equal(uv_fileno((const uv_handle_t *)(const void *)c->stream, &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	c->has_hung_up = true;
	stream_close(c->stream, 0);
}

bool fake_has_heard(const struct fake_connection *c, const char *verbs)
{
	bool is_so = span_is(buf_peek(&c->heard), verbs);
	if (!is_so) {
		print_message("heard: %.*s\n", SPAN_ARG(buf_peek(&c->heard)));
	}
	return is_so;
}

static struct fake_answer *find_answer(struct fake *f, struct span verb)
{
	for (size_t i = 0; i < FAKE_ANSWERS_MAX; i++) {
		if (f->answers[i].verb != NULL && span_is_nocase(verb, f->answers[i].verb)) {
			return &f->answers[i];
		}
	}
	return NULL;
}

void fake_answer_with(struct fake *f, const char *verb, const char *before, const char *text)
{
	struct fake_answer *place = find_answer(f, span_str(verb));
	for (size_t i = 0; i < FAKE_ANSWERS_MAX && place == NULL; i++) {
		place = f->answers[i].verb == NULL ? &f->answers[i] : NULL;
	}
	assert_non_null(place);
	*place = (struct fake_answer){.verb = verb, .text = text, .before = before};
}

void fake_answer(struct fake *f, const char *verb, const char *text)
{
	fake_answer_with(f, verb, NULL, text);
}

void fake_silence(struct fake *f, const char *verb)
{
	fake_answer_with(f, verb, NULL, NULL);
}

void fake_behave(struct fake *f)
{
	memset(f->answers, 0, sizeof f->answers);
}

static void sign_in(struct fake_connection *c, bool is_right)
{
	struct fake *f = c->fake;
	if (!is_right) {
		fake_reply(c, "NO [AUTHENTICATIONFAILED] No such user as the one you named");
		return;
	}
	f->signed_in++;
	fake_say(c, c->tag);
	fake_say(c, " OK [CAPABILITY ");
	fake_say(c, f->capabilities);
	fake_say(c, "] Welcome\r\n");
}

static void on_plain(struct fake_connection *c, struct span line)
{
	struct credentials credentials = {0};
	assert_int_equal(sasl_plain_read(line, &credentials), SASL_GOOD);
	bool is_right = span_is(secret_span(&credentials.password), c->fake->password);
	credentials_drop(&credentials);
	sign_in(c, is_right);
}

static void on_login(struct fake_connection *c, struct span args)
{
	struct secret user = {0};
	struct secret password = {0};
	assert_true(lexer_take_astring(&args, &user));
	assert_true(span_take(&args, ' '));
	assert_true(lexer_take_astring(&args, &password));
	bool is_right = span_is(secret_span(&password), c->fake->password);
	secret_drop(&user);
	secret_drop(&password);
	sign_in(c, is_right);
}

static void on_starttls(struct fake_connection *c)
{
	struct stream_options options = {.tls = c->fake->tls, .is_server = true};
	fake_reply(c, "OK go");
	assert_true(stream_start_tls(c->stream, &options));
}

static void say_capabilities(struct fake_connection *c)
{
	fake_say(c, "* CAPABILITY ");
	fake_say(c, c->fake->capabilities);
	fake_say(c, "\r\n");
}

static void obey(struct fake_connection *c, const struct command *command)
{
	struct span verb = command->verb;
	if (span_is_nocase(verb, "AUTHENTICATE")) {
		struct span args = command->args;
		assert_true(span_take_nocase(&args, "PLAIN"));
		if (span_take(&args, ' ')) {
			on_plain(c, args);
		} else {
			c->is_waiting_line = true;
			fake_say(c, "+ \r\n");
		}
		return;
	}
	if (span_is_nocase(verb, "LOGIN")) {
		on_login(c, command->args);
		return;
	}
	if (span_is_nocase(verb, "STARTTLS")) {
		on_starttls(c);
		return;
	}
	if (span_is_nocase(verb, "CAPABILITY")) {
		say_capabilities(c);
	}
	if (span_is_nocase(verb, "LOGOUT")) {
		fake_say(c, "* BYE bye\r\n");
	}
	fake_reply(c, span_is_nocase(verb, "EXAMINE") ? "OK [READ-ONLY] done" : "OK done");
	if (span_is_nocase(verb, "LOGOUT")) {
		fake_hang_up(c);
	}
}

static void on_line(struct fake_connection *c, struct span line)
{
	struct command command = {0};
	assert_true(buf_add(&c->lines, line));
	line = span_chomp(line);
	if (c->is_waiting_line) {
		c->is_waiting_line = false;
		on_plain(c, line);
		return;
	}
	bool is_command = command_split(line, &command) == COMMAND_GOOD;
	if (is_command) {
		snprintf(c->tag, sizeof c->tag, "%.*s", SPAN_ARG(command.tag));
		assert_true(buf_add(&c->heard, command.verb) && buf_add_str(&c->heard, " "));
	}
	struct fake *f = c->fake;
	if (f->is_deaf || (f->on_line != NULL && f->on_line(c, line)) || !is_command) {
		return;
	}
	struct fake_answer *answer = find_answer(f, command.verb);
	if (answer == NULL) {
		obey(c, &command);
		return;
	}
	if (answer->before != NULL) {
		fake_say(c, answer->before);
	}
	if (answer->text != NULL) {
		fake_reply(c, answer->text);
	}
}

static size_t on_data(void *owner, struct span in)
{
	struct fake_connection *c = connection_of(owner);
	size_t given = in.n;
	while (in.n > 0) {
		size_t end = span_find(in, '\n');
		struct span part;
		span_take_bytes(&in, end < in.n ? end + 1 : end, &part);
		assert_true(buf_add(&c->line, part));
		struct span line = buf_peek(&c->line);
		if (line.p[line.n - 1] == '\n') {
			struct buf whole;
			buf_init(&whole, c->line.cap);
			buf_move(&whole, &c->line);
			on_line(c, buf_peek(&whole));
			buf_finish(&whole);
		}
	}
	return given;
}

static void on_open(void *owner)
{
	struct fake_connection *c = connection_of(owner);
	struct fake *f = c->fake;
	if (c->lines.end > 0) {
		return; /* STARTTLS: no second greeting */
	}
	if (f->greeting != NULL) {
		fake_say(c, f->greeting);
		return;
	}
	fake_say(c, "* OK [CAPABILITY ");
	fake_say(c, f->capabilities);
	fake_say(c, "] fake ready\r\n");
}

static void on_drained(void *owner)
{
	(void)owner;
}

static void on_eof(void *owner)
{
	struct fake_connection *c = connection_of(owner);
	c->has_left = true;
	stream_close(c->stream, 1000);
}

static void on_failed(void *owner, enum fail why, const char *detail)
{
	(void)why;
	(void)detail;
	on_eof(owner);
}

static void on_closed(void *owner)
{
	connection_of(owner)->stream = NULL;
}

static const struct stream_events fake_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_eof = on_eof,
	.on_failed = on_failed,
	.on_closed = on_closed,
};

static void count_open(struct fake *f)
{
	size_t open = 0;
	for (size_t i = 0; i < f->count; i++) {
		const struct fake_connection *c = &f->connections[i];
		open += c->stream != NULL && !c->has_left && !c->has_hung_up;
	}
	f->most_open = open > f->most_open ? open : f->most_open;
}

static void on_accept(void *owner, int fd)
{
	struct fake *f = owner;
	assert_true(f->count < FAKE_CONNECTIONS_MAX);
	struct fake_connection *c = &f->connections[f->count++];
	*c = (struct fake_connection){.fake = f};
	buf_init(&c->line, 1 << 20);
	buf_init(&c->heard, 1 << 20);
	buf_init(&c->lines, 1 << 20);
	struct stream_options options = {
		.tls = f->config.tls == TLS_IMPLICIT ? f->tls : NULL, .is_server = true};
	c->stream = stream_create(&f->looper->loop, fd, &options, &fake_events, c);
	assert_non_null(c->stream);
	count_open(f);
}

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Inherited by what is accepted; small, see session_rig.c. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

void fake_start(struct fake *f, struct looper *l)
{
	static char empty[] = "";
	uint16_t port = 0;
	int fd = listen_on_loopback(&port);
	*f = (struct fake){.looper = l};
	f->capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN ID UNSELECT IDLE";
	f->password = "right";
	snprintf(f->name, sizeof f->name, "fake");
	snprintf(f->host, sizeof f->host, "127.0.0.1");
	f->config = (struct config_backend){
		.name = f->name,
		.address = {.kind = ADDRESS_INET, .host = f->host, .port = port},
		.tls = TLS_NONE,
		.ca = empty,
		.verify = true,
		.server_name = f->host,
		.weight = 1,
		.send_id = true,
	};
	f->listener = listener_start(&l->loop, fd, on_accept, f);
	assert_non_null(f->listener);
}

void fake_refuse(struct fake *f)
{
	listener_stop(&f->listener);
	looper_spin(f->looper, 2);
}

static bool are_closed(void *arg)
{
	struct fake *f = arg;
	for (size_t i = 0; i < f->count; i++) {
		if (f->connections[i].stream != NULL) {
			return false;
		}
	}
	return true;
}

void fake_stop(struct fake *f)
{
	if (f->listener != NULL) {
		listener_stop(&f->listener);
	}
	for (size_t i = 0; i < f->count; i++) {
		if (f->connections[i].stream != NULL) {
			stream_close(f->connections[i].stream, 0);
		}
	}
	looper_until(f->looper, are_closed, f);
	for (size_t i = 0; i < f->count; i++) {
		buf_finish(&f->connections[i].line);
		buf_finish(&f->connections[i].heard);
		buf_finish(&f->connections[i].lines);
	}
	looper_spin(f->looper, 2);
}
