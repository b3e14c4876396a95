#include "control/signals.h"

#include <assert.h>
#include <signal.h>

static const int numbers[SIGNALS_COUNT] = {SIGHUP, SIGTERM, SIGINT};

static void on_signal(uv_signal_t *handle, int number)
{
	struct signals *s = handle->data;
	if (number == SIGHUP) {
		s->on_reload(s->owner);
	} else {
		assert(number == SIGTERM || number == SIGINT);
		s->on_terminate(s->owner);
	}
}

bool signals_start(struct signals *s, struct net_loop *loop, void (*on_reload)(void *owner),
	void (*on_terminate)(void *owner), void *owner)
{
	*s = (struct signals){.on_reload = on_reload, .on_terminate = on_terminate, .owner = owner};
	/* Not through libuv, whose handlers wake the loop. */
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	/* USR1 and USR2 make other daemons open their logs anew: out of habit they must not end all sessions. */
	static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
		if (sigaction(ignored[i], &ignore, NULL) != 0) {
			return false;
		}
	}
	for (int i = 0; i < SIGNALS_COUNT; i++) {
		uv_signal_t *handle = &s->handles[i];
		if (uv_signal_init(&loop->uv, handle) != 0) {
			signals_stop(s);
			return false;
		}
		s->started++;
		handle->data = s;
		if (uv_signal_start(handle, on_signal, numbers[i]) != 0) {
			signals_stop(s);
			return false;
		}
	}
	return true;
}

void signals_stop(struct signals *s)
{
	for (size_t i = 0; i < s->started; i++) {
		uv_close((uv_handle_t *)&s->handles[i], NULL);
	}
	s->started = 0;
}
