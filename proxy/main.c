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
	"Options:\n"
	"  -c, --config FILE   the configuration file, see imapmux.conf(5)\n"
	"  -h, --help          show this text\n"
	"  -V, --version       show the version\n"
	"\n"
	"Signals to a running imapmux:\n"
	"  HUP         read configuration, user maps and certificates again; if anything\n"
	"              is wrong with them, it is logged and the old ones stay in force\n"
	"  TERM, INT   accept no more clients and stop when the sessions have ended,\n"
	"              after limits.drain_timeout at the latest; a second one: stop now\n"
	"\n"
	"Exit status: 0 done; 1 it could not start, or did not stop in time; 2 an error\n"
	"in the configuration or in the command line.\n"
	"\n"
	"More in imapmux(8) and imapmux.conf(5).\n";

struct arguments {
	const char *config; /* NULL: not given */
	char **rest;        /* behind the command */
	int rest_count;
};

struct command {
	const char *name;
	int operands;
	int (*run)(const struct arguments *a); /* NULL: belongs to a later version */
};

static int run_check(const struct arguments *a)
{
	return command_check(a->config);
}

static int run_route(const struct arguments *a)
{
	return command_route(a->config, a->rest[0]);
}

static const struct command commands[] = {
	{"check", 0, run_check},
	{"route", 1, run_route},
	{"show", 0, NULL},
	{"kick", 0, NULL},
	{"drain", 0, NULL},
	{"undrain", 0, NULL},
	{"move", 0, NULL},
	{"flush", 0, NULL},
	{"pause", 0, NULL},
	{"resume", 0, NULL},
	{"reload", 0, NULL},
	{"shutdown", 0, NULL},
	{"trace", 0, NULL},
	{"top", 0, NULL},
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
	if (a->config == NULL) {
		return wrong("no configuration given: use -c FILE", "");
	}
	if (a->rest_count < command->operands) {
		return wrong("a user name is missing behind: ", name);
	}
	if (a->rest_count > command->operands) {
		return wrong("one word too many: ", a->rest[command->operands]);
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
		{0},
	};
	struct arguments a = {0};
	int option;
	if (!fill_standard_descriptors()) {
		return CONTROL_FAILED;
	}
	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			a.config = optarg;
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
	if (a.config == NULL) {
		return wrong("no configuration given: use -c FILE", "");
	}
	return control_run(a.config);
}
