/*
 * A file alteration monitor that is never there, in the place of libfam.
 *
 * Courier's imapd asks libfam (Debian: gamin) to watch mailboxes. gamin's library starts a server
 * of its own by a path it was built with, which outlives the tests; where it cannot, each sign-in
 * waits more than a second. Told "no monitor" at once, imapd looks at the mailbox by itself.
 */
int FAMOpen(void *connection);
int FAMClose(void *connection);
int FAMMonitorDirectory(void *connection, const char *path, void *request, void *data);
int FAMMonitorFile(void *connection, const char *path, void *request, void *data);
int FAMCancelMonitor(void *connection, const void *request);
int FAMNextEvent(void *connection, void *event);
int FAMPending(void *connection);

int FAMOpen(void *connection)
{
	(void)connection;
	return -1;
}

int FAMClose(void *connection)
{
	(void)connection;
	return 0;
}

int FAMMonitorDirectory(void *connection, const char *path, void *request, void *data)
{
	(void)connection;
	(void)path;
	(void)request;
	(void)data;
	return -1;
}

int FAMMonitorFile(void *connection, const char *path, void *request, void *data)
{
	(void)connection;
	(void)path;
	(void)request;
	(void)data;
	return -1;
}

int FAMCancelMonitor(void *connection, const void *request)
{
	(void)connection;
	(void)request;
	return -1;
}

int FAMNextEvent(void *connection, void *event)
{
	(void)connection;
	(void)event;
	return -1;
}

int FAMPending(void *connection)
{
	(void)connection;
	return 0;
}
