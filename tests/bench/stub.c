/*
 * bench-stub: a fast IMAP server that knows no mail, and the authentication server that nginx asks.
 *
 * Prints "plain PORT", "tls PORT" and "http PORT", then serves until it is ended. One thread: what it
 * does for a command costs less than any proxy's share.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/must.h"
#include "bench/stream.h"
#include "bench/stub_session.h"
#include "bench/tls.h"

#define BACKLOG  4096
#define HTTP_MAX 4096

struct door {
	struct loop_source source;
	struct stub *stub;
	SSL_CTX *tls;
	int port;
	void (*serve)(struct stub *stub, int fd, SSL_CTX *tls);
};

/* nginx asks by HTTP, for each sign-in, which server is the user's. */
struct question {
	struct stub *stub;
	struct stream *stream;
	char text[HTTP_MAX];
	size_t n;
};

static char http_answer[256];

static void answer(void *owner, const char *bytes, size_t n)
{
	struct question *q = owner;
	if (n >= sizeof(q->text) - q->n) {
		must_die("a question longer than %d bytes", HTTP_MAX);
	}
	memcpy(q->text + q->n, bytes, n);
	q->n += n;
	if (memmem(q->text, q->n, "\r\n\r\n", 4) == NULL) {
		return;
	}
	stream_write_static(q->stream, http_answer, strlen(http_answer));
	stream_close(&q->stream);
	loop_free_later(&q->stub->loop, q);
}

static void on_http_open(void *owner)
{
	(void)owner;
}

static void on_http_end(void *owner, const char *why)
{
	(void)why;
	struct question *q = owner;
	stream_close(&q->stream);
	loop_free_later(&q->stub->loop, q);
}

static void serve_http(struct stub *stub, int fd, SSL_CTX *tls)
{
	static const struct stream_events events = {on_http_open, answer, on_http_end};
	struct question *q = must_alloc(sizeof(*q));
	q->stub = stub;
	q->stream = stream_accept(&stub->loop, fd, tls, &events, q);
}

static void on_knock(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct door *door = (struct door *)(void *)source;
	for (int i = 0; i < 64; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EAGAIN || errno == ECONNABORTED) {
				return;
			}
			must_die("accept?");
		}
		door->serve(door->stub, fd, door->tls);
	}
}

static void open_door(struct door *door, const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) != 0 || listen(fd, BACKLOG) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &n) != 0) {
		must_die("socket?");
	}
	door->source.on_ready = on_knock;
	door->port = ntohs(address.sin_port);
	loop_watch(&door->stub->loop, &door->source, fd, EPOLLIN);
	printf("%s %d\n", name, door->port);
}

static _Noreturn void usage(void)
{
	must_die("usage: bench-stub --cert FILE --key FILE [--signin-ms N] [--auth-port PORT]");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"cert", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'}, {"signin-ms", required_argument, NULL, 's'},
		{"auth-port", required_argument, NULL, 'p'}, {0}};
	static struct stub stub;
	const char *certificate = NULL, *key = NULL;
	int auth_port = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'c':
			certificate = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 's':
			stub.signin_cost = strtoull(optarg, NULL, 10) * LOOP_MILLISECOND;
			break;
		case 'p':
			auth_port = (int)strtol(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (certificate == NULL || key == NULL || optind != argc) {
		usage();
	}
	signal(SIGPIPE, SIG_IGN);
	stub_session_prepare();
	loop_init(&stub.loop);
	struct door plain = {.stub = &stub, .serve = stub_session_serve};
	struct door tls = {
		.stub = &stub, .serve = stub_session_serve, .tls = tls_server(certificate, key)};
	struct door http = {.stub = &stub, .serve = serve_http};
	open_door(&plain, "plain");
	open_door(&tls, "tls");
	open_door(&http, "http");
	snprintf(http_answer, sizeof(http_answer),
		"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: "
		"%d\r\n\r\n",
		auth_port != 0 ? auth_port : plain.port);
	fflush(stdout);
	loop_run(&stub.loop);
	return 0;
}
