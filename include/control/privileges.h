/*
 * What this process may do, made as little as can be: no core dumps, no new privileges, another user.
 *
 * Main thread, before any other thread exists. Order of use: privileges_hide_memory first of all (before
 * a key is read), privileges_drop after every socket is bound and every file is read.
 */
#ifndef IMAPMUX_CONTROL_PRIVILEGES_H
#define IMAPMUX_CONTROL_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Passwords and private keys pass through this memory: no core dump (RLIMIT_CORE 0) and no look into it by
 * other processes of the same user (PR_SET_DUMPABLE 0), so gdb and strace need root.
 */
void privileges_hide_memory(void);

/*
 * Becomes user and group (names or numbers; "" is "not set") for good: groups of the user, or only the
 * given group; then proves that root cannot be had back. user without group: the user's own group.
 * Not started as root: nothing can be dropped, and a user other than the present one is a warning in the
 * log. Sets PR_SET_NO_NEW_PRIVS in any case. False: an unknown name or the kernel refused; the reason was
 * logged, and the process must end.
 */
bool privileges_drop(const char *user, const char *group) __attribute__((warn_unused_result));

/* Raises the soft limit of open descriptors to the hard one; warns when that is below `needed`. */
void privileges_raise_descriptors(size_t needed);

#endif
