/*
 * What is enabled on a connection (ENABLE, RFC 5161), as one text: its class.
 *
 * There is no way back from ENABLE, so a connection may only serve a session that asked for exactly
 * what is enabled on it (POOLING.md section 1, "Class pools"). The text is canonical: upper-case
 * words sorted by bytes, one space between, CONDSTORE where QRESYNC is (RFC 7162 section 3.2.3), each
 * word once. "" is a clean connection. Two classes are the same when the texts are. Pure, any thread.
 */
#ifndef IMAPMUX_IMAP_ENABLED_H
#define IMAPMUX_IMAP_ENABLED_H

#include "base/buf.h"

/* All that is known today takes 90 bytes; a longer text is that of nobody who means it well. */
#define ENABLED_MAX 256

/* An empty set; it owns memory only while something is in it. buf_finish frees. */
void enabled_init(struct buf *set);

/*
 * Adds words (of ENABLE or ENABLED: any case, any order, any number of spaces). False, and nothing is
 * changed: a byte that no capability has, or the text would become longer than ENABLED_MAX.
 */
bool enabled_add(struct buf *set, struct span words) __attribute__((warn_unused_result));

/* True when the class has the word; any case. */
bool enabled_has(struct span class, const char *word);

/* True when every one of the words (as for enabled_add) is in the class; no words: true. */
bool enabled_covers(struct span class, struct span words);

/*
 * Appends those of the words that are in the class, as they would be enabled by themselves: the text
 * behind "* ENABLED " (with a space before each). False: out's cap, nothing was appended.
 */
bool enabled_write_common(struct buf *out, struct span class, struct span words)
	__attribute__((warn_unused_result));

#endif
