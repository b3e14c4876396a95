/*
 * An IMAP server that only reads: where commands begin and end, as strictly as RFC 9051 has it, with a
 * reader of its own. It executes nothing, answers at the whim of its choices, and knows whether a real
 * server would still be as it was after the sign-in. What a proxy must never let through aborts.
 */
#ifndef TESTS_LIB_MODEL_SERVER_H
#define TESTS_LIB_MODEL_SERVER_H

#include "base/buf.h"

/* Decisions, byte by byte; zeros when they are used up. */
struct choices {
	struct span left;
};
uint8_t choose(struct choices *c);

enum { MODEL_TAGS_MAX = 64, MODEL_NAME_MAX = 2048 };

enum model_state { MODEL_LINE, MODEL_LITERAL, MODEL_IDLE };

struct model_server {
	struct choices *choices;
	struct buf in, out;
	enum model_state state;
	bool is_inside;  /* LINE: behind a literal */
	size_t left;     /* LITERAL */
	struct buf text; /* the open command's lines */
	struct {
		char tag[128];
	} pending[MODEL_TAGS_MAX]; /* answered in any order */
	size_t pending_count;
	bool is_sticky;   /* something was done that no UNSELECT undoes */
	unsigned enabled; /* bit i: word i of model_server_words */
	bool is_selected;
	char mailbox[MODEL_NAME_MAX]; /* as written; empty: a literal, or too long */
};

void model_server_init(struct model_server *m, struct choices *choices);
void model_server_finish(struct model_server *m);

/* What it knows to enable; CONDSTORE is the first. NULL ends. */
extern const char *const model_server_words[];

/* A new connection to it, with this enabled. */
void model_server_reconnect(struct model_server *m, unsigned enabled);

/* Reads bytes; replies are appended to out. */
void model_server_feed(struct model_server *m, struct span bytes);

/* Answers one of the commands that it has put off; false: there is none. */
bool model_server_answer_one(struct model_server *m);

/* An untagged response that nobody asked for. */
void model_server_speak(struct model_server *m);

/* True when nothing is open. */
bool model_server_is_idle(const struct model_server *m);

/* The octets of every literal that it sends: they look like anything but mail. */
uint8_t model_server_octet(size_t i);

#endif
