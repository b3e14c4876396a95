#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/session_rig.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "backend/pool.h"
#include "backend/proof.h"
#include "lib/clock.h"
#include "lib/pki.h"
#include "lib/scratch.h"
#include "route/home.h"

static struct pki pki;
static struct pki_config pki_config;
static struct tls_context *client_tls;

int session_rig_init(void **state)
{
	(void)state;
	proof_init();
	log_setup(LOG_ERROR, LOG_LOGFMT); /* a test that fails would be lost in it */
	pki_init(&pki);
	pki_issue(&pki, "mail", "DNS:mail.example.org", -1, 1);
	pki_configure(&pki, &pki_config, "mail");
	client_tls = tls_context_create_client(&pki_config.backend, &pki_config.errors);
	return client_tls != NULL ? 0 : -1;
}

int session_rig_fini(void **state)
{
	(void)state;
	tls_context_unref(&client_tls);
	pki_config_finish(&pki_config);
	pki_finish(&pki);
	scratch_remove();
	return 0;
}

static struct generation *make_generation(struct session_rig *r, const char *settings)
{
	struct config_errors errors = {0};
	char text[4096];
	snprintf(text, sizeof text,
		"workers = 2;\n"
		"listeners = ( { address = \"127.0.0.1:1143\"; tls = \"none\"; },\n"
		"  { address = \"127.0.0.1:1993\"; tls = \"implicit\"; } );\n"
		"tls = { certificate = \"%s\"; key = \"%s\"; };\n"
		"backends = ( { name = \"fake\"; address = \"127.0.0.1:%u\"; tls = \"none\";\n"
		"  master_user = \"master\"; master_password_file = \"%s\"; } );\n"
		"users = ( { match = \"user*\"; backend = \"fake\"; } );\n%s%s",
		pki_path(&pki, "mail.pem").text, pki_path(&pki, "mail.key").text,
		r->fake.config.address.port, scratch_write("master.pw", "word\n"),
		/* The tests count connections. */
		strstr(settings, "capabilities") == NULL ? "capabilities = { probe = 0; };\n" : "",
		settings);
	struct generation *g =
		generation_create(scratch_write("rig.conf", text), ++r->generations, &errors);
	for (size_t i = 0; i < errors.count; i++) {
		print_error("%s\n", errors.lines[i]);
	}
	config_errors_finish(&errors);
	assert_non_null(g);
	return g;
}

static void on_carry(void *owner, unsigned worker, struct session_parcel *parcel)
{
	struct session_rig *r = owner;
	assert_true(worker < SESSION_RIG_HOSTS);
	list_push_back(&r->parcels[worker], session_parcel_node(parcel));
}

/* The owner does not say which host it is; a test drains one at a time, or both. */
static void on_drained(void *owner)
{
	struct session_rig *r = owner;
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		struct session_host *h = &r->hosts[i];
		bool is_over = h->is_draining && h->sessions.len == 0 && pool_is_empty(h->pool);
		r->drained[i] = is_over ? 1 : r->drained[i];
	}
}

static void find_users(struct session_rig *r)
{
	for (int n = 0; r->users[0][0] == '\0' || r->users[1][0] == '\0'; n++) {
		char name[16];
		snprintf(name, sizeof name, "user%d", n);
		unsigned home = home_worker(span_str(name), SESSION_RIG_HOSTS);
		memcpy(r->users[home], name, sizeof name);
	}
}

int session_rig_make(void **state)
{
	struct session_rig *r = calloc(1, sizeof *r);
	*state = r;
	find_users(r);
	r->guard = guard_create();
	r->budget = budget_create();
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		looper_init(&r->loopers[i]);
	}
	fake_start(&r->fake, &r->loopers[0]);
	struct generation *g = make_generation(r, "");
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		r->hosts[i] = (struct session_host){
			.loop = &r->loopers[i].loop,
			.counters = &r->counters[i],
			.generation = i == 0 ? g : generation_ref(g),
			.guard = r->guard,
			.budget = r->budget,
			.worker = (unsigned)i,
			.workers = SESSION_RIG_HOSTS,
			.carry = on_carry,
			.on_drained = on_drained,
			.owner = r,
		};
		session_host_init(&r->hosts[i]);
	}
	return 0;
}

static void deliver(struct session_rig *r)
{
	for (int i = 0; i < SESSION_RIG_HOSTS && !r->keeps_parcels; i++) {
		struct list_node *node;
		while ((node = list_pop_front(&r->parcels[i])) != NULL) {
			session_adopt(&r->hosts[i], session_parcel_of(node));
		}
	}
}

void session_rig_until(struct session_rig *r, bool (*is_so)(void *arg), void *arg)
{
	uint64_t deadline = uv_hrtime() + LOOPER_PATIENCE_MS * UINT64_C(1000000);
	while (!is_so(arg)) {
		if (uv_hrtime() > deadline) {
			fail_msg("waited in vain");
		}
		uv_run(&r->loopers[0].loop.uv, UV_RUN_ONCE); /* not longer than a glance */
		looper_spin(&r->loopers[1], 1);
		deliver(r);
	}
}

