/*
 * The command line: which command, which configuration. Everything else belongs to control/.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "control/command_admin.h"
#include "control/command_check.h"
#include "control/command_route.h"
#include "control/control.h"

static const char help_text[] =
	"imapmux " IMAPMUX_VERSION ", an IMAP proxy and connection multiplexer\n"
	"\n"
	"Usage:\n"
	"  imapmux -c FILE              run in the foreground and log to standard error\n"
	"  imapmux check -c FILE        check the configuration: \"ok\", or every error\n"
	"  imapmux route -c FILE USER   where a user goes: rule, server, login, worker\n"
	"\n"
	"Commands to a running imapmux, over its admin socket:\n"
	"  imapmux show WHAT                pools, clients, sessions, backends, users,\n"
	"                                   stats, config or version\n"
	"  imapmux kick USER|SESSION        end the sessions of a user, or one by its id\n"
	"  imapmux flush [BACKEND [USER]]   close parked connections, forget\n"
	"                                   what was proved; BACKEND -: of all\n"
	"\n"
	"Options:\n"
	"  -c, --config FILE   the configuration file, see imapmux.conf(5)\n"
	"  -s, --socket PATH   the admin socket; without it that of the configuration,\n"
	"                      without both /run/imapmux/admin.sock\n"
	"  -j, --json          print the answer as one JSON document\n"
	"  -h, --help          show this text\n"
	"  -V, --version       show the version\n"
	"\n"
	"Signals to a running imapmux:\n"
	"  HUP         read configuration, user maps and certificates again; if anything\n"
	"              is wrong with them, it is logged and the old ones stay in force\n"
	"  TERM, INT   accept no more clients and stop when the sessions have ended,\n"
	"              after limits.drain_timeout at the latest; a second one: stop now\n"
	"\n"
	"Exit status: 0 done; 1 it could not start, did not stop in time, or cannot be\n"
	"reached; 2 an error in the configuration or in the command line.\n"
	"\n"
	"More in imapmux(8) and imapmux.conf(5).\n";

struct arguments {
	struct command_admin admin; /* options: where, and in which form */
	char **rest;                /* behind the command */
	int rest_count;
};

struct command {
	const char *name;
	bool needs_config;
	int operands, optional;                /* how many must follow, and may */
	const char *missing;                   /* what is missing when too few do */
	int (*run)(const struct arguments *a); /* NULL: belongs to a later version */
};

static int run_check(const struct arguments *a)
{
	return command_check(a->admin.config);
}

static int run_route(const struct arguments *a)
{
	return command_route(a->admin.config, a->rest[0]);
}

static int run_show(const struct arguments *a)
{
	return command_show(&a->admin, a->rest[0]);
}

static int run_kick(const struct arguments *a)
{
	return command_kick(&a->admin, a->rest[0]);
}

static int run_flush(const struct arguments *a)
{
	return command_flush(&a->admin, a->rest_count > 0 ? a->rest[0] : NULL,
		a->rest_count > 1 ? a->rest[1] : NULL);
}

static const struct command commands[] = {
	{"check", true, 0, 0, "", run_check},
	{"route", true, 1, 0, "a user name", run_route},
	{"show", false, 1, 0, "what to show", run_show},
	{"kick", false, 1, 0, "a user, or the id of a session,", run_kick},
	{"flush", false, 0, 2, "", run_flush},
	{.name = "drain"},
	{.name = "undrain"},
	{.name = "move"},
	{.name = "pause"},
	{.name = "resume"},
	{.name = "reload"},
	{.name = "shutdown"},
	{.name = "trace"},
	{.name = "top"},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static int wrong(const char *what, const char *about)
{
	fprintf(stderr, "imapmux: %s%s\nTry: imapmux --help\n", what, about);
	return CONTROL_INVALID;
}

static int run_command(const char *name, const struct arguments *a)
{
	const struct command *command = find_command(name);
	if (command == NULL) {
		return wrong("there is no such command: ", name);
	}
	if (command->run == NULL) {
		fprintf(stderr,
			"imapmux: this version (" IMAPMUX_VERSION
			") cannot do '%s' yet; it is steered by "
			"signals:\n"
			"imapmux: HUP reloads the configuration, TERM ends it\n",
			name);
		return CONTROL_INVALID;
	}
	if (command->needs_config && a->admin.config == NULL) {
		return wrong("no configuration given: use -c FILE", "");
	}
	if (a->rest_count < command->operands) {
		char text[80];
		snprintf(text, sizeof text, "%s is missing behind: ", command->missing);
		return wrong(text, name);
	}
	int most = command->operands + command->optional;
	if (a->rest_count > most) {
		return wrong("one word too many: ", a->rest[most]);
	}
	return command->run(a);
}

/* Were one of the first three descriptors free, a client's socket would get its number, and with number 2
 * the log. */
static bool fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	struct arguments a = {0};
	int option;
	if (!fill_standard_descriptors()) {
		return CONTROL_FAILED;
	}
	while ((option = getopt_long(argc, argv, "c:hjs:V", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			a.admin.config = optarg;
			break;
		case 's':
			a.admin.socket = optarg;
			break;
		case 'j':
			a.admin.wants_json = true;
			break;
		case 'h':
			fputs(help_text, stdout);
			return CONTROL_OK;
		case 'V':
			puts("imapmux " IMAPMUX_VERSION);
			return CONTROL_OK;
		default: /* getopt has said what */
			fputs("Try: imapmux --help\n", stderr);
			return CONTROL_INVALID;
		}
	}
	if (optind < argc) {
		a.rest = argv + optind + 1;
		a.rest_count = argc - optind - 1;
		return run_command(argv[optind], &a);
	}
	if (a.admin.config == NULL) {
		return wrong("no configuration given: use -c FILE", "");
	}
	return control_run(a.admin.config);
}
