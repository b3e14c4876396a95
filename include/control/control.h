/*
 * The main thread of a running proxy: starts the workers, waits for signals, reloads, ends.
 */
#ifndef IMAPMUX_CONTROL_CONTROL_H
#define IMAPMUX_CONTROL_CONTROL_H

/* Exit statuses of every command. */
enum control_status {
	CONTROL_OK = 0,
	CONTROL_FAILED =
		1, /* could not start (a port in use, an unknown user), or did not end in time */
	CONTROL_INVALID = 2, /* errors in the configuration or in the command line */
};

/*
 * Runs the proxy with this configuration file until it is told to end; returns the exit status of the
 * process. Why it did not start stands on stderr. Called once, before any other thread exists.
 */
int control_run(const char *config_file);

#endif