static bool is_set(void *flag)
{
	return *(int *)flag != 0;
}

void session_rig_wait(struct session_rig *r, int *flag)
{
	session_rig_until(r, is_set, flag);
}

void session_rig_settle(struct session_rig *r)
{
	for (int i = 0; i < 8; i++) {
		looper_spin(&r->loopers[0], 1);
		looper_spin(&r->loopers[1], 1);
		deliver(r);
	}
}

void session_rig_jump(struct session_rig *r, uint64_t ms)
{
	clock_jump(ms);
	session_rig_settle(r);
}

void session_rig_renew(struct session_rig *r, const char *settings)
{
	struct generation *g = make_generation(r, settings);
	session_host_renew(&r->hosts[0], generation_ref(g));
	session_host_renew(&r->hosts[1], g);
}

int session_rig_unmake(void **state)
{
	struct session_rig *r = *state;
	r->keeps_parcels = false;
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		if (!r->drained[i]) {
			session_host_stop(&r->hosts[i]);
		}
	}
	session_rig_wait(r, &r->drained[0]);
	session_rig_wait(r, &r->drained[1]);
	assert_int_equal(guard_clients(r->guard), 0);
	for (int i = 0; i < SESSION_RIG_HOSTS; i++) {
		session_host_finish(&r->hosts[i]);
	}
	fake_stop(&r->fake);
	guard_destroy(&r->guard);
	budget_destroy(&r->budget);
	looper_finish(&r->loopers[0]);
	looper_finish(&r->loopers[1]);
	free(r);
	return 0;
}

size_t session_rig_count(const struct session_rig *r, enum backend_state state)
{
	return pool_count(r->hosts[0].pool, state) + pool_count(r->hosts[1].pool, state);
}

uint64_t session_rig_counted(const struct session_rig *r, enum counter which)
{
	return counter_get(&r->counters[0], which) + counter_get(&r->counters[1], which);
}

/* Callers. */

void caller_connect(struct caller *c, struct session_rig *r, unsigned host, size_t listener)
{
	int fds[2];
	struct stream_options tls = {.tls = client_tls, .server_name = "mail.example.org"};
	c->rig = r;
	peer_init(&c->peer);
	looper_tcp_pair(fds);
	/* Small, or a test of back-pressure would have to move what the kernel may hold. */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int));
	setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
	setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	session_accept(&r->hosts[host], fds[0], listener);
	peer_start(&c->peer, &r->loopers[0], fds[1], listener == SESSION_RIG_TLS ? &tls : NULL);
}

void caller_say(struct caller *c, const char *text)
{
	peer_say(&c->peer, text);
}

struct ending {
	const struct caller *caller;
	struct span text;
};

static bool has_heard(void *arg)
{
	struct ending *e = arg;
	struct span heard = buf_peek(&e->caller->peer.in);
	return heard.n >= e->text.n &&
	       span_equal(span_slice(heard, heard.n - e->text.n, heard.n), e->text);
}

void caller_hear(struct caller *c, const char *ending)
{
	session_rig_until(c->rig, has_heard, &(struct ending){c, span_str(ending)});
	buf_clear(&c->peer.in);
}

static bool has_heard_much(void *arg)
{
	struct ending *e = arg;
	return buf_len(&e->caller->peer.in) >= e->text.n;
}

void caller_hear_exactly(struct caller *c, const char *text)
{
	session_rig_until(c->rig, has_heard_much, &(struct ending){c, span_str(text)});
	session_rig_settle(c->rig);
	struct span heard = buf_peek(&c->peer.in);
	if (!span_is(heard, text)) {
		print_error("heard: %.*s\n", SPAN_ARG(heard));
	}
	assert_true(span_is(heard, text));
	buf_clear(&c->peer.in);
}

static bool has_ended(void *arg)
{
	const struct caller *c = arg;
	return c->peer.ended > 0 || c->peer.failed > 0;
}

void caller_hear_the_end(struct caller *c)
{
	session_rig_until(c->rig, has_ended, c);
}

void caller_greet(struct caller *c)
{
	caller_hear(c, "imapmux ready\r\n");
}

void caller_sign_in(struct caller *c, const char *user, const char *password)
{
	char text[128];
	caller_greet(c);
	snprintf(text, sizeof text, "a LOGIN %s %s\r\n", user, password);
	caller_say(c, text);
	caller_hear(c, "] Logged in\r\n");
}

void caller_hang_up(struct caller *c)
{
	stream_close(c->peer.stream, 1000);
}

static bool is_closed(void *arg)
{
	const struct caller *c = arg;
	return c->peer.closed > 0;
}

void caller_finish(struct caller *c)
{
	if (c->peer.stream != NULL) {
		stream_close(c->peer.stream, 0);
	}
	session_rig_until(c->rig, is_closed, c);
	buf_finish(&c->peer.in);
}
