/*
 * A scripted IMAP server on a loop of the test. By itself it behaves: greets, signs in whoever knows the
 * password, answers every command OK. What is no command (DONE, octets of literals) it keeps without a word. A test changes what it says, keeps it silent, or takes a
 * connection's wire into its own hands.
 */
#ifndef IMAPMUX_LIB_FAKE_H
#define IMAPMUX_LIB_FAKE_H

#include "base/list.h"
#include "config/config.h"
#include "lib/looper.h"
#include "net/listener.h"

enum { FAKE_CONNECTIONS_MAX = 512, FAKE_ANSWERS_MAX = 8 };

struct fake;

struct fake_connection {
	struct fake *fake;
	struct stream *stream; /* NULL: closed */
	struct buf line;       /* not yet a whole one */
	struct buf heard;      /* verbs, a space behind each: "ID AUTHENTICATE NOOP " */
	struct buf lines;      /* all, as they came */
	char tag[64];          /* of the newest command */
	bool has_left;         /* the other side has closed, in order or not */
	bool has_hung_up;      /* this side has */
	bool is_waiting_line;  /* the next line goes on the command before it */
};

/* What is said to a command with this verb. */
struct fake_answer {
	const char *verb;
	const char *text;   /* behind the tag: "NO [X] words"; NULL: nothing is said */
	const char *before; /* whole lines before it; NULL: none */
};

struct fake {
	struct looper *looper;
	struct listener *listener;
	struct config_backend config; /* how to reach it */
	char name[16], host[16];
	const char *greeting;     /* NULL: the usual one; "": none */
	const char *capabilities; /* before and after sign-in */
	const char *password;     /* that signs in anybody */
	struct tls_context *tls;  /* for config.tls other than TLS_NONE */
	struct fake_answer answers[FAKE_ANSWERS_MAX];
	/* Sees each line first; true: it has been dealt with. */
	bool (*on_line)(struct fake_connection *c, struct span line);
	/* Lines are only kept. */
	bool is_deaf;
	void *arg;
	size_t count;     /* connections accepted */
	size_t most_open; /* at the same time */
	struct fake_connection connections[FAKE_CONNECTIONS_MAX];
	size_t signed_in; /* OK said to a sign-in */
};

/* Listens on a port of the kernel's choice; config is set up for plain. */
void fake_start(struct fake *f, struct looper *l);

/* Nobody can connect any more. */
void fake_refuse(struct fake *f);

/* Closes all and waits for it. */
void fake_stop(struct fake *f);

/* Sets (or, with text NULL and is_silent false, takes back) what is said to a verb. */
void fake_answer(struct fake *f, const char *verb, const char *text);
void fake_answer_with(struct fake *f, const char *verb, const char *before, const char *text);
void fake_silence(struct fake *f, const char *verb);
void fake_behave(struct fake *f);

void fake_say(struct fake_connection *c, const char *text);
/* "TAG text" with the tag of the newest command. */
void fake_reply(struct fake_connection *c, const char *text);
/* Closes in order, or at once without a word. */
void fake_hang_up(struct fake_connection *c);
void fake_reset(struct fake_connection *c);

/* The verbs that a connection has heard. */
bool fake_has_heard(const struct fake_connection *c, const char *verbs);

#endif
