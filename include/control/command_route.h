/*
 * imapmux route -c FILE USER
 */
#ifndef IMAPMUX_CONTROL_COMMAND_ROUTE_H
#define IMAPMUX_CONTROL_COMMAND_ROUTE_H

/*
 * Tells where a user goes, on stdout:
 *
 *	rule: /etc/imapmux/imapmux.conf:24: match = "*@example.org"; group = "cluster"; login = "%n"
 *	backend: mail1 127.0.0.1:2143
 *	login: alice
 *	worker: 2 of 4
 *
 * With a line "map: FILE:LINE" behind the rule when that is a map file. Workers count from 0. Control
 * characters are shown as \xNN.
 *
 * 0: shown. 1: no rule matches, said on stderr. 2: the configuration has errors, all on stderr.
 */
int command_route(const char *config_file, const char *user);

#endif
