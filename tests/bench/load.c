/*
 * bench-load: the load generator.
 *
 *	bench-load sessions|steady [OPTION...] PORT COMMAND...
 *
 * It says "ready" after its warm-up and "done" after its work, and waits for a line on its standard
 * input each time: between the two the harness measures. Then come figures, tabs between the fields.
 */
#include "bench/plan.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/client.h"
#include "bench/must.h"
#include "bench/sessions.h"
#include "bench/steady.h"
#include "bench/tls.h"

void plan_sync(const char *word)
{
	char line[16];
	printf("%s\n", word);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		exit(1);
	}
}

static _Noreturn void usage(void)
{
	must_die(
		"usage: bench-load sessions|steady [--tls] [--resume] [--tolerant] [--clients N] "
		"[--opening N] [--users N] [--operations N] [--warm-up N] [--rate N] [--seconds N] "
		"[--pause-ms N] [--password TEXT] PORT COMMAND...");
}

static uint64_t number(const char *text)
{
	char *end = NULL;
	uint64_t n = strtoull(text, &end, 10);
	if (end == text || *end != '\0') {
		usage();
	}
	return n;
}

static void read_options(int argc, char **argv, struct plan *plan, struct client_target *target)
{
	static const struct option options[] = {{"tls", no_argument, NULL, 't'},
		{"resume", no_argument, NULL, 'r'}, {"tolerant", no_argument, NULL, 'e'},
		{"clients", required_argument, NULL, 'c'}, {"users", required_argument, NULL, 'u'},
		{"opening", required_argument, NULL, 'o'},
		{"operations", required_argument, NULL, 'n'},
		{"warm-up", required_argument, NULL, 'w'}, {"rate", required_argument, NULL, 'R'},
		{"seconds", required_argument, NULL, 's'},
		{"pause-ms", required_argument, NULL, 'P'},
		{"password", required_argument, NULL, 'p'}, {0}};
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 't':
			target->tls = tls_client();
			break;
		case 'r':
			target->is_resuming = true;
			break;
		case 'e':
			plan->is_tolerant = true;
			break;
		case 'c':
			plan->clients = (unsigned)number(optarg);
			break;
		case 'o':
			plan->opening = (unsigned)number(optarg);
			break;
		case 'u':
			plan->users = (unsigned)number(optarg);
			break;
		case 'n':
			plan->operations = number(optarg);
			break;
		case 'w':
			plan->warm_up = number(optarg);
			break;
		case 'R':
			plan->rate = strtod(optarg, NULL);
			break;
		case 's':
			plan->seconds = strtod(optarg, NULL);
			break;
		case 'P':
			plan->pause = number(optarg) * LOOP_MILLISECOND;
			break;
		case 'p':
			target->password = optarg;
			break;
		default:
			usage();
		}
	}
}

static void read_arguments(int argc, char **argv, struct plan *plan, struct client_target *target)
{
	/* The kind of run comes first. */
	read_options(argc - 1, argv + 1, plan, target);
	argv += optind + 1;
	argc -= optind + 1;
	if (argc < 2 || argc - 1 > PLAN_COMMANDS || plan->clients == 0 || plan->opening == 0 ||
		plan->users == 0 || (target->is_resuming && target->tls == NULL)) {
		usage();
	}
	target->to = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)number(argv[0]))};
	for (int i = 1; i < argc; i++) {
		plan->commands[plan->count++] = argv[i];
		if (strchr(argv[i], '{') != NULL) {
			client_prepare_message();
		}
	}
}

int main(int argc, char **argv)
{
	static struct loop loop;
	static struct plan plan = {.clients = 1, .opening = 1, .users = 1};
	static struct client_target target = {.loop = &loop, .password = "secret"};
	if (argc < 2) {
		usage();
	}
	signal(SIGPIPE, SIG_IGN);
	read_arguments(argc, argv, &plan, &target);
	loop_init(&loop);
	client_prepare(&target);
	if (strcmp(argv[1], "sessions") == 0) {
		sessions_run(&target, &plan);
	} else if (strcmp(argv[1], "steady") == 0) {
		steady_run(&target, &plan);
	} else {
		usage();
	}
	client_finish(&target);
	SSL_CTX_free(target.tls);
	loop_finish(&loop);
	return 0;
}
